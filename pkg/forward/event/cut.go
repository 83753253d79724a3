// SPDX-License-Identifier: Apache-2.0

package event

import (
	"strings"
	"unicode/utf8"
)

// Limits are how much of an event a receiver takes. 0 is any.
type Limits struct {
	Event int // bytes of the whole, as JSON
	Field int // bytes of one field
}

// ChatLimits are those that the original applies to everything.
var ChatLimits = Limits{Event: 4096, Field: 512}

// mark ends a text that was cut.
const mark = "[...]"

// Cut returns e, or a shorter event if e is beyond l.Event: each string field that
// is longer than l.Field is cut, in Output too where it stands there, and names that nobody
// gives. If
// that is not enough, the limit of fields is halved until it is, and at last the
// longest of what remains goes: Output is cut, fields are dropped from the end.
func (e *Event) Cut(l Limits) *Event {
	if l.Event <= 0 || e.size() <= l.Event {
		return e
	}
	limit := l.Field
	if limit <= 0 {
		limit = 4096
	}
	c := e.Clone()
	c.Truncated = true
	for ; limit >= 16; limit /= 2 {
		for i, f := range c.Fields {
			if v, ok := f.Value.(string); ok && len(v) > limit {
				cut := Shorten(v, limit)
				c.Fields[i].Value = cut
				c.Output = strings.ReplaceAll(c.Output, v, cut)
			}
		}
		c.cutNames(max(limit, minName))
		if c.size() <= l.Event {
			return c.Seal()
		}
	}
	if over := c.size() - l.Event; over < len(c.Output)-64 {
		c.Output = Shorten(c.Output, len(c.Output)-over)
	} else {
		c.Output = Shorten(c.Output, 64)
	}
	for c.size() > l.Event && len(c.Fields) > 1 {
		c.Fields = c.Fields[:len(c.Fields)/2]
	}
	return c.Seal()
}

// minName is what rules, hosts, sources and tags are left with: no honest one is longer.
const minName = 256

// cutNames cuts the parts that are neither a field nor the text.
func (e *Event) cutNames(limit int) {
	e.Rule, e.Hostname, e.Source = Shorten(e.Rule, limit), Shorten(e.Hostname, limit), Shorten(e.Source, limit)
	for i, t := range e.Tags {
		e.Tags[i] = Shorten(t, limit)
	}
	e.Tags = e.Tags[:min(len(e.Tags), minName)]
}

func (e *Event) size() int { return len(e.JSON()) }

// Shorten returns s if it has at most limit bytes, and else so much of it that it has
// with the mark; no rune is cut in two.
func Shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	n := max(limit-len(mark), 0)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + mark[:min(len(mark), limit)]
}

// ShortenRunes is Shorten where receivers count characters; the mark is one, "…".
func ShortenRunes(s string, limit int) string {
	if len(s) <= limit || utf8.RuneCountInString(s) <= limit {
		return s
	}
	n := 0
	for i := range s {
		if n++; n >= limit {
			return s[:i] + "…"
		}
	}
	return s
}
