// SPDX-License-Identifier: Apache-2.0

package filter

import "strings"

// Printing makes the canonical text of a tree (rules-language.md §3.9): one form
// for all ways of writing the same condition. Parsing it gives the same tree
// again, unless a value has parentheses or commas inside, which it leaves bare.

func (e *And) String() string     { return string(e.appendTo(nil)) }
func (e *Or) String() string      { return string(e.appendTo(nil)) }
func (e *Not) String() string     { return string(e.appendTo(nil)) }
func (e *Ident) String() string   { return string(e.appendTo(nil)) }
func (e *Check) String() string   { return string(e.appendTo(nil)) }
func (o *Field) String() string   { return string(o.appendTo(nil)) }
func (o *Call) String() string    { return string(o.appendTo(nil)) }
func (o *Literal) String() string { return string(o.appendTo(nil)) }
func (o *Tuple) String() string   { return string(o.appendTo(nil)) }

func (e *And) appendTo(b []byte) []byte { return appendKids(b, e.Kids, " and ") }

func (e *Or) appendTo(b []byte) []byte { return appendKids(b, e.Kids, " or ") }

func appendKids(b []byte, kids []Expr, between string) []byte {
	b = append(b, '(')
	for i, k := range kids {
		if i > 0 {
			b = append(b, between...)
		}
		b = k.appendTo(b)
	}
	return append(b, ')')
}

func (e *Not) appendTo(b []byte) []byte { return e.Kid.appendTo(append(b, "not "...)) }

func (e *Ident) appendTo(b []byte) []byte { return append(b, e.Name...) }

func (e *Check) appendTo(b []byte) []byte {
	b = e.Left.appendTo(b)
	b = append(b, ' ')
	b = append(b, e.Op.String()...)
	if e.Op == OpExists {
		return b
	}
	b = append(b, ' ')
	if e.Mod != ModNone {
		b = append(b, e.Mod.String()...)
		b = append(b, ' ')
	}
	return e.Right.appendTo(b)
}

func (r *Right) appendTo(b []byte) []byte {
	switch {
	case r.Val:
		b = append(b, "val("...)
		return append(r.Of.appendTo(b), ')')
	case r.Of != nil:
		return r.Of.appendTo(b)
	case !r.List:
		return appendValue(b, r.Values[0].Text)
	}
	b = append(b, '(')
	for i, v := range r.Values {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = appendValue(b, v.Text)
	}
	return append(b, ')')
}

func (o *Field) appendTo(b []byte) []byte { return appendIndex(append(b, o.Name...), o.Arg, o.HasArg) }

func (o *Call) appendTo(b []byte) []byte {
	b = append(b, o.Fn...)
	b = appendArgs(b, o.Args)
	return appendIndex(b, o.Arg, o.HasArg)
}

func (o *Tuple) appendTo(b []byte) []byte { return appendArgs(b, o.Items) }

func (o *Literal) appendTo(b []byte) []byte { return appendValue(b, o.Text) }

func appendArgs(b []byte, args []Operand) []byte {
	b = append(b, '(')
	for i, a := range args {
		if i > 0 {
			b = append(b, ',')
		}
		b = a.appendTo(b)
	}
	return append(b, ')')
}

func appendIndex(b []byte, arg string, has bool) []byte {
	if !has {
		return b
	}
	b = append(b, '[')
	b = appendValue(b, arg)
	return append(b, ']')
}

// appendValue writes a value bare if it can.
func appendValue(b []byte, s string) []byte {
	if !strings.ContainsAny(s, " =\"'\\\b\f\n\r\t") {
		return append(b, s...)
	}
	return appendQuoted(b, s)
}

func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '\b':
			b = append(b, `\b`...)
		case '\f':
			b = append(b, `\f`...)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		case '\\', '"':
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
