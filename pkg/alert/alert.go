// SPDX-License-Identifier: Apache-2.0

// Package alert turns what a rule has found into a finished record, and the
// record into the line that leaves the program.
//
// An Alert owns every byte: it is made while the event's views are alive and
// goes on living in the queues of the outputs long after the ring has moved on.
// Whoever fills one clones the strings that come from an event or the state.
package alert

import (
	"sort"
	"time"
)

// Alert is one finished record.
type Alert struct {
	ID       ID     // of this alert among all; may be none
	TimeNs   uint64 // of the event, ns since the epoch
	Rule     string
	Source   string   // "syscall", or Internal
	Severity Severity // 0 is the worst
	Message  string   // the rule's output with its fields filled in, without time and priority
	Tags     []string
	Fields   []Field // what the output named; order does not matter
}

// Internal is the source of the alerts that the daemon itself raises. They
// carry no tags, and their output is the message alone.
const Internal = "internal"

// Field is one entry of output_fields. Value is nil (no value), bool, int64,
// uint64, float64, string, or []any of these.
type Field struct {
	Key   string
	Value any
}

// Severity is the priority of a rule as syslog counts it: 0 emergency to 7 debug.
type Severity uint8

var severities = [...]string{"Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug"}

// String returns the name as alerts print it.
func (s Severity) String() string {
	if int(s) >= len(severities) {
		return "Debug"
	}
	return severities[s]
}

// Style says how alerts are written: as text or JSON, and with what inside.
type Style struct {
	JSON    bool
	ISO8601 bool // text times as UTC date and time

	Output, Message, Fields, Tags, UUID bool // keys of the JSON object

	Hostname string
	Location *time.Location // of text times; nil means the local zone
}

// Append appends the line of a to dst, without a newline at its end and without
// one inside.
func (s *Style) Append(dst []byte, a *Alert) []byte {
	if s.JSON {
		return s.appendJSON(dst, a)
	}
	return s.appendText(dst, a)
}

// sorted returns fields in byte order of their keys; the first of two equal
// keys stays.
func sorted(fields []Field) []Field {
	out := append(make([]Field, 0, len(fields)+1), fields...)
	sort.SliceStable(out, func(i, j int) bool { return out[i].Key < out[j].Key })
	n := 0
	for i := range out {
		if n > 0 && out[n-1].Key == out[i].Key {
			continue
		}
		out[n] = out[i]
		n++
	}
	return out[:n]
}
