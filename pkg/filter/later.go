// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"cmp"
	"slices"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/field"
	"github.com/falco-go/falco/pkg/state"
)

// What a runtime tells of a container (field.Metadata) may come later than the
// events of the container. Until then a condition that reads it is true, false, or
// neither: Choice.Weigh tells which, in the logic of Kleene. Of an event for which
// that is not enough, Env.Keep copies the values that are there, and Env.Resume
// makes them those of the turn again when the others are there too.
//
//	Weigh ─► yes, no
//	  └────► maybe ─► Keep ─► … the runtime answers … ─► Resume ─► Match, Append, …

// truth is what is known of a node: no and yes as usual, maybe while it depends on
// what is still to come.
type truth uint8

const (
	no truth = iota
	maybe
	yes
)

// weigh returns the truth of a node as long as nothing is known of the container.
func (e *Env) weigh(id nodeID) truth {
	n := &e.nodes[id]
	if !n.late {
		if e.eval(id) {
			return yes
		}
		return no
	}
	out := maybe
	switch n.op {
	case nodeNot:
		return yes - e.weigh(n.kids[0])
	case nodeAnd:
		out = yes
		for _, k := range n.kids {
			if out = min(out, e.weigh(k)); out == no {
				break
			}
		}
	case nodeOr:
		out = no
		for _, k := range n.kids {
			if out = max(out, e.weigh(k)); out == yes {
				break
			}
		}
	}
	return out
}

func (e *Env) weighAll(nodes []nodeID) truth {
	out := yes
	for _, n := range nodes {
		if out = min(out, e.weigh(n)); out == no {
			break
		}
	}
	return out
}

// Verdict is a program that matches or, if it is not Sure, perhaps does.
type Verdict struct {
	Rank int32
	Sure bool
}

// Weigh appends the programs that match whatever the container turns out to be, and
// those for which that decides, by rank.
func (c *Choice) Weigh(env *Env, out []Verdict) []Verdict {
	start := len(out)
	if c.top != nil {
		out = c.top.weigh(env, yes, out)
	}
	for i := range c.inOrder {
		out = c.inOrder[i].verdicts(env, yes, out)
	}
	slices.SortFunc(out[start:], func(a, b Verdict) int { return cmp.Compare(a.Rank, b.Rank) })
	return out
}

// weigh goes through a stage; so far is what is known of the way to it.
func (s *stage) weigh(env *Env, soFar truth, out []Verdict) []Verdict {
	if s.visit >= 0 && !env.enter(s) {
		return out
	}
	for i := range s.rules {
		out = s.rules[i].verdicts(env, soFar, out)
	}
	for i := range s.tests {
		if t := min(soFar, env.weigh(s.tests[i].node)); t != no {
			out = s.tests[i].to.weigh(env, t, out)
		}
	}
	// What leads to a stage for sure comes first: a stage is entered once.
	for i := range s.index {
		if x := &s.index[i]; !env.tables[x.table].late {
			for _, a := range env.fitting(x.table) {
				for _, next := range x.find(a) {
					out = next.weigh(env, soFar, out)
				}
			}
		}
	}
	for i := range s.index {
		if x := &s.index[i]; env.tables[x.table].late { // any atom may be there
			for _, next := range x.to {
				t := soFar
				if !next.asks {
					t = maybe
				}
				out = next.weigh(env, t, out)
			}
		}
	}
	return out
}

func (l *leaf) verdicts(env *Env, soFar truth, out []Verdict) []Verdict {
	if t := min(soFar, env.weighAll(l.nodes)); t != no {
		for _, r := range l.ranks {
			out = append(out, Verdict{r, t == yes})
		}
	}
	return out
}

// AppendSlots appends what has to be kept of an event to evaluate p later.
func (p *Program) AppendSlots(env *Env, out []int32) []int32 {
	seen := map[nodeID]bool{}
	var walk func(id nodeID)
	walk = func(id nodeID) {
		if seen[id] {
			return
		}
		seen[id] = true
		switch n := &env.nodes[id]; n.op {
		case nodeHit:
			out = append(out, env.tables[n.table].keeps...)
		case nodeTest:
			out = append(out, n.keeps...)
		default:
			for _, k := range n.kids {
				walk(k)
			}
		}
	}
	walk(p.root)
	return out
}

// AppendSlots appends what has to be kept of an event to read g later.
func (g Getter) AppendSlots(out []int32) []int32 { return append(out, g.v.keeps...) }

// Late reports whether what a runtime tells is in the values.
func (g Getter) Late() bool { return g.v.late }

// Kept is a copy of values of an event. It owns its memory, which it uses again.
type Kept struct {
	slots []keptSlot
	vals  []field.Value
	bytes []byte
}

type keptSlot struct {
	slot int32
	end  int32 // in vals
}

// Keep copies the values of slots, which are sorted, from the scene of e to k.
func (e *Env) Keep(slots []int32, k *Kept) {
	k.slots, k.vals = k.slots[:0], k.vals[:0]
	size := 0
	for _, s := range slots {
		k.vals = append(k.vals, e.get(int(s))...)
		k.slots = append(k.slots, keptSlot{s, int32(len(k.vals))})
	}
	for i := range k.vals {
		size += len(k.vals[i].Str)
	}
	k.bytes = slices.Grow(k.bytes[:0], size)
	for i := range k.vals {
		v := &k.vals[i]
		start := len(k.bytes)
		k.bytes = append(k.bytes, v.Str...)
		v.Str = event.View(k.bytes[start:])
	}
}

// Size returns the bytes of memory that k holds on to.
func (k *Kept) Size() int { return cap(k.bytes) + 48*cap(k.vals) + 8*cap(k.slots) }

// Resume makes what is in k the values of the turn, and reads all others from s.
func (e *Env) Resume(k *Kept, s *state.Scene) {
	e.Begin(s)
	e.resumed = true
	from := int32(0)
	for _, x := range k.slots {
		slot := &e.slots[x.slot]
		slot.turn = e.turn
		slot.vals = append(slot.vals[:0], k.vals[from:x.end]...)
		from = x.end
	}
}
