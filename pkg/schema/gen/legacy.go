// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"strings"
)

// legacyTable is legacy.tbl.
type legacyTable struct {
	events, calls int // that the reader knows: codes below these
	rows          []legacyRow
}

type legacyRow struct {
	exit, written string
	keep          int
	enter         string
	from          []int // -1 where nobody knows
}

func (t *tables) readLegacy(r *reader) {
	l := &t.legacy
	for words, _, ok := r.next(); ok; words, _, ok = r.next() {
		switch {
		case words[0] == "reader" && len(words) == 3:
			l.events, l.calls = int(r.num(words[1])), int(r.num(words[2]))
		case len(words) == 5:
			row := legacyRow{exit: words[0], written: words[1], keep: int(r.num(words[2])), enter: words[3]}
			if words[4] != "-" {
				for _, w := range strings.Split(words[4], ",") {
					n := -1
					if w != "-" {
						n = int(r.num(w))
					}
					row.from = append(row.from, n)
				}
			}
			l.rows = append(l.rows, row)
		default:
			panic(r.errorf("not a line of this table: %q", words))
		}
	}
}

// checkLegacy finds rows that name what is not there, or what the reader does
// not know.
func (t *tables) checkLegacy() error {
	byID := map[string]*event{}
	for i := range t.events {
		byID[t.events[i].id] = &t.events[i]
	}
	seen := map[string]bool{}
	for _, row := range t.legacy.rows {
		exit, written, enter := byID[row.exit], byID[row.written], byID[row.enter]
		switch {
		case exit == nil || written == nil || enter == nil && row.enter != "-":
			return fmt.Errorf("legacy.tbl: %s: no event %q, %q or %q", row.exit, row.exit, row.written, row.enter)
		case seen[row.exit]:
			return fmt.Errorf("legacy.tbl: %s: twice", row.exit)
		case written.code >= t.legacy.events || enter != nil && enter.code >= t.legacy.events:
			return fmt.Errorf("legacy.tbl: %s: the reader knows events below %d only", row.exit, t.legacy.events)
		case row.keep > len(written.params) || row.keep > len(exit.params):
			return fmt.Errorf("legacy.tbl: %s: %d parameters are more than there are", row.exit, row.keep)
		case enter == nil && len(row.from) > 0, enter != nil && len(row.from) > len(enter.params):
			return fmt.Errorf("legacy.tbl: %s: more sources than parameters of %s", row.exit, row.enter)
		}
		for _, n := range row.from {
			if n >= len(exit.params) {
				return fmt.Errorf("legacy.tbl: %s: no parameter %d", row.exit, n)
			}
		}
		seen[row.exit] = true
	}
	return nil
}

func goLegacy(t *tables, b *bytes.Buffer) {
	fmt.Fprintf(b, "// What readers of early 2022 know: codes below these.\nconst (\n")
	fmt.Fprintf(b, "LegacyEvents EventType = %d\nLegacyCalls SyscallCode = %d\n)\n\n", t.legacy.events, t.legacy.calls)
	b.WriteString("// Legacies tells how events are written for them, by code; rows without Known say nothing.\n")
	b.WriteString("var Legacies = [NumEvents]Legacy{\n")
	for _, row := range t.legacy.rows {
		enter := "NumEvents"
		if row.enter != "-" {
			enter = camel(row.enter)
		}
		fmt.Fprintf(b, "%s: {true, %s, %d, %s, ", camel(row.exit), camel(row.written), row.keep, enter)
		if len(row.from) == 0 {
			b.WriteString("nil},\n")
			continue
		}
		b.WriteString("[]int8{")
		for i, n := range row.from {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprint(b, n)
		}
		b.WriteString("}},\n")
	}
	b.WriteString("}\n")
}
