// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/forward/settings"
)

// enricher completes events by the settings. Its functions stand in the order in which an
// event meets them, and that order is visible to users.
type enricher struct {
	custom    []event.Field
	templated []templatedField
	tags      []string
	bracket   string
	format    string
	content   bool // derive UUIDs
	log       Logger
}

type templatedField struct {
	key string
	t   *settings.Template
}

func newEnricher(c *Config, log Logger) *enricher {
	x := &enricher{tags: c.CustomTags, bracket: c.Bracket, format: c.OutputFormat, content: c.Input.ContentUUID, log: log}
	for _, k := range slices.Sorted(maps.Keys(c.CustomFields)) {
		v := c.CustomFields[k]
		if name, ok := strings.CutPrefix(v, "%"); ok {
			v = c.Getenv(name)
		}
		x.custom = append(x.custom, event.Field{Key: k, Value: v})
	}
	for _, k := range slices.Sorted(maps.Keys(c.TemplatedFields)) {
		if t, err := settings.NewTemplate(c.TemplatedFields[k]); err == nil { // config.go has warned
			x.templated = append(x.templated, templatedField{k, t})
		}
	}
	return x
}

// labels are the names of the fields that are added.
func (x *enricher) labels() (out []string) {
	for _, f := range x.custom {
		out = append(out, f.Key)
	}
	for _, f := range x.templated {
		out = append(out, f.key)
	}
	return out
}

// complete adds what the settings say, and checks the event. given is whether it has come with
// a UUID that it keeps.
func (x *enricher) complete(e *event.Event) (given bool, err error) {
	for _, f := range x.custom {
		e.Fields.Set(f.Key, f.Value)
	}
	e.Tags = append(e.Tags, x.tags...)
	if e.Source == "" {
		e.Source = "syscalls"
	}
	if e.Rule == event.Test {
		e.Source = "internal"
	}
	if _, ok := parseUUID(e.UUID); ok {
		e.UUID, given = strings.ToLower(e.UUID), true
	} else if x.content {
		e.UUID = formUUID(content(e, true), 5)
	} else {
		e.UUID = newUUID()
	}
	x.template(e)
	slices.Sort(e.Tags)
	return given, e.Check()
}

func (x *enricher) template(e *event.Event) {
	if len(x.templated) == 0 {
		return
	}
	dot := e.Fields.Map()
	if _, taken := dot["Event"]; !taken {
		dot["Event"] = e.View()
	}
	for _, f := range x.templated {
		text, err := f.t.Execute(dot)
		if err != nil {
			x.log.Warnf("templated field %s: %v", f.key, err)
			continue
		}
		e.Fields.Set(f.key, text)
	}
}

// finish is what comes after counting: names of fields, and the line.
func (x *enricher) finish(e *event.Event) {
	if x.bracket != "" {
		x.rename(e)
	}
	if x.format != "" {
		x.rewrite(e)
	}
	e.Seal()
}

func (x *enricher) rename(e *event.Event) {
	if !slices.ContainsFunc(e.Fields, func(f event.Field) bool { return strings.ContainsAny(f.Key, "[]") }) {
		return
	}
	var out event.Fields
	for _, f := range e.Fields {
		out.Set(strings.ReplaceAll(strings.ReplaceAll(f.Key, "]", ""), "[", x.bracket), f.Value)
	}
	e.Fields = out
}

// usual is a line as Falco writes them, by default: a time, a priority, a text.
var usual = regexp.MustCompile(`^[0-9:]+\.[0-9]+: (?i:Emergency|Alert|Critical|Error|Warning|Notice|Informational|Debug) `)

var emptyEnd = regexp.MustCompile(`\s*(\(\s*\))?\s*$`)

func (x *enricher) rewrite(e *event.Event) {
	if !usual.MatchString(e.Output) {
		return
	}
	at, rest, _ := strings.Cut(e.Output, " ")
	_, line, _ := strings.Cut(rest, " ")
	values := func(fields []string) string {
		var out []string
		for _, k := range fields {
			if v, ok := e.Fields.Get(k); ok {
				if text, ok := (event.Field{Value: v}).Text(); ok {
					out = append(out, k+"="+text)
				}
			}
		}
		return strings.Join(out, " ")
	}
	var custom, templated []string
	for _, f := range x.custom {
		custom = append(custom, f.Key)
	}
	for _, f := range x.templated {
		templated = append(templated, f.key)
	}
	text := strings.NewReplacer(
		"<timestamp>", strings.TrimSuffix(at, ":"), "<priority>", e.Priority.String(), "<output>", line,
		"<custom_fields>", values(custom), "<templated_fields>", values(templated), "<tags>", strings.Join(e.Tags, ","),
	).Replace(x.format)
	e.Output = emptyEnd.ReplaceAllString(text, "")
}

// testEvent is what /test sends.
func testEvent(now func() string) string {
	return fmt.Sprintf(`{"output": "This is a test from Falcosidekick", "source": "debug", "priority": "Debug", "hostname": "falcosidekick", "rule": %q, "time": %q, `+
		`"output_fields": {"proc.name": "falcosidekick", "user.name": "falcosidekick"}, "tags": ["test", "example"]}`, event.Test, now())
}
