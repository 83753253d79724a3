// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"slices"

	"github.com/falco-go/falco/pkg/field"
	"github.com/falco-go/falco/pkg/state"
)

// filler computes the values of a slot. It may use the memory that the slot has.
type filler func(env *Env, s *slot)

// source is where the values of a slot come from: a field, or what a filler computes.
type source struct {
	get  func(*state.Scene, *field.Arg, []field.Value) []field.Value
	arg  *field.Arg
	def  *field.Def
	fill filler
}

type slot struct {
	turn uint64
	vals []field.Value
	source
	buf   []byte   // bytes of values that a call has made
	words []string // of getopt
}

// Env is the memory that programs run in. It belongs to one goroutine and is
// used again for every event, so that an evaluation allocates nothing. Whatever
// it remembers carries the number of the event (turn): a new event makes all of
// it void without touching it.
type Env struct {
	scene   *state.Scene
	turn    uint64
	resumed bool // values of slots are kept ones, and not those of scene

	slots  []slot
	nodes  []node
	memo   []uint64 // turn<<1 and the result
	tables []*table
	looks  []tableState
	visits []uint64 // turn in which a stage was gone through
}

// NewEnv returns the memory for all that c has compiled so far.
func (c *Compiler) NewEnv() *Env {
	c.init()
	memos := c.seal()
	e := &Env{slots: make([]slot, len(c.fill)), nodes: c.nodes, memo: make([]uint64, memos),
		tables: c.tables, looks: make([]tableState, len(c.tables)), visits: make([]uint64, c.visits)}
	for i := range e.slots {
		e.slots[i].source = c.fill[i]
	}
	for i, t := range c.tables {
		l := &e.looks[i]
		l.table = t
		if d := c.fill[t.slot].def; d != nil && t.single && real(d) {
			switch t.kind {
			case whole:
				l.text, l.lastAtom = d.Text, t.words.find("")
			case num:
				l.number = d.Number
			}
		}
	}
	return e
}

// Begin turns to the next scene; what was known of the one before is forgotten.
func (e *Env) Begin(s *state.Scene) {
	e.scene = s
	e.turn++
	e.resumed = false
}

// Scene returns the scene that Begin was given last.
func (e *Env) Scene() *state.Scene { return e.scene }

func (e *Env) get(i int) []field.Value {
	s := &e.slots[i]
	if s.turn != e.turn {
		e.read(s)
	}
	return s.vals
}

func (e *Env) read(s *slot) {
	s.turn = e.turn
	if s.get != nil {
		s.vals = s.get(e.scene, s.arg, s.vals[:0])
		return
	}
	s.vals = s.vals[:0]
	s.fill(e, s)
}

// atom returns the one atom of a single table that fits the event, -1 if none does.
func (e *Env) atom(t int32) int32 {
	s := &e.looks[t]
	if s.turn == e.turn {
		return s.atom
	}
	return e.lookAtom(s)
}

// lookAtom finds what atom returns. Most events are about the thread that the one before
// was about: what has the same text has the same atom.
func (e *Env) lookAtom(s *tableState) int32 {
	s.turn, s.atom = e.turn, -1
	switch {
	case s.text != nil && !e.resumed:
		if v, ok := s.text(e.scene); ok {
			if v != s.last {
				s.last, s.lastAtom = v, s.table.words.find(v)
			}
			s.atom = s.lastAtom
		}
	case s.number != nil && !e.resumed:
		if n, ok := s.number(e.scene); ok {
			s.atom = s.table.numbers.find(n)
		}
	default:
		if vals := e.get(s.table.slot); len(vals) > 0 {
			s.atom = s.table.find(&vals[0])
		}
	}
	return s.atom
}

// fitting returns the atoms of any table that fit the event, each once.
func (e *Env) fitting(t int32) []int32 {
	s := &e.looks[t]
	if !s.table.single {
		return e.hits(t)
	}
	if s.hits = s.hits[:0]; e.atom(t) >= 0 {
		s.hits = append(s.hits, s.atom)
	}
	return s.hits
}

// hits returns the atoms of a table that is not single which fit the event, each once.
func (e *Env) hits(t int32) []int32 {
	s := &e.looks[t]
	if s.turn != e.turn {
		s.turn = e.turn
		s.hits = s.hits[:0]
		tab := s.table
		vals := e.get(tab.slot)
		if len(vals) > 1 && !tab.many {
			vals = vals[:1]
		}
		for i := range vals {
			tab.look(&vals[i], s)
		}
		if len(vals) > 1 { // two values may fit the same atom
			slices.Sort(s.hits)
			s.hits = slices.Compact(s.hits)
		}
	}
	return s.hits
}

// eval returns the truth of a node.
func (e *Env) eval(id nodeID) bool {
	n := &e.nodes[id]
	if n.single { // the table remembers
		a := e.atom(n.table)
		return a >= 0 && n.atoms.has(a)
	}
	if n.memo < 0 {
		return e.compute(n)
	}
	if m := e.memo[n.memo]; m>>1 == e.turn {
		return m&1 != 0
	}
	if e.compute(n) {
		e.memo[n.memo] = e.turn<<1 | 1
		return true
	}
	e.memo[n.memo] = e.turn << 1
	return false
}

func (e *Env) compute(n *node) bool {
	switch n.op {
	case nodeHit: // of a table that is not single
		for _, a := range e.hits(n.table) {
			if n.atoms.has(a) {
				return true
			}
		}
		return false
	case nodeTest:
		return n.test(e)
	case nodeNot:
		return !e.eval(n.kids[0])
	case nodeAnd:
		for _, k := range n.kids {
			if !e.eval(k) {
				return false
			}
		}
		return true
	case nodeOr:
		for _, k := range n.kids {
			if e.eval(k) {
				return true
			}
		}
		return false
	}
	return n.p > 0
}
