// SPDX-License-Identifier: Apache-2.0

package web

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// The language of the search box. All terms must hold.
//
//	query  = { term }
//	term   = [ "-" ] ( name op value | text )
//	op     = ":" | "=" | "!=" | ">=" | "<=" | ">" | "<"     the last four: priority only
//	value  = text | "(" text { [ "OR" ] text } ")"
//	text   = word | '"' { any | '\"' | '\\' } '"'
//	name   = rule, priority, source, host, tag, ns, pod, image, state, uuid or an output field
//
// A word with a * in it is a pattern in a value, and plain text elsewhere.

// SyntaxError says where a query cannot be understood.
type SyntaxError struct {
	Pos int    `json:"position"` // in runes, from 0
	Msg string `json:"message"`
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("at %d: %s", e.Pos+1, e.Msg) }

const (
	maxQuery = 4096 // bytes
	maxTerms = 64
)

var (
	fieldName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.\-]*(\[[A-Za-z0-9_./*:\-]*\])?$`)
	aliases   = map[string]string{"hostname": "host", "tags": "tag", "namespace": "ns", "prio": "priority",
		"k8s.ns.name": "ns", "k8s.pod.name": "pod", "container.image.repository": "image"}
	ops = []string{"!=", ">=", "<=", ":", "=", ">", "<"}
)

type queryParser struct {
	all, rest string
}

// ParseQuery reads what was typed into the search box.
func ParseQuery(s string) ([]Cond, error) {
	if len(s) > maxQuery {
		return nil, &SyntaxError{0, fmt.Sprintf("the query has %d bytes; the limit is %d", len(s), maxQuery)}
	}
	if !utf8.ValidString(s) {
		return nil, &SyntaxError{0, "the query is not UTF-8"}
	}
	p := &queryParser{s, s}
	var out []Cond
	for p.skip(); p.rest != ""; p.skip() {
		if len(out) == maxTerms {
			return nil, p.fail("more than %d terms", maxTerms)
		}
		c, err := p.term()
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func (p *queryParser) fail(format string, args ...any) error {
	return &SyntaxError{utf8.RuneCountInString(p.all[:len(p.all)-len(p.rest)]), fmt.Sprintf(format, args...)}
}

func (p *queryParser) skip() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

func (p *queryParser) take(s string) bool {
	rest, ok := strings.CutPrefix(p.rest, s)
	p.rest = rest
	return ok
}

func (p *queryParser) term() (Cond, error) {
	not := false
	if len(p.rest) > 1 && p.rest[0] == '-' && p.rest[1] != ' ' {
		not, p.rest = true, p.rest[1:]
	}
	if p.rest[0] != '"' {
		if name, op := p.name(); name != "" {
			start := p.rest
			p.rest = p.rest[len(name)+len(op):]
			values, err := p.values()
			if err != nil {
				return Cond{}, err
			}
			c, err := condition(name, op, values)
			if err != nil {
				p.rest = start
				return Cond{}, p.fail("%v", err)
			}
			c.Not = c.Not != not
			return c, nil
		}
	}
	text, err := p.text(false)
	return Cond{Field: "text", Values: []string{text}, Not: not}, err
}

// name looks for a name and an operator in front, up to the next blank.
func (p *queryParser) name() (name, op string) {
	word := p.rest
	if i := strings.IndexAny(word, " \t\r\n\""); i >= 0 {
		word = word[:i]
	}
	for i := range word {
		for _, op := range ops {
			if strings.HasPrefix(word[i:], op) {
				if fieldName.MatchString(word[:i]) {
					return word[:i], op
				}
				return "", ""
			}
		}
	}
	return "", ""
}

func (p *queryParser) values() ([]string, error) {
	if !p.take("(") {
		v, err := p.text(false)
		return []string{v}, err
	}
	var out []string
	for {
		p.skip()
		switch {
		case p.rest == "":
			return nil, p.fail("a ) is missing")
		case p.take(")"):
			if len(out) == 0 {
				return nil, p.fail("a value is missing")
			}
			return out, nil
		case strings.HasPrefix(p.rest, "OR ") && len(out) > 0:
			p.rest = p.rest[3:]
			continue
		}
		v, err := p.text(true)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
}

func (p *queryParser) text(inList bool) (string, error) {
	if strings.HasPrefix(p.rest, `"`) {
		return p.quoted()
	}
	end := " \t\r\n"
	if inList {
		end += ")"
	}
	word := p.rest
	if i := strings.IndexAny(word, end); i >= 0 {
		word = word[:i]
	}
	if word == "" {
		return "", p.fail("a value is missing")
	}
	p.rest = p.rest[len(word):]
	return word, nil
}

func (p *queryParser) quoted() (string, error) {
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '"' && b.Len() == 0:
			return "", p.fail("a value is missing")
		case c == '"':
			p.rest = p.rest[i+1:]
			return b.String(), nil
		case c == '\\' && i+1 < len(p.rest) && (p.rest[i+1] == '"' || p.rest[i+1] == '\\'):
			i++
			b.WriteByte(p.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", p.fail(`a " is missing`)
}

// condition makes one of its parts, as they come from the search box or from the
// parameters of a request.
func condition(name, op string, values []string) (Cond, error) {
	if a, ok := aliases[name]; ok {
		name = a
	}
	c := Cond{Field: name, Values: values}
	switch op {
	case "!=":
		c.Not = true
	case ">=":
		c.Op = AtLeast
	case "<=":
		c.Op = AtMost
	case ">":
		c.Op, c.Not = AtMost, true
	case "<":
		c.Op, c.Not = AtLeast, true
	}
	if c.Op != Is && name != "priority" {
		return c, fmt.Errorf("%s compares priorities only", op)
	}
	if slices.ContainsFunc(values, func(v string) bool { return len(v) > maxOutput || strings.IndexByte(v, 0) >= 0 }) {
		return c, fmt.Errorf("a value of %s is too long or holds NUL", name)
	}
	switch {
	case name == "priority":
		for _, v := range values {
			if _, err := ParsePriority(v); err != nil && (c.Op != Is || !strings.Contains(v, "*")) {
				return c, err
			}
		}
	case name == "state":
		for _, v := range values {
			if _, err := ParseState(v); err != nil {
				return c, err
			}
		}
	case name == "text", name == "uuid", slices.Contains(dims, name):
	default:
		name = strings.TrimPrefix(name, "field.")
		if !fieldName.MatchString(name) || len(name) > maxName {
			return c, fmt.Errorf("%q is no name of a field", short(name, 64))
		}
		c.Field = "field." + name
	}
	return c, nil
}
