// SPDX-License-Identifier: Apache-2.0

package filter

import "strings"

// There are two ways to print a tree. String makes the canonical text
// (rules-language.md §3.9): one form for all ways of writing the same condition,
// which leaves out quotes that the parser would need. Print makes a text that
// parses to the same tree again.

func (e *And) String() string     { return canonical(e) }
func (e *Or) String() string      { return canonical(e) }
func (e *Not) String() string     { return canonical(e) }
func (e *Ident) String() string   { return canonical(e) }
func (e *Check) String() string   { return canonical(e) }
func (o *Field) String() string   { return canonical(o) }
func (o *Call) String() string    { return canonical(o) }
func (o *Literal) String() string { return canonical(o) }
func (o *Tuple) String() string   { return canonical(o) }

func canonical(n Node) string {
	var p printer
	n.print(&p)
	return string(p.b)
}

// Print returns a text that parses to e again, but for the places.
func Print(e Expr) string {
	p := printer{exact: true}
	e.print(&p)
	return string(p.b)
}

type printer struct {
	b     []byte
	exact bool // keep the quotes
}

func (p *printer) text(s string) { p.b = append(p.b, s...) }

func (e *And) print(p *printer) { p.kids(e.Kids, " and ") }

func (e *Or) print(p *printer) { p.kids(e.Kids, " or ") }

func (p *printer) kids(kids []Expr, between string) {
	p.text("(")
	for i, k := range kids {
		if i > 0 {
			p.text(between)
		}
		k.print(p)
	}
	p.text(")")
}

func (e *Not) print(p *printer) {
	p.text("not ")
	if _, twice := e.Kid.(*Not); twice && p.exact { // "not not" is nothing
		p.text("(")
		defer p.text(")")
	}
	e.Kid.print(p)
}

func (e *Ident) print(p *printer) { p.text(e.Name) }

func (e *Check) print(p *printer) {
	e.Left.print(p)
	p.text(" ")
	p.text(e.Op.String())
	if e.Op == OpExists {
		return
	}
	p.text(" ")
	if e.Mod != ModNone {
		p.text(e.Mod.String())
		p.text(" ")
	}
	e.Right.print(p)
}

func (r *Right) print(p *printer) {
	switch {
	case r.Val:
		p.text("val(")
		r.Of.print(p)
		p.text(")")
		return
	case r.Of != nil:
		r.Of.print(p)
		return
	case !r.List:
		p.value(r.Values[0].Text, r.Values[0].Quoted)
		return
	}
	p.text("(")
	for i, v := range r.Values {
		if i > 0 {
			p.text(", ")
		}
		p.value(v.Text, v.Quoted)
	}
	p.text(")")
}

func (o *Field) print(p *printer) {
	p.text(o.Name)
	p.index(o.Arg, o.HasArg)
}

func (o *Call) print(p *printer) {
	p.text(o.Fn)
	p.args(o.Args)
	p.index(o.Arg, o.HasArg)
}

func (o *Tuple) print(p *printer) { p.args(o.Items) }

func (o *Literal) print(p *printer) { p.value(o.Text, !o.Number) }

func (p *printer) args(args []Operand) {
	p.text("(")
	for i, a := range args {
		if i > 0 {
			p.text(",")
		}
		a.print(p)
	}
	p.text(")")
}

func (p *printer) index(arg string, has bool) {
	if has {
		p.text("[")
		p.value(arg, strings.ContainsAny(arg, "[]") || arg == "")
		p.text("]")
	}
}

// value writes a value bare if it can. Where the tree has to come back, one
// that had quotes keeps them.
func (p *printer) value(s string, quoted bool) {
	if quoted && p.exact || strings.ContainsAny(s, " =\"'\\\b\f\n\r\t") && !(p.exact && bare(s)) {
		p.quote(s)
		return
	}
	p.text(s)
}

// bare reports whether s can be read without quotes.
func bare(s string) bool { return !strings.ContainsAny(s, " =\"'\b\n\r\t") }

func (p *printer) quote(s string) {
	b := append(p.b, '"')
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
	p.b = append(b, '"')
}
