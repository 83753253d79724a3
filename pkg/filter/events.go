// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"math/bits"
	"sort"
	"strconv"

	"github.com/falco-go/falco/pkg/schema"
)

// bitset has room for every event type and every system-call code.
type bitset [8]uint64

func (b *bitset) set(i int) { b[i>>6] |= 1 << (i & 63) }

func (b *bitset) has(i int) bool { return uint(i) < 512 && b[i>>6]&(1<<(i&63)) != 0 }

func (b *bitset) count() (n int) {
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

// EventSet says which events a condition can match: those of its types, and of
// the system calls without a type of their own those in its calls.
type EventSet struct {
	types bitset // the generic types are in it if one of their calls is
	calls bitset
}

// AllEvents is the set that excludes nothing.
var AllEvents = func() (s EventSet) {
	for i := range schema.Events {
		s.types.set(i)
	}
	for i := range schema.Syscalls {
		s.calls.set(i)
	}
	return s
}()

var genericCalls = func() (b bitset) {
	for i := range schema.Syscalls {
		if schema.Syscalls[i].Exit == schema.GenericX {
			b.set(i)
		}
	}
	return b
}()

// HasType reports whether events of type t can match.
func (s *EventSet) HasType(t schema.EventType) bool { return s.types.has(int(t)) }

// HasCall reports whether events of the system call can match.
func (s *EventSet) HasCall(c schema.SyscallCode) bool { return s.calls.has(int(c)) }

// Len returns how many event types are in s.
func (s *EventSet) Len() int { return s.types.count() }

// Types returns the event types in s, in rising order.
func (s *EventSet) Types() []schema.EventType {
	var out []schema.EventType
	for i := range schema.Events {
		if s.types.has(i) {
			out = append(out, schema.EventType(i))
		}
	}
	return out
}

// Calls returns the system calls in s, in rising order.
func (s *EventSet) Calls() []schema.SyscallCode {
	var out []schema.SyscallCode
	for i := range schema.Syscalls {
		if s.calls.has(i) {
			out = append(out, schema.SyscallCode(i))
		}
	}
	return out
}

// Names returns the names of the events in s, sorted, as evt.type prints them.
func (s *EventSet) Names() []string {
	seen := map[string]bool{}
	for i := range schema.Events {
		t := schema.EventType(i)
		if s.types.has(i) && t != schema.GenericE && t != schema.GenericX {
			seen[schema.Events[i].Name] = true
		}
	}
	for i := range schema.Syscalls {
		if s.calls.has(i) && genericCalls.has(i) {
			seen[schema.Syscalls[i].Name] = true
		}
	}
	out := make([]string, 0, len(seen))
	for n := range seen {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}

// AddType puts events of type t into s.
func (s *EventSet) AddType(t schema.EventType) { s.types.set(int(t)) }

// Union returns what is in one of the two.
func (s EventSet) Union(o EventSet) EventSet {
	for i := range s.types {
		s.types[i] |= o.types[i]
		s.calls[i] |= o.calls[i]
	}
	return s.generic()
}

// Intersect returns what is in both.
func (s EventSet) Intersect(o EventSet) EventSet {
	for i := range s.types {
		s.types[i] &= o.types[i]
		s.calls[i] &= o.calls[i]
	}
	return s.generic()
}

// Complement returns what is not in s.
func (s EventSet) Complement() EventSet {
	for i := range s.types {
		s.types[i] = AllEvents.types[i] &^ s.types[i]
		s.calls[i] = AllEvents.calls[i] &^ s.calls[i]
	}
	return s.generic()
}

// generic makes the generic types follow from the calls.
func (s EventSet) generic() EventSet {
	any := uint64(0)
	for i := range s.calls {
		any |= s.calls[i] & genericCalls[i]
	}
	s.types[schema.GenericE>>6] &^= 1<<(schema.GenericE&63) | 1<<(schema.GenericX&63)
	if any != 0 {
		s.AddType(schema.GenericE)
		s.AddType(schema.GenericX)
	}
	return s
}

// named returns the events called name: all versions of the type and, for a
// system call without a type, that call. "accept" stands for accept4 too, which
// began as another version of it.
func named(name string) (s EventSet) {
	for i := range schema.Events {
		t := schema.EventType(i)
		if n := schema.Events[i].Name; (n == name || name == "accept" && n == "accept4") && t != schema.GenericE && t != schema.GenericX {
			s.types.set(i)
		}
	}
	for i := range schema.Syscalls {
		c := &schema.Syscalls[i]
		if c.Name == name || name == "accept" && c.Name == "accept4" {
			s.calls.set(i)
			if c.Exit != schema.GenericX {
				s.types.set(int(c.Exit))
				s.types.set(int(c.Enter))
			}
		} else if c.Exit != schema.GenericX && s.types.has(int(c.Exit)) {
			s.calls.set(i)
		}
	}
	return s.generic()
}

// IsEventType reports whether o is the field that names the event.
func IsEventType(o Operand) bool {
	f, ok := o.(*Field)
	return ok && !f.HasArg && (f.Name == "evt.type" || f.Name == "syscall.type")
}

// Events infers which events e can match (rules-language.md §7.1).
func Events(e Expr) EventSet {
	s, _ := infer(e)
	return s
}

// infer returns the set of e and that of "not e", which need not be complements:
// a check of any other field can be true and false of every event.
func infer(e Expr) (s, n EventSet) {
	switch e := e.(type) {
	case *And:
		s, n = infer(e.Kids[0])
		for _, k := range e.Kids[1:] {
			ks, kn := infer(k)
			s, n = s.Intersect(ks), n.Union(kn)
		}
		return s, n
	case *Or:
		s, n = infer(e.Kids[0])
		for _, k := range e.Kids[1:] {
			ks, kn := infer(k)
			s, n = s.Union(ks), n.Intersect(kn)
		}
		return s, n
	case *Not:
		s, n = infer(e.Kid)
		return n, s
	case *Check:
		if IsEventType(e.Left) {
			return inferType(e)
		}
		if f, ok := e.Left.(*Field); ok && !f.HasArg && f.Name == "evt.num" {
			return inferNum(e)
		}
	}
	return AllEvents, AllEvents
}

func inferType(e *Check) (s, n EventSet) {
	if e.Op == OpExists {
		return AllEvents, EventSet{}
	}
	if e.Right.Of != nil || e.Mod != ModNone || !e.Op.equal() && e.Op != OpNE && e.Op != OpIn {
		return AllEvents, AllEvents
	}
	for _, v := range e.Right.Values {
		s = s.Union(named(v.Text))
	}
	n = s.Complement()
	if e.Op == OpNE {
		return n, s
	}
	return s, n
}

// inferNum knows the customary ways to say never and always.
func inferNum(e *Check) (s, n EventSet) {
	if e.Right.Of != nil || e.Mod != ModNone {
		return AllEvents, AllEvents
	}
	never, always := false, false
	op := e.Op
	switch {
	case op == OpIn:
		never = true
		for _, v := range e.Right.Values {
			if num, err := strconv.ParseUint(v.Text, 10, 64); err != nil || num != 0 {
				never = false
			}
		}
	case len(e.Right.Values) == 1:
		text := e.Right.Values[0].Text
		if op.equal() && len(text) > 1 && (text[0] == '>' || text[0] == '<') { // EXT 1
			op = OpGE
			if text[0] == '<' {
				op = OpLE
			}
			text = text[1:]
		}
		num, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			break
		}
		never = num == 0 && (op.equal() || op == OpLE) || num == 1 && op == OpLT || num == 0 && op == OpLT
		always = num == 0 && (op == OpNE || op == OpGT || op == OpGE) || num == 1 && op == OpGE
	}
	switch {
	case never:
		return EventSet{}, AllEvents
	case always:
		return AllEvents, EventSet{}
	}
	return AllEvents, AllEvents
}
