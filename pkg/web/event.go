// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Priority is how grave an event is: 1 is Debug, 8 is Emergency.
type Priority uint8

// Values of Priority.
const (
	Debug Priority = iota + 1
	Informational
	Notice
	Warning
	Error
	Critical
	Alert
	Emergency
)

var priorityNames = [...]string{"", "Debug", "Informational", "Notice", "Warning", "Error", "Critical", "Alert", "Emergency"}

func (p Priority) String() string {
	if int(p) < len(priorityNames) {
		return priorityNames[p]
	}
	return ""
}

// ParsePriority reads the name of a priority, in any case; "info" is one too.
func ParsePriority(s string) (Priority, error) {
	if strings.EqualFold(s, "info") {
		return Informational, nil
	}
	for p := Debug; p <= Emergency; p++ {
		if strings.EqualFold(s, p.String()) {
			return p, nil
		}
	}
	return 0, fmt.Errorf("%q is no priority; they are %s", s, strings.Join(priorityNames[1:], ", "))
}

// State is what people have made of an event.
type State uint8

// Values of State.
const (
	StateNew State = iota
	StateAcknowledged
	StateClosed
	StateFalsePositive
)

var stateNames = [...]string{"new", "acknowledged", "closed", "false-positive"}

func (s State) String() string { return stateNames[s] }

// ParseState reads the name of a state.
func ParseState(s string) (State, error) {
	if i := slices.Index(stateNames[:], s); i >= 0 {
		return State(i), nil
	}
	return 0, fmt.Errorf("%q is no state; they are %s", s, strings.Join(stateNames[:], ", "))
}

// Limits of what is taken from outside. Longer texts are cut, further tags and
// fields are refused with the event.
const (
	maxEvent  = 1 << 20 // bytes of JSON
	maxOutput = 64 << 10
	maxName   = 512 // bytes of a rule, source, host or tag
	maxTags   = 128
	maxFields = 1024
)

// Event is an alert as the store keeps it. It owns its memory.
type Event struct {
	ID       int64  // the store's; later ones are greater
	UUID     string // in lower case
	Time     int64  // microseconds of the epoch, as all times here
	Received int64
	Priority Priority
	Rule     string
	Source   string
	Host     string
	Tags     []string // sorted, each once
	NS       string
	Pod      string
	Image    string
	Output   string // without the time and priority in front
	Raw      json.RawMessage

	State State
	Note  string
	Actor string // who wrote State and Note

	fields map[string]any
}

// wire is the event as it travels.
type wire struct {
	UUID     string         `json:"uuid"`
	Output   string         `json:"output"`
	Priority string         `json:"priority"`
	Rule     string         `json:"rule"`
	Time     time.Time      `json:"time"`
	Fields   map[string]any `json:"output_fields"`
	Source   string         `json:"source"`
	Tags     []string       `json:"tags,omitempty"`
	Host     string         `json:"hostname,omitempty"`
}

var (
	linePrefix = regexp.MustCompile(`^(?:\d\d:\d\d:\d\d\.\d+|\d{4}-\d\d-\d\dT[0-9:.+Z-]+): (?i:emergency|alert|critical|error|warning|notice|informational|info|debug) `)
	uuidForm   = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
)

// ParseEvent reads an event of the wire format. Numbers keep their digits. An
// event without an id of its own gets one of its content, so that one that is
// sent twice is kept once.
func ParseEvent(text []byte) (*Event, error) {
	if len(text) > maxEvent {
		return nil, fmt.Errorf("an event of %d bytes; the limit is %d", len(text), maxEvent)
	}
	var w wire
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&w); err != nil {
		return nil, fmt.Errorf("decode event: %w", err)
	}
	prio, err := ParsePriority(w.Priority)
	if err != nil {
		return nil, err
	}
	switch {
	case w.Rule == "":
		return nil, errors.New("an event without a rule")
	case w.Time.IsZero() || w.Time.Year() < 1970 || w.Time.Year() > 9999:
		return nil, errors.New("an event without a time between 1970 and 9999")
	case len(w.Fields) > maxFields:
		return nil, fmt.Errorf("an event of %d fields; the limit is %d", len(w.Fields), maxFields)
	case len(w.Tags) > maxTags:
		return nil, fmt.Errorf("an event of %d tags; the limit is %d", len(w.Tags), maxTags)
	}
	w.Priority = prio.String()
	w.UUID = strings.ToLower(w.UUID)
	if w.UUID == "" {
		w.UUID = contentID(text)
	} else if !uuidForm.MatchString(w.UUID) {
		return nil, fmt.Errorf("%q is no UUID", short(w.UUID, 64))
	}
	if w.Source == "" {
		w.Source = "syscall"
	}
	w.Output, w.Rule = short(w.Output, maxOutput), short(w.Rule, maxName)
	w.Source, w.Host = short(w.Source, maxName), short(w.Host, maxName)
	for i, t := range w.Tags {
		w.Tags[i] = short(t, maxName)
	}
	slices.Sort(w.Tags)
	w.Tags = slices.Compact(w.Tags)
	w.Time = w.Time.UTC()
	if w.Fields, _ = clean(w.Fields, 0).(map[string]any); w.Fields == nil {
		w.Fields = map[string]any{}
	}
	raw, err := json.Marshal(&w)
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return w.event(prio, raw), nil
}

func (w *wire) event(prio Priority, raw []byte) *Event {
	e := &Event{UUID: w.UUID, Time: w.Time.UnixMicro(), Priority: prio, Rule: w.Rule, Source: w.Source, Host: w.Host,
		Tags: w.Tags, Output: linePrefix.ReplaceAllString(w.Output, ""), Raw: raw, fields: w.Fields}
	e.NS = short(e.first("k8s.ns.name", "ka.target.namespace"), maxName)
	e.Pod = short(e.first("k8s.pod.name"), maxName)
	e.Image = short(e.first("container.image.repository", "container.image"), maxName)
	return e
}

// clean makes text that every database takes of all that v holds: valid UTF-8
// without NUL. What is nested deeper than anything that Falco writes goes.
func clean(v any, depth int) any {
	switch v := v.(type) {
	case string:
		return short(v, maxOutput)
	case map[string]any:
		if depth > 8 {
			return nil
		}
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[short(k, maxName)] = clean(e, depth+1)
		}
		return out
	case []any:
		if depth > 8 {
			return nil
		}
		for i := range v {
			v[i] = clean(v[i], depth+1)
		}
	}
	return v
}

// short returns s as valid UTF-8 without NUL, at most max bytes long.
func short(s string, max int) string {
	if len(s) > max {
		for max > 0 && !utf8.RuneStart(s[max]) {
			max--
		}
		s = s[:max]
	}
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

func contentID(text []byte) string {
	sum := sha256.Sum256(text)
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // version 8: of our own making
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// Field returns the value of an output field as text. What is absent or null is "".
func (e *Event) Field(name string) string {
	if e.fields == nil && e.Raw != nil {
		var w wire
		dec := json.NewDecoder(bytes.NewReader(e.Raw))
		dec.UseNumber()
		if dec.Decode(&w) == nil {
			e.fields = w.Fields
		}
		if e.fields == nil {
			e.fields = map[string]any{}
		}
	}
	return textOf(e.fields[name])
}

func (e *Event) first(names ...string) string {
	for _, n := range names {
		if v := e.Field(n); v != "" {
			return v
		}
	}
	return ""
}

func textOf(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "true"
		}
		return "false"
	}
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}

// text is what a search without a field looks through.
func (e *Event) text() string {
	e.Field("") // sees that fields are there
	names := make([]string, 0, len(e.fields))
	for n := range e.fields {
		names = append(names, n)
	}
	slices.Sort(names)
	var b strings.Builder
	b.WriteString(e.Output)
	for _, s := range append([]string{e.Rule, e.Source, e.Host}, e.Tags...) {
		b.WriteString("\n" + s)
	}
	for _, n := range names {
		if s := textOf(e.fields[n]); s != "" {
			b.WriteString("\n" + s)
		}
	}
	return b.String()
}

// stored reads Raw back, as ParseEvent has written it.
func stored(raw []byte) *Event {
	var w wire
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if dec.Decode(&w) != nil {
		return &Event{Raw: raw, fields: map[string]any{}}
	}
	prio, _ := ParsePriority(w.Priority)
	if w.Fields == nil {
		w.Fields = map[string]any{}
	}
	return w.event(prio, raw)
}
