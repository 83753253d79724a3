// SPDX-License-Identifier: Apache-2.0

package filter

import "strconv"

// Source is a text that nodes come from: the condition of a rule or macro.
type Source struct {
	Text string
	Name string // of the macro, or "" for a rule's own condition

	// Place, if set, says in which line of which file the word at an offset of Text
	// stands. Text need not stand in one piece in a file, nor look the same there.
	Place func(offset int) (file string, line int)
}

// Pos is where a node begins.
type Pos struct {
	Src    *Source
	Offset int // bytes from the start of Src.Text
	Line   int // from 1
	Column int // from 1, in bytes
}

// Node is a part of the tree: an Expr or what stands inside a check.
type Node interface {
	At() Pos
	// String prints the node in canonical form (rules-language.md §3.9).
	String() string
	print(p *printer)
}

// Where returns the place in a file, "rules.yaml:12, macro open_read", as far as
// the source knows it.
func (p Pos) Where() string {
	if p.Src == nil {
		return ""
	}
	where := ""
	if p.Src.Place != nil {
		file, line := p.Src.Place(p.Offset)
		where = file + ":" + strconv.Itoa(line)
	}
	if p.Src.Name != "" {
		if where != "" {
			where += ", "
		}
		where += "macro " + p.Src.Name
	}
	return where
}

// At returns p; it makes every node that embeds a Pos have a position.
func (p Pos) At() Pos { return p }

// Expr is a condition: And, Or, Not, Ident or Check.
type Expr interface {
	Node
	expr()
}

// And is true if all of its two or more operands are.
type And struct {
	Pos
	Kids []Expr
}

// Or is true if one of its two or more operands is.
type Or struct {
	Pos
	Kids []Expr
}

// Not is true if Kid is false. The parser makes no Not of a Not.
type Not struct {
	Pos
	Kid Expr
}

// Ident is the name of a macro.
type Ident struct {
	Pos
	Name string
}

// Check compares what is on the left with what is on the right.
type Check struct {
	Pos
	Left  Operand
	Op    Op
	Mod   Mod
	Right Right
}

func (*And) expr()   {}
func (*Or) expr()    {}
func (*Not) expr()   {}
func (*Ident) expr() {}
func (*Check) expr() {}

// Right is the right side of a check: nothing (exists), one value, a list of
// values, or an operand.
type Right struct {
	Values []Value
	List   bool    // written as a list in parentheses
	Of     Operand // val(field) or a call; nil if there are literals
	Val    bool    // Of stood in val()
}

// Value is a literal. Its meaning depends on the type that it is compared with.
type Value struct {
	Pos
	Text   string
	Quoted bool
}

// Operand is what has values at run time: Field, Call, Literal or Tuple.
type Operand interface {
	Node
	operand()
}

// Field names a field of the event.
type Field struct {
	Pos
	Name   string
	Arg    string
	HasArg bool // written with [Arg]
}

// Token returns the field as the catalogue knows it.
func (f *Field) Token() string {
	if f.HasArg {
		return f.Name + "[" + f.Arg + "]"
	}
	return f.Name
}

// Call is a transformer with its arguments.
type Call struct {
	Pos
	Fn     string
	Args   []Operand
	Arg    string // of getopt(...)[Arg]
	HasArg bool
}

// Literal is a constant argument of a call.
type Literal struct {
	Pos
	Text   string
	Number bool // written as a number
}

// Tuple is a list of arguments, ( … ), within a call.
type Tuple struct {
	Pos
	Items []Operand
}

func (*Field) operand()   {}
func (*Call) operand()    {}
func (*Literal) operand() {}
func (*Tuple) operand()   {}

// Walk calls f for each expression of e, parents first.
func Walk(e Expr, f func(Expr)) {
	f(e)
	switch e := e.(type) {
	case *And:
		for _, k := range e.Kids {
			Walk(k, f)
		}
	case *Or:
		for _, k := range e.Kids {
			Walk(k, f)
		}
	case *Not:
		Walk(e.Kid, f)
	}
}

// Expand returns e with every Ident replaced by what lookup gives for it. Nodes
// that do not change are shared with e. The first error of lookup ends it.
func Expand(e Expr, lookup func(*Ident) (Expr, error)) (Expr, error) {
	switch e := e.(type) {
	case *Ident:
		return lookup(e)
	case *Not:
		k, err := Expand(e.Kid, lookup)
		if err != nil || k == e.Kid {
			return e, err
		}
		return &Not{e.Pos, k}, nil
	case *And:
		kids, changed, err := expandAll(e.Kids, lookup)
		if err != nil || !changed {
			return e, err
		}
		return &And{e.Pos, kids}, nil
	case *Or:
		kids, changed, err := expandAll(e.Kids, lookup)
		if err != nil || !changed {
			return e, err
		}
		return &Or{e.Pos, kids}, nil
	}
	return e, nil
}

func expandAll(kids []Expr, lookup func(*Ident) (Expr, error)) ([]Expr, bool, error) {
	out, changed := make([]Expr, len(kids)), false
	for i, k := range kids {
		n, err := Expand(k, lookup)
		if err != nil {
			return nil, false, err
		}
		out[i] = n
		changed = changed || n != k
	}
	return out, changed, nil
}

// EachField calls f for each field that c names, left and right, also within calls.
func EachField(c *Check, f func(*Field)) {
	operandFields(c.Left, f)
	if c.Right.Of != nil {
		operandFields(c.Right.Of, f)
	}
}

func operandFields(o Operand, f func(*Field)) {
	switch o := o.(type) {
	case *Field:
		f(o)
	case *Call:
		for _, a := range o.Args {
			operandFields(a, f)
		}
	case *Tuple:
		for _, a := range o.Items {
			operandFields(a, f)
		}
	}
}
