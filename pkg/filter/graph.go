// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
)

// nodeID is the place of a node in the graph.
type nodeID int32

// The constants stand at fixed places.
const (
	never  nodeID = 0
	always nodeID = 1
)

type nodeOp uint8

const (
	nodeConst nodeOp = iota
	nodeAnd
	nodeOr
	nodeNot
	nodeTest // a check that is made by itself
	nodeHit  // a check that one look-up answers together with others
)

// node is a part of the program. Equal parts of all conditions are one node,
// whichever rules and macros they come from.
type node struct {
	op     nodeOp
	typed  bool    // depends on the type of the event alone, or on what does
	order  bool    // looks at a field that counts for itself: its place matters
	late   bool    // depends on what a runtime tells, perhaps later than the event
	split  bool    // an and whose kids are evaluated by themselves
	single bool    // of a nodeHit: its table has one answer at most
	memo   int32   // where Env keeps the result, -1 if it is not worth that
	refs   int32   // how many nodes and conditions have it
	uses   int32   // how many stages of one choice have it
	table  int32   // of a nodeHit
	cost   float32 // estimated ns of one evaluation
	p      float32 // estimated probability that it is true

	kids  []nodeID // in the order of evaluation
	atoms atomSet  // of a nodeHit: one of them has to be there
	test  func(*Env) bool
	need  []tableAtom // of a nodeTest: if it is true then one of these is there
	keeps []int32     // of a nodeTest: as of an operand

	from []Expr // where it stands in the rules, as far as there is room
}

// maxFrom bounds what a node remembers of the places that it comes from.
const maxFrom = 4

// graph holds the nodes of all conditions.
type graph struct {
	nodes  []node
	byKey  map[string]nodeID
	tables []*table
	byWhat map[tableKey]int32
	key    []byte
	unique uint32
}

func (g *graph) init() {
	if g.nodes == nil {
		g.nodes = []node{{op: nodeConst, memo: -1, cost: 1}, {op: nodeConst, memo: -1, cost: 1, p: 1}}
		g.byKey, g.byWhat = map[string]nodeID{}, map[tableKey]int32{}
	}
}

// add returns the node with the key in g.key, which is n if there is none yet.
func (g *graph) add(n node) nodeID {
	if id, ok := g.byKey[string(g.key)]; ok {
		return id
	}
	id := nodeID(len(g.nodes))
	n.memo = -1
	for _, k := range n.kids {
		g.nodes[k].refs++
		n.typed = n.typed || g.nodes[k].typed
		n.order = n.order || g.nodes[k].order
		n.late = n.late || g.nodes[k].late
	}
	g.nodes = append(g.nodes, n)
	g.byKey[string(g.key)] = id
	return id
}

// mark remembers that node id is what e has become.
func (g *graph) mark(id nodeID, e Expr) {
	n := &g.nodes[id]
	if len(n.from) < maxFrom && n.op != nodeConst && !slices.Contains(n.from, e) {
		n.from = append(n.from, e)
	}
}

func constant(b bool) nodeID {
	if b {
		return always
	}
	return never
}

// test makes a node of a check with a key of its own.
func (g *graph) test(key []byte, n node) nodeID {
	g.key = append(append(g.key[:0], 't'), key...)
	n.op = nodeTest
	return g.add(n)
}

// hit makes a node that is true if one of the atoms is there.
func (g *graph) hit(t int32, atoms []int32) nodeID {
	slices.Sort(atoms)
	atoms = slices.Compact(atoms)
	if len(atoms) == 0 {
		return never
	}
	g.key = binary.LittleEndian.AppendUint32(append(g.key[:0], 'h'), uint32(t))
	for _, a := range atoms {
		g.key = binary.LittleEndian.AppendUint32(g.key, uint32(a))
	}
	if id, ok := g.byKey[string(g.key)]; ok {
		return id
	}
	tab := g.tables[t]
	return g.add(node{op: nodeHit, table: t, single: tab.single, atoms: newAtomSet(slices.Clone(atoms)), typed: tab.typed, order: tab.order, late: tab.late,
		cost: tab.cost, p: tab.chance(len(atoms))})
}

func (g *graph) not(k nodeID) nodeID {
	n := &g.nodes[k]
	switch {
	case n.op == nodeConst:
		return constant(k == never)
	case n.op == nodeNot:
		return n.kids[0]
	}
	g.key = binary.LittleEndian.AppendUint32(append(g.key[:0], '!'), uint32(k))
	return g.add(node{op: nodeNot, kids: []nodeID{k}, cost: n.cost, p: 1 - n.p})
}

func (g *graph) and(kids []nodeID) nodeID { return g.join(nodeAnd, kids) }

func (g *graph) or(kids []nodeID) nodeID { return g.join(nodeOr, kids) }

// join makes an and or an or: flat, without constants and repetitions, and with
// what one look-up can answer at once put together.
func (g *graph) join(op nodeOp, kids []nodeID) nodeID {
	neutral, end := always, never
	if op == nodeOr {
		neutral, end = never, always
	}
	flat := make([]nodeID, 0, len(kids))
	var collect func(kids []nodeID) bool
	collect = func(kids []nodeID) bool {
		for _, k := range kids {
			switch {
			case k == end:
				return false
			case k == neutral:
			case g.nodes[k].op == op && !g.nodes[k].order:
				if !collect(g.nodes[k].kids) {
					return false
				}
			default:
				flat = append(flat, k)
			}
		}
		return true
	}
	if !collect(kids) {
		return end
	}
	ordered := slices.ContainsFunc(flat, func(k nodeID) bool { return g.nodes[k].order })
	if !ordered {
		flat = g.mergeHits(op, flat)
		slices.Sort(flat)
		flat = slices.Compact(flat)
		for _, k := range flat {
			if k == end {
				return end
			}
			if n := &g.nodes[k]; n.op == nodeNot {
				if _, both := slices.BinarySearch(flat, n.kids[0]); both {
					return end
				}
			}
		}
	}
	switch len(flat) {
	case 0:
		return neutral
	case 1:
		return flat[0]
	}
	g.key = append(g.key[:0], "?&|"[op])
	for _, k := range flat {
		g.key = binary.LittleEndian.AppendUint32(g.key, uint32(k))
	}
	if id, ok := g.byKey[string(g.key)]; ok {
		return id
	}
	if !ordered {
		g.sort(op, flat)
	}
	n := node{op: op, kids: flat}
	reached := float32(1)
	for _, k := range flat {
		kid := &g.nodes[k]
		n.cost += reached * kid.cost
		if op == nodeAnd {
			reached *= kid.p
		} else {
			reached *= 1 - kid.p
		}
	}
	n.p = reached
	if op == nodeOr {
		n.p = 1 - reached
	}
	return g.add(n)
}

// fewAtoms is up to how many atoms sets are put together. Larger ones are lists
// that many conditions share: copies of them would cost more than they save.
const fewAtoms = 32

// mergeHits puts together those of kids that ask the same table: in an or the
// sets, in an and the sets of what must not be there. Where a look-up has at
// most one answer, what must be there and what must not be are put together too.
func (g *graph) mergeHits(op nodeOp, kids []nodeID) []nodeID {
	type pair struct {
		yes, no []nodeID
	}
	var found map[int32]*pair
	for _, k := range kids {
		n, no := &g.nodes[k], false
		if n.op == nodeNot && op == nodeAnd {
			n, no = &g.nodes[n.kids[0]], true
		}
		if n.op != nodeHit || n.atoms.len() > fewAtoms {
			continue
		}
		if found == nil {
			found = map[int32]*pair{}
		}
		p := found[n.table]
		if p == nil {
			p = &pair{}
			found[n.table] = p
		}
		if no {
			p.no = append(p.no, k)
		} else {
			p.yes = append(p.yes, k)
		}
	}
	out := kids
	replace := func(old []nodeID, with ...nodeID) {
		next := make([]nodeID, 0, len(out))
		for _, k := range out {
			if !slices.Contains(old, k) {
				next = append(next, k)
			}
		}
		out = append(next, with...)
	}
	for _, t := range slices.Sorted(maps.Keys(found)) {
		p := found[t]
		union := func(ids []nodeID, inside bool) (atoms []int32) {
			for _, id := range ids {
				if inside {
					id = g.nodes[id].kids[0]
				}
				atoms = append(atoms, g.nodes[id].atoms.list...)
			}
			return atoms
		}
		switch {
		case op == nodeOr:
			if len(p.yes) > 1 {
				replace(p.yes, g.hit(t, union(p.yes, false)))
			}
		case g.tables[t].single && len(p.yes) > 0 && len(p.yes)+len(p.no) > 1:
			atoms := slices.Clone(g.nodes[p.yes[0]].atoms.list)
			atoms = slices.DeleteFunc(atoms, func(a int32) bool {
				return slices.ContainsFunc(p.yes, func(id nodeID) bool { return !g.nodes[id].atoms.has(a) }) ||
					slices.ContainsFunc(p.no, func(id nodeID) bool { return g.nodes[g.nodes[id].kids[0]].atoms.has(a) })
			})
			replace(append(slices.Clone(p.yes), p.no...), g.hit(t, atoms))
		case len(p.no) > 1:
			replace(p.no, g.not(g.hit(t, union(p.no, true))))
		}
	}
	return out
}

// sort puts first what is cheap and likely to decide.
func (g *graph) sort(op nodeOp, ids []nodeID) {
	rank := func(id nodeID) float32 {
		n := &g.nodes[id]
		ends := n.p
		if op == nodeAnd {
			ends = 1 - n.p
		}
		return n.cost / max(ends, 1e-3)
	}
	slices.SortFunc(ids, func(a, b nodeID) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
	})
}

// replace returns id with each leaf replaced by what leaf gives for it. It
// looks only into what depends on the event's type.
func (g *graph) replace(id nodeID, memo map[nodeID]nodeID, leaf func(nodeID) nodeID) nodeID {
	if !g.nodes[id].typed {
		return id
	}
	if out, ok := memo[id]; ok {
		return out
	}
	out := id
	switch op := g.nodes[id].op; op {
	case nodeTest, nodeHit:
		out = leaf(id)
	case nodeNot:
		out = g.not(g.replace(g.nodes[id].kids[0], memo, leaf))
	case nodeAnd, nodeOr:
		kids := slices.Clone(g.nodes[id].kids)
		for i, k := range kids {
			kids[i] = g.replace(k, memo, leaf)
		}
		out = g.join(op, kids)
	}
	if out != id {
		for _, e := range g.nodes[id].from {
			g.mark(out, e)
		}
	}
	memo[id] = out
	return out
}

// seal decides which results are kept for the event and returns how many.
func (g *graph) seal() (memos int) {
	for i := range g.nodes {
		n := &g.nodes[i]
		n.memo = -1
		if n.refs+n.uses > 1 && n.op != nodeConst && n.op != nodeNot && !n.single {
			n.memo = int32(memos)
			memos++
		}
	}
	for _, t := range g.tables {
		t.seal()
	}
	return memos
}
