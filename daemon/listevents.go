// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/falco-go/falco/pkg/driver"
	"github.com/falco-go/falco/pkg/schema"
)

// eventTitles are the parts of the list of events, in order.
var eventTitles = []struct {
	title string
	class schema.Class
}{
	{"Syscall events", schema.ClassSyscall}, {"Tracepoint events", schema.ClassTracepoint},
	{"Plugin events", schema.ClassPlugin}, {"Metaevents", schema.ClassMeta},
}

// listedEvent is a line of --list-events.
type listedEvent struct {
	Name      string        `json:"name"`
	Dir       string        `json:"dir"`
	Available bool          `json:"available"` // without base_syscalls.all
	Params    []listedParam `json:"params"`
}

type listedParam struct {
	Type  string   `json:"type"`
	Name  string   `json:"name"`
	Flags []string `json:"flags,omitempty"`
}

// listed returns the events of a class as they are made today. A system call
// without an event of its own is listed as what it becomes.
func listed(class schema.Class) []listedEvent {
	out := []listedEvent{}
	for i := range schema.Events {
		e := &schema.Events[i]
		if e.Class != class || e.Flags&(schema.OldVersion|schema.Unused) != 0 {
			continue
		}
		if e.Type != schema.GenericX {
			out = append(out, listEvent(e, e.Name))
			continue
		}
		for j := range schema.Syscalls {
			if c := &schema.Syscalls[j]; c.Exit == schema.GenericX && c.Name != "" {
				out = append(out, listEvent(e, callName(c)))
			}
		}
	}
	slices.SortStableFunc(out, func(a, b listedEvent) int { return strings.Compare(b.Dir, a.Dir) }) // ">" first
	return out
}

func listEvent(e *schema.Event, name string) listedEvent {
	l := listedEvent{Name: name, Dir: "<", Available: !slices.Contains(ignoredCalls, name), Params: []listedParam{}}
	if e.Type.IsEnter() {
		l.Dir = ">"
	}
	for i := range e.Params {
		p := &e.Params[i]
		one := listedParam{Type: strings.ToUpper(p.Type.String()), Name: p.Name}
		if p.Set != nil {
			for _, v := range p.Set.Values {
				one.Flags = append(one.Flags, v.Name)
			}
		}
		l.Params = append(l.Params, one)
	}
	return l
}

// text prints the parameters; around stands before and behind each flag.
func (l *listedEvent) text(around string) string {
	var all []string
	for _, p := range l.Params {
		s := p.Type + " **" + p.Name + "**"
		if len(p.Flags) > 0 {
			s += ": " + around + strings.Join(p.Flags, around+", "+around) + around
		}
		all = append(all, s)
	}
	return strings.Join(all, ", ")
}

// printEvents is --list-events.
func printEvents(to io.Writer, format string) {
	version := driver.SchemaVersion.String()
	if format == asJSON {
		out := map[string]any{"schema_version": version}
		for _, t := range eventTitles {
			out[t.title] = listed(t.class)
		}
		to.Write(indented(out))
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "The events below are valid for Falco *Schema Version*: %s\n", version)
	for _, t := range eventTitles {
		fmt.Fprintf(&b, "## %s\n\n", t.title)
		if format == asMarkdown {
			b.WriteString("Default | Dir | Name | Params \n:-------|:----|:-----|:-----\n")
		}
		for _, l := range listed(t.class) {
			if format != asMarkdown {
				fmt.Fprintf(&b, "%s %s(%s)\n", l.Dir, l.Name, l.text(""))
				continue
			}
			available := "Yes"
			if !l.Available {
				available = "No"
			}
			fmt.Fprintf(&b, "%s | `%s` | `%s` | %s\n", available, l.Dir, l.Name, l.text("*"))
		}
		b.WriteByte('\n')
	}
	io.WriteString(to, b.String())
}
