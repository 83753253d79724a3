// SPDX-License-Identifier: Apache-2.0

package filter

// gate is a look-up in a table that is single.
type gate struct {
	table int32
	atoms atomSet // open if one of them is there
}

// maxGates is how many gates are worth a look of their own.
const maxGates = 3

// gates makes the gates of a choice whose conditions begin with look-ups that have one
// answer.
func (b *builder) gates() {
	c := b.out
	if c.root < 0 || len(c.inOrder) > 0 {
		return
	}
	s := &c.stages[c.root]
	if len(s.index) > 0 || len(s.rules)+len(s.tests) > maxGates {
		return
	}
	var gates []gate
	add := func(nodes ...nodeID) bool {
		for _, id := range nodes {
			if n := &b.nodes[id]; n.single {
				gates = append(gates, gate{n.table, n.atoms})
				return true
			}
		}
		return false
	}
	for _, l := range s.rules {
		if !add(l.nodes...) {
			return
		}
	}
	for _, t := range s.tests {
		if !add(t.node) {
			return
		}
	}
	c.gates = gates
}

// Shut reports whether a first look tells that no program matches. It says false where
// that is not known so soon.
func (c *Choice) Shut(e *Env) bool {
	gates := c.gates
	for i := range gates {
		if gates[i].open(e) {
			return false
		}
	}
	return len(gates) > 0
}

func (g *gate) open(e *Env) bool {
	a := e.atom(g.table)
	return a >= 0 && g.atoms.has(a)
}
