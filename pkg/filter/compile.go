// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/falco-go/falco/pkg/field"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
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

// A Compiler makes programs that share one Env, and in it one slot for each
// field or call, whoever names it: a value is read once an event, however many
// rules ask for it.
type Compiler struct {
	Fields   Fields
	Strict   bool      // as the original, with its QUIRKs
	Warnings []Warning // grows with each Compile; the caller empties it

	fill  []filler
	index map[string]*operand
	refs  []*field.Ref // fields read by the program being compiled
}

// Warning is something odd in a condition that compiles.
type Warning struct {
	Pos Pos
	Msg string
}

func (c *Compiler) warn(pos Pos, format string, args ...any) {
	c.Warnings = append(c.Warnings, Warning{pos, fmt.Sprintf(format, args...)})
}

// filler computes the values of a slot. It may use the memory that the slot has.
type filler func(env *Env, s *slot)

type slot struct {
	turn  uint64
	vals  []field.Value
	buf   []byte   // bytes of values that a call has made
	words []string // of getopt
}

// Env is the memory that programs run in. It belongs to one goroutine and is
// used again for every event, so that an evaluation allocates nothing.
type Env struct {
	scene *state.Scene
	turn  uint64
	fill  []filler
	slots []slot
}

// NewEnv returns the memory for all that c has compiled so far.
func (c *Compiler) NewEnv() *Env {
	return &Env{fill: c.fill, slots: make([]slot, len(c.fill))}
}

// Begin turns to the next scene; values read before are forgotten.
func (e *Env) Begin(s *state.Scene) {
	e.scene = s
	e.turn++
}

// Scene returns the scene that Begin was given last.
func (e *Env) Scene() *state.Scene { return e.scene }

func (e *Env) get(i int) []field.Value {
	s := &e.slots[i]
	if s.turn != e.turn {
		s.turn = e.turn
		s.vals = s.vals[:0]
		e.fill[i](e, s)
	}
	return s.vals
}

// Program is a compiled condition.
type Program struct {
	eval func(*Env) bool
	Refs []*field.Ref // the fields that it reads
}

// Match evaluates p on the scene of env.
func (p *Program) Match(env *Env) bool { return p.eval(env) }

// Compile checks names and types in e and makes a program. Macros must have been
// expanded. Its errors are *Error.
func (c *Compiler) Compile(e Expr) (Program, error) {
	c.refs = nil
	f, err := c.expr(e)
	var refs []*field.Ref
	for _, r := range c.refs {
		if !slices.Contains(refs, r) {
			refs = append(refs, r)
		}
	}
	return Program{f, refs}, err
}

func (c *Compiler) expr(e Expr) (func(*Env) bool, error) {
	switch e := e.(type) {
	case *And:
		kids, err := c.exprs(e.Kids)
		if len(kids) == 2 {
			a, b := kids[0], kids[1]
			return func(env *Env) bool { return a(env) && b(env) }, err
		}
		return func(env *Env) bool {
			for _, k := range kids {
				if !k(env) {
					return false
				}
			}
			return true
		}, err
	case *Or:
		kids, err := c.exprs(e.Kids)
		if len(kids) == 2 {
			a, b := kids[0], kids[1]
			return func(env *Env) bool { return a(env) || b(env) }, err
		}
		return func(env *Env) bool {
			for _, k := range kids {
				if k(env) {
					return true
				}
			}
			return false
		}, err
	case *Not:
		k, err := c.expr(e.Kid)
		return func(env *Env) bool { return !k(env) }, err
	case *Check:
		return c.check(e)
	case *Ident:
		return nil, &Error{Pos: e.Pos, Msg: fmt.Sprintf("Undefined macro '%s' used in filter.", e.Name), At: e.Name}
	}
	return nil, fmt.Errorf("no way to compile %T", e)
}

func (c *Compiler) exprs(kids []Expr) ([]func(*Env) bool, error) {
	out := make([]func(*Env) bool, len(kids))
	for i, k := range kids {
		f, err := c.expr(k)
		if err != nil {
			return nil, err
		}
		out[i] = f
	}
	return out, nil
}

// operand is a field or call that has been looked up: where its values are, and
// what they are like.
type operand struct {
	slot  int
	typ   field.Type
	fmt   schema.Format
	list  bool // the value is a list
	multi bool // several values, any of which may satisfy a check
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
		c.index[key] = v
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
		v := c.add(operand{typ: ref.Type, fmt: ref.Fmt, list: ref.Def.Has(field.List), multi: ref.Def.Has(field.Multi),
			name: o.Token(), ref: ref, refs: []*field.Ref{ref}}, nil)
		get, arg := ref.Def.Get, &ref.Arg
		c.fill[v.slot] = func(env *Env, s *slot) { s.vals = get(env.scene, arg, s.vals) }
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
		return c.add(operand{typ: typ, name: o.Text}, func(_ *Env, s *slot) { s.vals = append(s.vals, l) }), nil
	case *Call:
		return c.call(o)
	case *Tuple:
		return nil, &Error{Pos: o.Pos, Msg: "a list of values can only be an argument of join() or getopt()"}
	}
	return nil, fmt.Errorf("no way to compile %T", o)
}

func (c *Compiler) add(v operand, f filler) *operand {
	v.slot = len(c.fill)
	c.fill = append(c.fill, f)
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
		v = c.add(operand{typ: ref.Type, fmt: ref.Fmt, name: ref.Token, ref: ref, refs: []*field.Ref{ref}},
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
