// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"cmp"
	"maps"
	"math/bits"
	"slices"
)

// Ranked is a program with its place among others.
type Ranked struct {
	Program
	Rank int32
}

// NewChoice makes a Choice of programs, which come with rising ranks. It has to
// be made before the Env that it is used with.
func (c *Compiler) NewChoice(programs []Ranked) *Choice {
	b := &builder{Compiler: c, out: &Choice{root: -1}, covers: map[nodeID]cover{}, uses: map[nodeID]int32{}}
	var items []item
	same := map[nodeID]int{}
	for _, p := range programs {
		switch n := &c.nodes[p.root]; {
		case p.root == never:
		case n.order:
			b.out.inOrder = append(b.out.inOrder, leaf{[]nodeID{p.root}, []int32{p.Rank}, p.Rank})
		default:
			i, ok := same[p.root]
			if !ok {
				i = len(items)
				same[p.root] = i
				items = append(items, item{left: c.conjuncts(p.root)})
			}
			items[i].ranks = append(items[i].ranks, p.Rank)
		}
	}
	if len(items) > 0 {
		b.out.root = b.stage(items)
	}
	b.gates()
	for id, n := range b.uses {
		c.nodes[id].uses = max(c.nodes[id].uses, n)
	}
	b.out.link(c.tables)
	return b.out
}

// link puts pointers in the place of numbers, now that the stages stay where they are.
func (c *Choice) link(tables []*table) {
	if c.root >= 0 {
		c.top = &c.stages[c.root]
	}
	for i := range c.stages {
		s := &c.stages[i]
		s.deep = len(s.tests)+len(s.index) > 0
		for k := range s.tests {
			s.tests[k].to = &c.stages[s.tests[k].stage]
		}
		for k := range s.index {
			x := &s.index[k]
			x.single = tables[x.table].single
			x.to = make([]*stage, len(x.stages))
			for n, id := range x.stages {
				x.to[n] = &c.stages[id]
			}
			x.stages = nil
		}
	}
}

// conjuncts returns the nodes that all have to be true for id to be.
func (c *Compiler) conjuncts(id nodeID) []nodeID {
	n := &c.nodes[id]
	switch {
	case id == always:
		return nil
	case n.op != nodeAnd:
		return []nodeID{id}
	}
	if !n.split { // its kids will be evaluated by themselves
		n.split = true
		for _, k := range n.kids {
			c.nodes[k].refs--
		}
	}
	return n.kids
}

// item is a condition that a stage is to decide.
type item struct {
	left  []nodeID // what remains to be shown
	ranks []int32  // the programs that have it
}

func (i *item) without(id nodeID) item {
	left := make([]nodeID, 0, len(i.left)-1)
	for _, n := range i.left {
		if n != id {
			left = append(left, n)
		}
	}
	return item{left, i.ranks}
}

type builder struct {
	*Compiler
	out    *Choice
	covers map[nodeID]cover
	uses   map[nodeID]int32
}

const (
	fewItems  = 2 // up to how many conditions are simply evaluated
	fewChecks = 3 // from how many different checks on an index is made
)

// stage makes the stage that decides the items and returns its place.
func (b *builder) stage(items []item) int32 {
	id := int32(len(b.out.stages))
	b.out.stages = append(b.out.stages, stage{})
	s := stage{visit: -1, first: items[0].ranks[0]}
	for i := range items {
		s.first = min(s.first, items[i].ranks[0])
	}
	items = b.share(&s, items, max(2, len(items)/4))
	if len(items) > fewItems {
		items = b.file(&s, items)
	}
	items = b.pair(&s, items)
	for i := range items {
		nodes := slices.Clone(items[i].left)
		b.graph.sort(nodeAnd, nodes)
		for _, n := range nodes {
			b.uses[n]++
		}
		s.rules = append(s.rules, leaf{nodes, items[i].ranks, items[i].ranks[0]})
	}
	slices.SortFunc(s.rules, func(a, b leaf) int { return cmp.Compare(a.ranks[0], b.ranks[0]) })
	b.out.stages[id] = s
	return id
}

// share gives each conjunct that at least so many items have a stage of its own,
// beginning with the one that saves most, and returns the items without one.
func (b *builder) share(s *stage, items []item, atLeast int) []item {
	for len(items) > fewItems {
		best, most := never, float32(0)
		for n, count := range b.count(items) {
			if count < atLeast {
				continue
			}
			if gain := b.gain(n, count); gain > most || gain == most && n < best {
				best, most = n, gain
			}
		}
		if best == never {
			break
		}
		var with, rest []item
		for i := range items {
			if slices.Contains(items[i].left, best) {
				with = append(with, items[i].without(best))
			} else {
				rest = append(rest, items[i])
			}
		}
		b.branch(s, best, with)
		items = rest
	}
	return items
}

// pair is share for what nothing else has taken: in one go, since there may be
// thousands of conjuncts that two or three items share.
func (b *builder) pair(s *stage, items []item) []item {
	if len(items) <= fewItems {
		return items
	}
	counts := b.count(items)
	groups, rest := map[nodeID][]item{}, []item(nil)
	for i := range items {
		best, most := never, float32(0)
		for _, n := range items[i].left {
			if gain := b.gain(n, counts[n]); counts[n] > 1 && gain > most {
				best, most = n, gain
			}
		}
		if best == never {
			rest = append(rest, items[i])
		} else {
			groups[best] = append(groups[best], items[i])
		}
	}
	for _, n := range slices.Sorted(maps.Keys(groups)) {
		if len(groups[n]) == 1 {
			rest = append(rest, groups[n]...)
			continue
		}
		for i := range groups[n] {
			groups[n][i] = groups[n][i].without(n)
		}
		b.branch(s, n, groups[n])
	}
	return rest
}

func (b *builder) count(items []item) map[nodeID]int {
	counts := map[nodeID]int{}
	for i := range items {
		for _, n := range items[i].left {
			counts[n]++
		}
	}
	return counts
}

// gain says what testing n once spares, if so many items have it: the rest of
// them, whenever it is false.
func (b *builder) gain(n nodeID, items int) float32 {
	node := &b.nodes[n]
	return float32(items) * (1 - node.p) / (node.cost + 5)
}

func (b *builder) branch(s *stage, n nodeID, items []item) {
	b.uses[n]++
	s.tests = append(s.tests, branch{node: n, stage: b.stage(items)})
}

// file puts items under atoms: each under the conjunct whose atoms lead to the
// fewest others. It returns the items that have no such conjunct.
func (b *builder) file(s *stage, items []item) []item {
	counts := b.count(items)
	crowd := map[tableAtom]int{} // how many items an atom could lead to
	for n, count := range counts {
		for _, a := range b.cover(n).atoms {
			crowd[a] += count
		}
	}
	load := func(n nodeID) float32 {
		sum := float32(0)
		for _, a := range b.cover(n).atoms {
			t := b.tables[a.table]
			sum += t.kind.chance() * (float32(crowd[a]) + t.cost/10)
		}
		return sum
	}
	loads := map[nodeID]float32{}
	for n := range counts {
		if b.cover(n).ok {
			loads[n] = load(n)
		}
	}
	groups, rest := map[nodeID][]item{}, []item(nil)
	for i := range items {
		best := never
		for _, n := range items[i].left {
			if l, ok := loads[n]; ok && (best == never || l < loads[best] || l == loads[best] && n < best) {
				best = n
			}
		}
		if best == never {
			rest = append(rest, items[i])
		} else {
			groups[best] = append(groups[best], items[i])
		}
	}
	checks := map[int32]int{} // how many groups ask a table
	for n := range groups {
		for i, a := range b.cover(n).atoms {
			if i == 0 || a.table != b.cover(n).atoms[i-1].table {
				checks[a.table]++
			}
		}
	}
	index := map[int32]map[int32][]int32{}
	for _, n := range slices.Sorted(maps.Keys(groups)) {
		c := b.cover(n)
		if slices.ContainsFunc(c.atoms, func(a tableAtom) bool { return checks[a.table] < fewChecks }) {
			if len(groups[n]) > 1 {
				for i := range groups[n] {
					groups[n][i] = groups[n][i].without(n)
				}
				b.branch(s, n, groups[n])
			} else {
				rest = append(rest, groups[n]...)
			}
			continue
		}
		next := b.group(n, c, groups[n])
		for _, a := range c.atoms {
			if index[a.table] == nil {
				index[a.table] = map[int32][]int32{}
			}
			index[a.table][a.atom] = append(index[a.table][a.atom], next)
		}
	}
	for _, t := range slices.Sorted(maps.Keys(index)) {
		s.index = append(s.index, newAtomIndex(t, index[t]))
	}
	return rest
}

// group makes the stage for the items that are filed under n.
func (b *builder) group(n nodeID, c cover, items []item) int32 {
	for i := range items {
		items[i] = items[i].without(n)
	}
	var id int32
	if c.exact {
		id = b.stage(items)
	} else { // the atoms only say that n is worth a look
		id = int32(len(b.out.stages))
		b.out.stages = append(b.out.stages, stage{})
		s := stage{visit: -1, asks: true}
		b.branch(&s, n, items)
		s.first = b.out.stages[s.tests[0].stage].first
		b.out.stages[id] = s
	}
	if len(c.atoms) > 1 {
		b.out.stages[id].visit = b.visits
		b.visits++
	}
	return id
}

func newAtomIndex(t int32, m map[int32][]int32) atomIndex {
	size := uint(bits.Len(uint(len(m)*2 - 1)))
	x := atomIndex{table: t, shift: uint8(32 - size), slots: make([]atomSlot, 1<<size)}
	for i := range x.slots {
		x.slots[i].atom = -1
	}
	for _, a := range slices.Sorted(maps.Keys(m)) {
		i := x.place(a)
		for x.slots[i&uint32(len(x.slots)-1)].atom >= 0 {
			i++
		}
		from := int32(len(x.stages))
		x.stages = append(x.stages, m[a]...)
		x.slots[i&uint32(len(x.slots)-1)] = atomSlot{a, from, int32(len(x.stages))}
	}
	return x
}

// cover is a set of atoms one of which is there whenever a node is true.
type cover struct {
	atoms []tableAtom // by table
	exact bool        // and the other way round
	ok    bool
}

// maxCover bounds the atoms that a condition can be filed under.
const maxCover = 1 << 12

func (b *builder) cover(id nodeID) cover {
	if c, ok := b.covers[id]; ok {
		return c
	}
	var c cover
	switch n := &b.nodes[id]; n.op {
	case nodeHit:
		if n.atoms.len() <= maxCover {
			c = cover{exact: true, ok: true}
			for _, a := range n.atoms.list {
				c.atoms = append(c.atoms, tableAtom{n.table, a})
			}
		}
	case nodeTest:
		c = cover{atoms: n.need, ok: len(n.need) > 0}
	case nodeOr:
		c = cover{exact: true, ok: true}
		for _, k := range n.kids {
			kid := b.cover(k)
			if !kid.ok || len(c.atoms)+len(kid.atoms) > maxCover {
				c = cover{}
				break
			}
			c.atoms = append(c.atoms, kid.atoms...)
			c.exact = c.exact && kid.exact
		}
	case nodeAnd:
		chance := float32(2)
		for _, k := range n.kids {
			if kid := b.cover(k); kid.ok && b.nodes[k].p < chance {
				chance = b.nodes[k].p
				c = cover{atoms: kid.atoms, ok: true}
			}
		}
	}
	slices.SortFunc(c.atoms, func(a, b tableAtom) int {
		return cmp.Or(cmp.Compare(a.table, b.table), cmp.Compare(a.atom, b.atom))
	})
	c.atoms = slices.Compact(c.atoms)
	b.covers[id] = c
	return c
}
