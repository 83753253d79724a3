// SPDX-License-Identifier: Apache-2.0

// Package field is the catalogue of the names that a rule may use: what each
// is called, what kind of value it has, and how it is read from a Scene.
//
// Catalogue lists them all, one file a prefix (evt.go, proc.go, …), concatenated
// by hand in one place (catalogue.go). A name together with its argument is a Ref, which Parse
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

	// Text or Number, if set, is a short way to what Get says; ok is false if that is
	// nothing. The text is no view: whoever holds it may compare it with later ones.
	Text   func(s *state.Scene) (text string, ok bool)
	Number func(s *state.Scene) (n uint64, ok bool)

	// Print, if set, is read instead of Get where an output prints the field:
	// few fields mean something else there (proc.apid is the process itself).
	Print func(s *state.Scene, a *Arg, out []Value) []Value

	// Bind, if set, checks and resolves an argument when the rule is loaded (it
	// may fill Arg.Index, Arg.Data and Ref.Type). A nil Bind accepts what Args says.
	Bind func(r *Ref) error

	// dots returns the longest prefix of name that is a valid .name argument.
	dots func(name string) (string, error)
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
	PrintOnly                      // a condition may not use it (evt.outputtime)
	Stateful                       // each Ref counts for itself: never share or cache a value (evt.deltatime)
	JSONNum                        // its JSON form is Value.Num although it is text (evt.time)
	AtMost                         // "=" holds if the value is at most the literal, no other operator (evt.around)
	HostName                       // compare Value.IP with the addresses of a name (fd.sip.name)
	Realpath                       // reads event.ExtRealpath, which the module tells on request
	Metadata                       // what the runtime tells of Scene.Container, perhaps later than the event; reads nothing else of an event ...
	Lineage                        // ... but for Scene.Lineage
)

// Has reports whether all of x are set.
func (t Traits) Has(x Traits) bool { return t&x == x }

// Arg is the argument of a Ref.
type Arg struct {
	Text  string // as written, without brackets or dot; "" if there is none
	Given bool
	Index int // of an ArgIndex argument; -1 if none
	Data  any // what Bind keeps for Get

	buf  []byte // for texts that have to be composed; see Ref
	tail []byte // for texts that are made from one in buf
	cuts []int  // where buf is cut into several texts
	last uint64 // for fields that count by themselves (Stateful)
}

// Ref is a field with its argument: what a condition or an output names.
//
// A Ref keeps the buffer in which it composes texts: it belongs to one
// goroutine, and what it gave lives until it is read for another Scene.
type Ref struct {
	Token string // as written: "proc.aname[2]"
	Def   *Def
	Type  Type // Def.Type, unless the argument decides (evt.rawarg)
	Fmt   schema.Format
	Arg   Arg
}

// List reports whether the value is a list. With an index the field is one
// element of it.
func (r *Ref) List() bool { return r.Def.Has(List) && r.Arg.Index < 0 }

// Values reads the field from s for a condition, appending to out.
func (r *Ref) Values(s *state.Scene, out []Value) []Value { return r.Def.Get(s, &r.Arg, out) }

// OutputValues reads the field from s for an output, appending to out. A field
// that only conditions can use gives no value.
func (r *Ref) OutputValues(s *state.Scene, out []Value) []Value {
	if r.Def.Has(FilterOnly) {
		return out
	}
	if r.Def.Print != nil {
		return r.Def.Print(s, &r.Arg, out)
	}
	return r.Def.Get(s, &r.Arg, out)
}
