// SPDX-License-Identifier: Apache-2.0

// Package field is the catalogue of the names that a rule may use: what each
// is called, what kind of value it has, and how it is read from a Scene.
//
// Catalogue lists them all, one file a prefix (evt.go, proc.go, …), concatenated
// by hand in one place. A name together with its argument is a Ref, which Parse
// makes; reading a Ref allocates nothing unless its text has to be composed.
package field

import (
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// Def is a row of the catalogue.
type Def struct {
	Name string // "proc.name"
	Type Type
	Fmt  schema.Format // how a number is printed
	Args ArgPolicy
	Traits
	Desc string

	// Get appends the values of the field to out: none if the field has no value
	// for this event, several only if Multi or List is among the traits. Strings
	// may be views that live as long as the Scene.
	Get func(s *state.Scene, a *Arg, out []Value) []Value

	// Bind, if set, checks and resolves an argument when the rule is loaded (it
	// may fill Arg.Index, Arg.Data and Ref.Type). A nil Bind accepts what Args says.
	Bind func(r *Ref) error
}

// ArgPolicy says which arguments a field takes.
type ArgPolicy uint8

// Values of ArgPolicy; they can be combined.
const (
	ArgNone     ArgPolicy = 0
	ArgIndex    ArgPolicy = 1 << iota // [N], a decimal number
	ArgKey                            // [text]
	ArgDot                            // .name
	ArgRequired                       // an argument must be given
)

// Traits are the odd properties of a field (rules-language.md §5.1).
type Traits uint16

// Values of Traits.
const (
	List        Traits = 1 << iota // the value is a list: in = every element, intersects = some element
	Multi                          // several values, any of which may satisfy a check (fd.ip, proc.aname)
	FilterOnly                     // an output prints <NA>
	NoRHS                          // not usable in val()
	NoTransform                    // not usable in tolower() and the like
	Deprecated                     // accepted, with a warning
	Hidden                         // not in --list
)

// Has reports whether all of x are set.
func (t Traits) Has(x Traits) bool { return t&x == x }

// Arg is the argument of a Ref.
type Arg struct {
	Text  string // as written, without brackets or dot; "" if there is none
	Given bool
	Index int // of an ArgIndex argument; -1 if none
	Data  any // what Bind keeps for Get
}

// Ref is a field with its argument: what a condition or an output names.
type Ref struct {
	Token string // as written: "proc.aname[2]"
	Def   *Def
	Type  Type // Def.Type, unless the argument decides (evt.rawarg)
	Fmt   schema.Format
	Arg   Arg
}

// Values reads the field from s, appending to out.
func (r *Ref) Values(s *state.Scene, out []Value) []Value { return r.Def.Get(s, &r.Arg, out) }
