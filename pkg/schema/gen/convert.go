// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"strings"
)

// conversion is a row of convert.tbl.
type conversion struct {
	event  string
	params int
	action string // of convertActions
	to     string // of "to", else ""
	args   []convertArg
}

type convertArg struct {
	from  string // of convertSources
	index int
}

var convertActions = map[string]string{
	"store": "ConvertStore", "pass": "ConvertPass", "store_pass": "ConvertStorePass", "add": "ConvertAdd", "to": "ConvertTo",
}

var convertSources = map[string]string{
	"old": "FromOld", "enter": "FromEnter", "enter|empty": "FromEnterOrEmpty", "default": "FromDefault", "empty": "FromEmpty",
	"container": "FromContainer",
}

func (t *tables) readConvert(r *reader) {
	for words, _, ok := r.next(); ok; words, _, ok = r.next() {
		if len(words) < 3 {
			panic(r.errorf("not a line of this table: %q", words))
		}
		c := conversion{event: words[0], params: int(r.num(words[1]))}
		c.action, c.to, _ = strings.Cut(words[2], ":")
		if convertActions[c.action] == "" || (c.action == "to") != (c.to != "") {
			panic(r.errorf("no action %q", words[2]))
		}
		for _, w := range words[3:] {
			c.args = append(c.args, r.convertArgs(w)...)
		}
		t.conversions = append(t.conversions, c)
	}
}

// convertArgs reads one SOURCE.
func (r *reader) convertArgs(w string) []convertArg {
	w, times, repeated := strings.Cut(w, "*")
	n := 1
	if repeated {
		n = int(r.num(times))
	}
	name := strings.TrimRight(w, "0123456789-")
	index := strings.TrimPrefix(w, name)
	if base, ok := strings.CutSuffix(w, "|empty"); ok {
		name = strings.TrimRight(base, "0123456789")
		index = strings.TrimPrefix(base, name)
		name += "|empty"
	}
	if convertSources[name] == "" || (index != "") != (name == "old" || strings.HasPrefix(name, "enter")) {
		panic(r.errorf("no source %q", w))
	}
	first, last := 0, 0
	if index != "" {
		a, b, isRange := strings.Cut(index, "-")
		first = int(r.num(a))
		last = first
		if isRange {
			last = int(r.num(b))
		}
	}
	var args []convertArg
	for ; n > 0; n-- {
		for i := first; i <= last; i++ {
			args = append(args, convertArg{name, i})
		}
	}
	return args
}

// checkConvert finds rows that name what is not there, or make what is no event.
func (t *tables) checkConvert() error {
	byID := map[string]*event{}
	for i := range t.events {
		byID[t.events[i].id] = &t.events[i]
	}
	last := -1
	for _, c := range t.conversions {
		e, to := byID[c.event], byID[c.event]
		if c.to != "" {
			to = byID[c.to]
		}
		if e == nil || to == nil {
			return fmt.Errorf("convert.tbl: no event %q or %q", c.event, c.to)
		}
		if key := e.code*64 + c.params; key <= last {
			return fmt.Errorf("convert.tbl: %s with %d parameters is out of order", c.event, c.params)
		} else {
			last = key
		}
		made := len(c.args)
		if c.action == "add" {
			made += c.params
		}
		if c.params > len(e.params) || made > len(to.params) {
			return fmt.Errorf("convert.tbl: %s: more parameters than %s has", c.event, to.id)
		}
		for _, a := range c.args {
			limit := c.params
			if strings.HasPrefix(a.from, "enter") {
				if e.code%2 == 0 {
					return fmt.Errorf("convert.tbl: %s is not an exit event", c.event)
				}
				limit = len(t.events[e.code-1].params)
			}
			if a.index >= max(limit, 1) {
				return fmt.Errorf("convert.tbl: %s: no %s%d", c.event, a.from, a.index)
			}
		}
	}
	return nil
}

func goConvert(t *tables, b *bytes.Buffer) {
	b.WriteString("// Conversions is convert.tbl, by event and number of parameters.\nvar Conversions = []Conversion{\n")
	for _, c := range t.conversions {
		to := c.event
		if c.to != "" {
			to = c.to
		}
		fmt.Fprintf(b, "{%s, %d, %s, %s, ", camel(c.event), c.params, convertActions[c.action], camel(to))
		if len(c.args) == 0 {
			b.WriteString("nil},\n")
			continue
		}
		b.WriteString("[]ConvertArg{")
		for i, a := range c.args {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(b, "{%s, %d}", convertSources[a.from], a.index)
		}
		b.WriteString("}},\n")
	}
	b.WriteString("}\n")
}
