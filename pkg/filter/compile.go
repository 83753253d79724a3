// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/falco-go/falco/pkg/field"
	"github.com/falco-go/falco/pkg/schema"
)

// Fields is where a compiler finds the fields that texts name. Package field is
// one, tests bring their own.
type Fields interface {
	// Parse reads a whole token: a field with or without argument.
	Parse(token string) (*field.Ref, error)
	// Longest reads the longest prefix of text that is a field.
	Longest(text string) (*field.Ref, int, bool)
}

// Catalogue is the Fields of package field.
type Catalogue struct{}

// Parse implements Fields.
func (Catalogue) Parse(token string) (*field.Ref, error) { return field.Parse(token) }

// Longest implements Fields.
func (Catalogue) Longest(text string) (*field.Ref, int, bool) { return field.Longest(text) }

// A Compiler makes one program of all conditions that it is given. Values are
// read once an event, however many conditions ask for them, and equal parts of
// conditions are evaluated once.
type Compiler struct {
	Fields   Fields
	Strict   bool      // as the original, with its QUIRKs
	Warnings []Warning // grows with each Compile; the caller empties it

	graph
	fill  []source // by slot
	index map[string]*operand
	macro map[Expr]lowered     // what macros have been made into
	refs  []*field.Ref         // fields read by the condition being compiled
	plain map[*field.Ref]int32 // the slot of each field

	visits int32 // how many stages of choices can be reached on several ways
}

// Warning is something odd in a condition that compiles.
type Warning struct {
	Pos Pos
	Msg string
}

func (c *Compiler) warn(pos Pos, format string, args ...any) {
	c.Warnings = append(c.Warnings, Warning{pos, fmt.Sprintf(format, args...)})
}

// Program is a compiled condition.
type Program struct {
	root nodeID
	Refs []*field.Ref // the fields that it reads
}

// Match evaluates p on the scene of env.
func (p *Program) Match(env *Env) bool { return env.eval(p.root) }

// Compile checks names and types in e and makes a program. Macros must have been
// expanded. Its errors are *Error.
func (c *Compiler) Compile(e Expr) (Program, error) {
	c.init()
	c.refs = nil
	root, err := c.expr(e)
	if err != nil {
		return Program{}, err
	}
	c.nodes[root].refs++
	var refs []*field.Ref
	for _, r := range c.refs {
		if !slices.Contains(refs, r) {
			refs = append(refs, r)
		}
	}
	return Program{root, refs}, nil
}

// lowered is what a part of a macro has become, and what was said about it: that
// is said again for each condition that the macro is put into.
type lowered struct {
	id       nodeID
	warnings []Warning
	refs     []*field.Ref
}

// expr makes e a node.
func (c *Compiler) expr(e Expr) (nodeID, error) {
	pos := e.At()
	if pos.Src == nil || pos.Src.Name == "" {
		return c.lower(e)
	}
	// The trees of macros are shared by the conditions that use them.
	if l, ok := c.macro[e]; ok {
		c.Warnings, c.refs = append(c.Warnings, l.warnings...), append(c.refs, l.refs...)
		return l.id, nil
	}
	warnings, refs := len(c.Warnings), len(c.refs)
	id, err := c.lower(e)
	if err != nil || c.nodes[id].order {
		return id, err
	}
	if c.macro == nil {
		c.macro = map[Expr]lowered{}
	}
	l := lowered{id: id, warnings: slices.Clone(c.Warnings[warnings:])}
	for _, r := range c.refs[refs:] {
		if !slices.Contains(l.refs, r) {
			l.refs = append(l.refs, r)
		}
	}
	c.macro[e] = l
	return id, nil
}

func (c *Compiler) lower(e Expr) (id nodeID, err error) {
	switch e := e.(type) {
	case *And:
		var kids []nodeID
		if kids, err = c.exprs(e.Kids); err == nil {
			id = c.and(kids)
		}
	case *Or:
		var kids []nodeID
		if kids, err = c.exprs(e.Kids); err == nil {
			id = c.or(kids)
		}
	case *Not:
		if id, err = c.expr(e.Kid); err == nil {
			id = c.not(id)
		}
	case *Check:
		id, err = c.check(e)
	case *Ident:
		return never, &Error{Pos: e.Pos, Msg: fmt.Sprintf("Undefined macro '%s' used in filter.", e.Name), At: e.Name}
	default:
		return never, fmt.Errorf("no way to compile %T", e)
	}
	if err == nil {
		c.mark(id, e)
	}
	return id, err
}

func (c *Compiler) exprs(kids []Expr) ([]nodeID, error) {
	out := make([]nodeID, len(kids))
	for i, k := range kids {
		id, err := c.expr(k)
		if err != nil {
			return nil, err
		}
		out[i] = id
	}
	return out, nil
}

// operand is a field or call that has been looked up: where its values are, and
// what they are like.
type operand struct {
	slot  int
	typ   field.Type
	fmt   schema.Format
	list  bool    // the value is a list
	multi bool    // several values, any of which may satisfy a check
	typed bool    // it depends on the type of the event alone
	order bool    // it counts for itself: it must not be read more or less often than the condition says
	late  bool    // what a runtime tells is in it, perhaps later than the event
	keeps []int32 // slots whose values have to be kept to make those of this one later
	cost  float32
	name  string
	ref   *field.Ref   // if it is a plain field
	refs  []*field.Ref // the fields inside
}

// ends reports whether the values are the ends of a connection: != then means
// that neither is equal.
func (o *operand) ends() bool {
	return o.multi && (o.typ == field.IP || o.typ == field.IPNet || o.typ == field.Port)
}

// operand looks o up. In a call, not all fields can be used.
func (c *Compiler) operand(o Operand, inCall bool) (*operand, error) {
	key := string(appendKey(nil, o))
	v := c.index[key]
	if v == nil {
		var err error
		if v, err = c.newOperand(o); err != nil {
			return nil, err
		}
		if c.index == nil {
			c.index = map[string]*operand{}
		}
		if !v.order {
			c.index[key] = v
		}
	}
	if inCall && v.ref != nil && v.ref.Def.Has(field.NoTransform) {
		return nil, &Error{Pos: o.At(), Msg: fmt.Sprintf("field '%s' does not support transformers", v.name)}
	}
	c.refs = append(c.refs, v.refs...)
	return v, nil
}

func (c *Compiler) newOperand(o Operand) (*operand, error) {
	switch o := o.(type) {
	case *Field:
		ref, err := c.Fields.Parse(o.Token())
		if err != nil {
			e := &Error{Pos: o.Pos, Msg: err.Error()}
			if _, ok := err.(*field.UnknownError); ok {
				e.Unknown = o.Token()
			}
			return nil, e
		}
		v := c.addSlot(operand{typ: ref.Type, fmt: ref.Fmt, list: ref.List(), multi: ref.Def.Has(field.Multi),
			typed: typeAlone(ref.Def), cost: readCost(ref), name: o.Token(), ref: ref, refs: []*field.Ref{ref}}, nil)
		if c.plain == nil {
			c.plain = map[*field.Ref]int32{}
		}
		c.plain[ref] = int32(v.slot)
		c.fill[v.slot] = source{get: ref.Def.Get, arg: &ref.Arg, def: ref.Def}
		return v, nil
	case *Literal:
		typ, l := field.String, field.Value{Str: o.Text}
		if o.Number {
			n, err := strconv.ParseInt(o.Text, 0, 64)
			if err != nil {
				return nil, &Error{Pos: o.Pos, Msg: o.Text + " is not a valid number"}
			}
			typ, l.Num = field.Int64, uint64(n)
		}
		return c.addSlot(operand{typ: typ, name: o.Text}, func(_ *Env, s *slot) { s.vals = append(s.vals, l) }), nil
	case *Call:
		return c.call(o)
	case *Tuple:
		return nil, &Error{Pos: o.Pos, Msg: "a list of values can only be an argument of join() or getopt()"}
	}
	return nil, fmt.Errorf("no way to compile %T", o)
}

func (c *Compiler) addSlot(v operand, f filler) *operand {
	v.slot = len(c.fill)
	for _, r := range v.refs {
		v.order = v.order || r.Def.Has(field.Stateful)
		v.late = v.late || r.Def.Has(field.Metadata)
	}
	switch {
	case v.late:
		for _, r := range v.refs {
			if !r.Def.Has(field.Metadata) {
				v.keeps = append(v.keeps, c.plain[r])
			}
		}
	case len(v.refs) > 0: // else it says the same of all events
		v.keeps = []int32{int32(v.slot)}
	}
	c.fill = append(c.fill, source{fill: f})
	return &v
}

// appendKey writes o so that equal keys mean equal operands; the canonical text
// does not do that, because it leaves quotes away.
func appendKey(b []byte, o Operand) []byte {
	all := func(args []Operand) {
		for _, a := range args {
			b = appendKey(b, a)
			b = append(b, ',')
		}
		b = append(b, ')')
	}
	switch o := o.(type) {
	case *Field:
		b = append(b, o.Name...)
		if o.HasArg {
			b = strconv.AppendQuote(append(b, '['), o.Arg)
		}
	case *Literal:
		if o.Number {
			b = append(b, '#')
		}
		b = strconv.AppendQuote(b, o.Text)
	case *Tuple:
		b = append(b, '(')
		all(o.Items)
	case *Call:
		b = append(append(b, o.Fn...), '(')
		all(o.Args)
		if o.HasArg {
			b = strconv.AppendQuote(append(b, '['), o.Arg)
		}
	}
	return b
}

func doubleBits(f float64) uint64 { return math.Float64bits(f) }

// Getter reads a field or call outside of a condition: the parts of an output.
type Getter struct{ v *operand }

// Getter looks o up.
func (c *Compiler) Getter(o Operand) (Getter, error) {
	c.refs = nil
	v, err := c.operand(o, false)
	return Getter{v}, err
}

// FieldGetter makes a getter for a field that has been looked up already.
func (c *Compiler) FieldGetter(ref *field.Ref) (Getter, error) {
	if ref.Def.Print != nil {
		return c.printed(ref), nil
	}
	name := ref.Def.Name
	f := &Field{Name: name}
	if len(ref.Token) > len(name) && ref.Token[len(name)] == '[' {
		f.Arg, f.HasArg = ref.Token[len(name)+1:len(ref.Token)-1], true
	} else {
		f.Name = ref.Token
	}
	return c.Getter(f)
}

// printed makes a getter for a field that means something else in an output than
// in a condition: it has a slot of its own.
func (c *Compiler) printed(ref *field.Ref) Getter {
	key := "print " + ref.Token
	v := c.index[key]
	if v == nil {
		v = c.addSlot(operand{typ: ref.Type, fmt: ref.Fmt, name: ref.Token, ref: ref, refs: []*field.Ref{ref}},
			func(env *Env, s *slot) { s.vals = ref.OutputValues(env.scene, s.vals) })
		if c.index == nil {
			c.index = map[string]*operand{}
		}
		c.index[key] = v
	}
	return Getter{v}
}

// Values returns the values in the scene of env. They are views of it.
func (g Getter) Values(env *Env) []field.Value { return env.get(g.v.slot) }

// Type returns the type of the values.
func (g Getter) Type() field.Type { return g.v.typ }

// Fmt returns how a number is printed.
func (g Getter) Fmt() schema.Format { return g.v.fmt }

// List reports whether the values make up a list.
func (g Getter) List() bool { return g.v.list }

// Refs returns the fields that the getter reads: itself, or those within the call.
func (g Getter) Refs() []*field.Ref { return g.v.refs }

// Ref returns the field if g is a plain one.
func (g Getter) Ref() (*field.Ref, bool) { return g.v.ref, g.v.ref != nil }
