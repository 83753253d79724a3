// SPDX-License-Identifier: Apache-2.0

package filter

import "slices"

// A Choice finds which of many programs match, without trying each: the ones
// that cannot match are never touched. It is made of stages; each stage stands
// for the programs that are still possible, with what remains to be shown of
// them:
//
//	event ─► stage ─┬─ test, shared by many ──true──► stage without that test
//	                ├─ table ─ atoms that are there ─► a stage for each check that has one of them
//	                └─ programs of which so few are left that each is evaluated
//
// Stages are made of the conditions' conjuncts: the parts that all have to be
// true. A program stands below exactly one of its conjuncts at each stage, so it
// is found once at most.
type Choice struct {
	stages []stage
	root   int32
	top    *stage // the one of root, nil if there is none
	gates  []gate // one of them has to be open for anything to match; nil if that is not known
	// Programs that read what counts for itself are evaluated in order, as long as
	// none before them matches.
	inOrder []leaf
}

type stage struct {
	first int32 // the lowest rank below
	visit int32 // where Env remembers that it was gone through, -1 if there is one way only
	asks  bool  // the atoms that lead here only say that its test is worth a look
	deep  bool  // there is more than rules
	tests []branch
	index []atomIndex
	rules []leaf // by rank
}

// branch leads to another stage if a node is true.
type branch struct {
	node  nodeID
	stage int32
	to    *stage
}

// leaf is a program, or several with the same condition.
type leaf struct {
	nodes []nodeID // all have to be true
	ranks []int32  // rising
	first int32    // of them
}

// atomIndex leads from the atoms of a table to stages.
type atomIndex struct {
	table  int32
	shift  uint8
	single bool       // of the table
	slots  []atomSlot // open addressing, a power of two of them
	stages []int32
	to     []*stage
}

type atomSlot struct{ atom, from, to int32 } // atom -1: free

func (x *atomIndex) place(a int32) uint32 { return uint32(a) * 0x9e3779b1 >> x.shift }

// find returns the stages for an atom.
func (x *atomIndex) find(a int32) []*stage {
	mask := uint32(len(x.slots) - 1)
	for i := x.place(a); ; i++ {
		switch s := &x.slots[i&mask]; s.atom {
		case a:
			return x.to[s.from:s.to]
		case -1:
			return nil
		}
	}
}

// First returns the rank of the first program that matches, -1 if none does.
func (c *Choice) First(env *Env) int {
	best := int32(1<<31 - 1)
	if c.top != nil {
		best = c.top.find(env, best)
	}
	for i := range c.inOrder {
		if l := &c.inOrder[i]; l.first < best && env.all(l.nodes) {
			best = l.first
		}
	}
	if best == 1<<31-1 {
		return -1
	}
	return int(best)
}

func (e *Env) all(nodes []nodeID) bool {
	for _, n := range nodes {
		if !e.eval(n) {
			return false
		}
	}
	return true
}

// enter reports whether a stage that several ways lead to is to be gone through: not
// twice in an event.
func (e *Env) enter(s *stage) bool {
	if e.visits[s.visit] == e.turn {
		return false
	}
	e.visits[s.visit] = e.turn
	return true
}

// find returns the lowest rank below best of a program that matches, best if none does.
func (s *stage) find(env *Env, best int32) int32 {
	if s.first >= best || s.visit >= 0 && !env.enter(s) {
		return best
	}
	for i := range s.rules {
		l := &s.rules[i]
		if l.first >= best {
			break
		}
		if env.all(l.nodes) {
			best = l.first
			break
		}
	}
	if s.deep {
		return s.below(env, best)
	}
	return best
}

// below is find for what is not a rule of s itself.
func (s *stage) below(env *Env, best int32) int32 {
	for i := range s.tests {
		t := &s.tests[i]
		if t.to.first < best && env.eval(t.node) {
			best = t.to.find(env, best)
		}
	}
	for i := range s.index {
		x := &s.index[i]
		if x.single {
			if a := env.atom(x.table); a >= 0 {
				for _, next := range x.find(a) {
					best = next.find(env, best)
				}
			}
			continue
		}
		for _, a := range env.hits(x.table) {
			for _, next := range x.find(a) {
				best = next.find(env, best)
			}
		}
	}
	return best
}

// All appends the ranks of all programs that match, rising.
func (c *Choice) All(env *Env, out []int32) []int32 {
	start := len(out)
	if c.top != nil {
		out = c.top.all(env, out)
	}
	for i := range c.inOrder {
		if l := &c.inOrder[i]; env.all(l.nodes) {
			out = append(out, l.ranks...)
		}
	}
	slices.Sort(out[start:])
	return out
}

func (s *stage) all(env *Env, out []int32) []int32 {
	if s.visit >= 0 && !env.enter(s) {
		return out
	}
	for i := range s.rules {
		if l := &s.rules[i]; env.all(l.nodes) {
			out = append(out, l.ranks...)
		}
	}
	for i := range s.tests {
		if t := &s.tests[i]; env.eval(t.node) {
			out = t.to.all(env, out)
		}
	}
	for i := range s.index {
		x := &s.index[i]
		for _, a := range env.fitting(x.table) {
			for _, next := range x.find(a) {
				out = next.all(env, out)
			}
		}
	}
	return out
}

// Ranks returns the ranks of all programs of c, rising.
func (c *Choice) Ranks() (out []int32) {
	if c == nil {
		return nil
	}
	for i := range c.stages {
		for _, l := range c.stages[i].rules {
			out = append(out, l.ranks...)
		}
	}
	for _, l := range c.inOrder {
		out = append(out, l.ranks...)
	}
	slices.Sort(out)
	return out
}
