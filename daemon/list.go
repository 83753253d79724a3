// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/falco-go/falco/pkg/field"
)

// Lists that a person or a script reads, in the layout that scripts know.

// column writes words behind what stands in the line already, each followed by a
// blank; a line ends before it has more than width bytes of words, and the next
// begins after indent blanks.
func column(w *strings.Builder, text string, width, indent int) {
	n := 0
	for _, word := range strings.Fields(text) {
		if n > 0 && n+len(word) > width {
			fmt.Fprintf(w, "\n%*s", indent, "")
			n = 0
		}
		w.WriteString(word)
		w.WriteByte(' ')
		n += len(word) + 1
	}
	w.WriteByte('\n')
}

func printIgnored(w io.Writer) {
	fmt.Fprintf(w, "Ignored syscall(s):\n- %s\n\n", strings.Join(ignoredCalls, "\n- "))
}

// Formats of lists.
const (
	asText     = "text"
	asMarkdown = "markdown"
	asJSON     = "json"
)

// checkFormat reads --format and --markdown.
func (d *daemon) checkFormat() error {
	o := d.opt
	if o.markdown {
		if o.format != "" {
			return optionErrorf("Cannot specify both --markdown and --format options together")
		}
		fmt.Fprintln(d.stderr, "WARNING: --markdown is deprecated, use --format markdown instead.")
		o.format = asMarkdown
	}
	switch strings.ToLower(o.format) {
	case "", asText:
		o.format = asText
	case asMarkdown, asJSON:
		o.format = strings.ToLower(o.format)
	default:
		return optionErrorf("Invalid format '%s'. Valid values are: text, markdown, json", o.format)
	}
	return nil
}

const (
	nameColumn = 30
	descWidth  = 88
)

// printFields is --list.
func (d *daemon) printFields() error {
	if s := d.opt.listSource; s != "" && s != syscallSource {
		return &failure{form: block, text: "Value for --list must be a valid source type", hint: "there is one source: " + syscallSource}
	}
	classes := fieldClasses(d.cfg)
	var b strings.Builder
	switch {
	case d.opt.format == asJSON:
		b.Write(fieldsJSON(classes, d.opt.namesOnly))
	case d.opt.namesOnly:
		for _, c := range classes {
			for _, f := range shown(c) {
				b.WriteString(f.Name + "\n")
			}
		}
	case d.opt.format == asMarkdown:
		for _, c := range classes {
			fmt.Fprintf(&b, "## Field Class: %s\n\n%s\n\nEvent Sources: %s\n\nName | Type | Description\n:----|:-----|:-----------\n", c.Name, c.Desc, syscallSource)
			for _, f := range shown(c) {
				fmt.Fprintf(&b, "`%s` | %s | %s\n", f.Name, f.Type.SchemaName(), strings.ReplaceAll(f.Desc, "|", `\|`))
			}
			b.WriteString("\n")
		}
	default:
		for _, c := range classes {
			classText(&b, c, d.opt.verbose)
		}
	}
	io.WriteString(d.stdout, b.String())
	return errDone
}

// shown leaves out the fields that exist for old rules alone.
func shown(c field.Class) (out []*field.Def) {
	for _, f := range c.Fields {
		if !f.Has(field.Hidden) {
			out = append(out, f)
		}
	}
	return out
}

func classText(b *strings.Builder, c field.Class, types bool) {
	fmt.Fprintf(b, "-------------------------------\n%-*s%s (%s)\n", nameColumn, "Field Class:", c.Name, c.Short)
	fmt.Fprintf(b, "%-*s", nameColumn, "Description:")
	column(b, c.Desc, descWidth, nameColumn)
	fmt.Fprintf(b, "%-*s%s \n\n", nameColumn, "Event Sources:", syscallSource)
	for _, f := range shown(c) {
		if len(f.Name) > nameColumn-2 {
			fmt.Fprintf(b, "%s\n%*s", f.Name, nameColumn, "")
		} else {
			fmt.Fprintf(b, "%-*s", nameColumn, f.Name)
		}
		desc := f.Desc
		if tags := traitNames(f); len(tags) > 0 {
			desc = "(" + strings.Join(tags, ",") + ") " + desc
		}
		if types {
			desc = "(Type: " + f.Type.SchemaName() + ") " + desc
		}
		column(b, desc, descWidth, nameColumn)
	}
	b.WriteByte('\n')
}

func traitNames(f *field.Def) (out []string) {
	if f.Args&field.ArgRequired != 0 {
		out = append(out, "ARG_REQUIRED")
	} else if f.Args != field.ArgNone {
		out = append(out, "ARG_ALLOWED")
	}
	for _, t := range []struct {
		trait field.Traits
		name  string
	}{{field.FilterOnly, "FILTER_ONLY"}, {field.List, "EPF_IS_LIST"}, {field.NoRHS, "EPF_NO_RHS"}, {field.NoTransform, "EPF_NO_TRANSFORMER"}} {
		// The original lists evt.arg as one that cannot stand on the right nor in a
		// call, and then lets it: so do we.
		if f.Has(t.trait) || f.Name == "evt.arg" && (t.trait == field.NoRHS || t.trait == field.NoTransform) {
			out = append(out, t.name)
		}
	}
	return out
}

func fieldsJSON(list []field.Class, namesOnly bool) []byte {
	type argument struct {
		Required bool     `json:"required"`
		Type     []string `json:"type"`
	}
	type entry struct {
		Argument *argument `json:"argument"`
		Desc     string    `json:"desc"`
		IsList   bool      `json:"is_list"`
		Name     string    `json:"name"`
		Type     string    `json:"type"`
	}
	type class struct {
		Desc    string   `json:"desc"`
		Sources []string `json:"event_sources"`
		Fields  []entry  `json:"fields"`
		Name    string   `json:"name"`
	}
	classes, names := []class{}, []string{}
	for _, c := range list {
		out := class{Name: c.Name, Desc: c.Desc, Sources: []string{syscallSource}, Fields: []entry{}}
		for _, f := range shown(c) {
			e := entry{Name: f.Name, Type: f.Type.SchemaName(), Desc: f.Desc, IsList: f.Has(field.List)}
			if f.Args != field.ArgNone {
				e.Argument = &argument{Required: f.Args&field.ArgRequired != 0, Type: []string{}}
			}
			out.Fields = append(out.Fields, e)
			names = append(names, f.Name)
		}
		classes = append(classes, out)
	}
	if namesOnly {
		return indented(map[string]any{"fieldnames": names})
	}
	return indented(map[string]any{"fieldclasses": classes})
}

// indented returns v as JSON for people, with a newline at the end.
func indented(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	e.Encode(v)
	return b.Bytes()
}

// oneLine returns v as JSON for programs, with a newline at the end.
func oneLine(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.Encode(v)
	return b.Bytes()
}

var severityNames = [...]string{"EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"}

// printStatistics tells at the end which rules have matched how often.
func printStatistics(w io.Writer, list []tally) {
	var total uint64
	var severities [len(severityNames)]uint64
	for _, t := range list {
		total += t.n
		severities[t.priority] += t.n
	}
	fmt.Fprintf(w, "Events detected: %d\nRule counts by severity:\n", total)
	for i, n := range severities {
		if n > 0 {
			fmt.Fprintf(w, "   %s: %d\n", severityNames[i], n)
		}
	}
	fmt.Fprint(w, "Triggered rules by rule name:\n")
	for _, t := range list {
		if t.n > 0 {
			fmt.Fprintf(w, "   %s: %d\n", t.name, t.n)
		}
	}
}
