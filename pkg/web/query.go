// SPDX-License-Identifier: Apache-2.0

package web

import (
	"slices"
	"strings"
)

// Query says which events are meant: those between two times that fulfil all
// conditions. The zero value means all.
type Query struct {
	From, To int64 // microseconds, [From, To); 0 is open
	Conds    []Cond
}

// Cond is one condition: the field is (or, with Not, is not) one of the values.
// An event without the field fulfils only those with Not.
type Cond struct {
	Field  string // one of dims, "text", "state", "uuid", or "field.NAME"
	Op     Op
	Values []string
	Not    bool
}

// Op compares.
type Op uint8

// Values of Op. A value of Is that holds a * matches as a pattern, in any case.
const (
	Is Op = iota
	AtLeast
	AtMost
)

// dims are the fields that the store knows by number and can count.
var dims = []string{"rule", "priority", "source", "host", "tag", "ns", "pod", "image"}

// Match reports whether e is meant. It is how live events are chosen, and says
// in Go what the stores say in SQL.
func (q *Query) Match(e *Event) bool {
	if e.Time < q.From || q.To != 0 && e.Time >= q.To {
		return false
	}
	for i := range q.Conds {
		if q.Conds[i].match(e) == q.Conds[i].Not {
			return false
		}
	}
	return true
}

func (c *Cond) match(e *Event) bool {
	switch c.Field {
	case "text":
		text := strings.ToLower(e.text())
		return slices.ContainsFunc(c.Values, func(v string) bool { return strings.Contains(text, strings.ToLower(v)) })
	case "priority":
		return slices.ContainsFunc(c.Values, func(v string) bool {
			p, err := ParsePriority(v)
			switch {
			case err != nil:
				return c.Op == Is && strings.Contains(v, "*") && globMatch(v, e.Priority.String())
			case c.Op == AtLeast:
				return e.Priority >= p
			case c.Op == AtMost:
				return e.Priority <= p
			}
			return e.Priority == p
		})
	case "tag":
		return slices.ContainsFunc(e.Tags, c.is)
	case "state":
		return c.is(e.State.String())
	case "uuid":
		return c.is(e.UUID)
	}
	if name, ok := strings.CutPrefix(c.Field, "field."); ok {
		v := e.Field(name)
		return v != "" && c.is(v)
	}
	v := e.dim(c.Field)
	return v != "" && c.is(v)
}

func (e *Event) dim(name string) string {
	switch name {
	case "rule":
		return e.Rule
	case "priority":
		return e.Priority.String()
	case "source":
		return e.Source
	case "host":
		return e.Host
	case "ns":
		return e.NS
	case "pod":
		return e.Pod
	case "image":
		return e.Image
	}
	return ""
}

func (c *Cond) is(v string) bool {
	return slices.ContainsFunc(c.Values, func(want string) bool {
		if strings.Contains(want, "*") {
			return globMatch(want, v)
		}
		return want == v
	})
}

// globMatch reports whether s has the form of pattern, in which * is any text.
// Letters of ASCII are equal in both cases, as SQL's LIKE has it.
func globMatch(pattern, s string) bool {
	parts := strings.Split(lowerASCII(pattern), "*")
	s = lowerASCII(s)
	if !strings.HasPrefix(s, parts[0]) {
		return false
	}
	s = s[len(parts[0]):]
	last := len(parts) - 1
	for _, p := range parts[1:last] {
		i := strings.Index(s, p)
		if i < 0 {
			return false
		}
		s = s[i+len(p):]
	}
	return strings.HasSuffix(s, parts[last])
}

func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// without returns q less the conditions that ask for values of a dimension: what
// a list of its values is made of, so that one can choose a second one.
func (q *Query) without(dim string) *Query {
	out := &Query{From: q.From, To: q.To}
	for _, c := range q.Conds {
		if c.Field != dim || c.Not {
			out.Conds = append(out.Conds, c)
		}
	}
	return out
}
