// SPDX-License-Identifier: Apache-2.0

// Package event is what the forwarder forwards: one alert, as it comes in and as
// it goes out.
//
// An Event that has been handed to outputs is shared by all of them: nobody
// changes one, whoever needs another makes a Clone.
package event

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Event is an alert.
type Event struct {
	UUID      string
	Output    string // the line of text
	Priority  Priority
	Rule      string
	Time      time.Time
	Fields    Fields // output_fields
	Source    string
	Tags      []string
	Hostname  string
	Truncated bool // something was cut off, see Cut

	text []byte // JSON; made once
}

// Test is the rule of the test event: it passes every minimum priority.
const Test = "Test rule"

// Field is a member of output_fields. Value is what encoding/json makes of it with
// UseNumber: string, json.Number, bool, nil, []any or map[string]any.
type Field struct {
	Key   string
	Value any
}

// Fields are sorted by key, and no key is there twice.
type Fields []Field

// Get returns the value of key.
func (f Fields) Get(key string) (any, bool) {
	if i, ok := f.find(key); ok {
		return f[i].Value, true
	}
	return nil, false
}

// Str returns the value of key if it is a string, and else "".
func (f Fields) Str(key string) string {
	v, _ := f.Get(key)
	s, _ := v.(string)
	return s
}

// Set puts key in its place.
func (f *Fields) Set(key string, v any) {
	i, ok := f.find(key)
	if ok {
		(*f)[i].Value = v
		return
	}
	*f = slices.Insert(*f, i, Field{key, v})
}

// Map returns the fields as a map, for templates.
func (f Fields) Map() map[string]any {
	m := make(map[string]any, len(f))
	for _, x := range f {
		m[x.Key] = x.Value
	}
	return m
}

func (f Fields) find(key string) (int, bool) {
	return slices.BinarySearchFunc(f, key, func(x Field, key string) int { return strings.Compare(x.Key, key) })
}

// Text returns the value of a field for people, and for receivers that know
// nothing but text: strings as they are, numbers as they were written, booleans.
// ok is false for what has no such form: null, lists and objects.
func (f Field) Text() (text string, ok bool) {
	switch v := f.Value.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return fmt.Sprint(v), true
	}
	return "", false
}

// Clone returns an event that may be changed, in all but the values of fields
// that are lists or objects.
func (e *Event) Clone() *Event {
	c := *e
	c.Fields, c.Tags, c.text = slices.Clone(e.Fields), slices.Clone(e.Tags), nil
	return &c
}

// Pair is a name and its text, as chats and mails list them.
type Pair struct {
	Name, Value string
	Field       bool // one of output_fields
}

// StdOrder is the order in which most receivers list an event.
var StdOrder = []string{"rule", "priority", "source", "hostname", "tags", "fields", "time"}

// Std returns what there is to say about an event, in the given order, StdOrder if
// there is none. "fields" stands for all of output_fields, sorted by name, that
// have a text. What is empty is left out; rule and priority never are.
func (e *Event) Std(order ...string) []Pair {
	if len(order) == 0 {
		order = StdOrder
	}
	out := make([]Pair, 0, len(order)+len(e.Fields))
	for _, name := range order {
		switch name {
		case "fields":
			for _, f := range e.Fields {
				if text, ok := f.Text(); ok {
					out = append(out, Pair{f.Key, text, true})
				}
			}
			continue
		case "rule", "priority":
			out = append(out, Pair{Name: name, Value: e.std(name)})
			continue
		}
		if v := e.std(name); v != "" {
			out = append(out, Pair{Name: name, Value: v})
		}
	}
	return out
}

func (e *Event) std(name string) string {
	switch name {
	case "rule":
		return e.Rule
	case "priority":
		return e.Priority.String()
	case "source":
		return e.Source
	case "hostname":
		return e.Hostname
	case "tags":
		return strings.Join(e.Tags, ", ")
	case "time":
		return e.Time.String()
	case "output":
		return e.Output
	case "uuid":
		return e.UUID
	}
	return ""
}

// View is what templates see: .Output .Priority .Rule .Time .OutputFields .Source
// .Tags .Hostname .UUID.
type View struct {
	UUID, Output, Rule, Source, Hostname string
	Priority                             Priority
	Time                                 time.Time
	OutputFields                         map[string]any
	Tags                                 []string
}

// View returns e for a template.
func (e *Event) View() *View {
	return &View{UUID: e.UUID, Output: e.Output, Rule: e.Rule, Source: e.Source, Hostname: e.Hostname, Priority: e.Priority, Time: e.Time,
		OutputFields: e.Fields.Map(), Tags: e.Tags}
}
