// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/field"
	"github.com/falco-go/falco/pkg/state"
)

// A table answers all checks of one kind on one field with one look-up: the
// literals that they compare with are its atoms, and a look-up tells which atoms
// fit the value at hand. Its cost depends on the value, not on how many literals
// there are.
type table struct {
	tableKey
	n      int32 // atoms so far
	many   bool  // the field may have several values
	single bool  // at most one atom fits at a time
	typed  bool
	order  bool
	late   bool    // as of an operand
	keeps  []int32 // as of an operand
	cost   float32
	often  float32 // how likely it is that one literal fits, if the field says so

	texts map[string]int32 // the literal, for all kinds but numbers and addresses
	nums  map[uint64]int32
	addrs map[netip.Addr]int32
	nets  map[netip.Prefix]int32
	sizes []netSize // the distinct lengths in nets
	tree  radix     // of heads, tails and paths
	parts []string  // by atom

	// Made by seal, for look.
	words   *words  // of texts that are equal
	numbers numbers // of nums
	grams   *grams  // of parts, if there are many
}

type tableKind uint8

const (
	whole tableKind = iota // texts that are equal to the literal
	head                   // texts that start with it
	tail                   // texts that end with it
	part                   // texts that contain it
	fold                   // the same, in whatever letter case
	path                   // paths that lie below it, component by component
	num
	addr
	network
)

// chance is the estimated probability that one literal fits.
func (k tableKind) chance() float32 {
	return [...]float32{whole: 0.01, head: 0.03, tail: 0.03, part: 0.02, fold: 0.02, path: 0.03, num: 0.05, addr: 0.01, network: 0.05}[k]
}

// chance estimates how likely it is that one of n literals fits.
func (t *table) chance(n int) float32 {
	if t.often > 0 {
		return min(0.9, t.often*float32(n))
	}
	return min(0.5, t.kind.chance()*float32(n))
}

// weight is what a look-up costs, in estimated ns.
func (k tableKind) weight() float32 {
	return [...]float32{whole: 15, head: 20, tail: 20, part: 30, fold: 50, path: 40, num: 10, addr: 20, network: 30}[k]
}

type tableKey struct {
	slot int
	kind tableKind
}

// tableAtom names an atom from outside of its table.
type tableAtom struct{ table, atom int32 }

type netSize struct {
	bits int
	four bool
}

// table returns the table of that kind for the values of v.
func (g *graph) table(v *operand, kind tableKind) int32 {
	key := tableKey{v.slot, kind}
	if t, ok := g.byWhat[key]; ok {
		return t
	}
	many := v.multi || v.list
	t := &table{tableKey: key, many: many, single: !many && (kind == whole || kind == num || kind == addr), typed: v.typed, order: v.order,
		late: v.late, keeps: v.keeps, cost: v.cost + kind.weight(), often: v.likely()}
	switch kind {
	case num:
		t.nums = map[uint64]int32{}
	case addr:
		t.addrs = map[netip.Addr]int32{}
	case network:
		t.nets = map[netip.Prefix]int32{}
	default:
		t.texts = map[string]int32{}
	}
	i := int32(len(g.tables))
	g.tables = append(g.tables, t)
	g.byWhat[key] = i
	return i
}

func intern[K comparable](t *table, m map[K]int32, k K) (atom int32, isNew bool) {
	a, ok := m[k]
	if !ok {
		a = t.n
		m[k] = a
		t.n++
	}
	return a, !ok
}

// atom returns the atom of a literal.
func (t *table) atom(l *literal) int32 {
	switch t.kind {
	case num:
		a, _ := intern(t, t.nums, l.num)
		return a
	case addr:
		a, _ := intern(t, t.addrs, l.ip)
		return a
	case network:
		a, isNew := intern(t, t.nets, l.net)
		if size := (netSize{l.net.Bits(), l.net.Addr().Is4()}); isNew && !slices.Contains(t.sizes, size) {
			t.sizes = append(t.sizes, size)
		}
		return a
	}
	text := l.str
	switch t.kind {
	case path:
		text = string(appendPath(nil, text))
	case fold:
		text = string(appendLower(nil, text))
	}
	a, isNew := intern(t, t.texts, text)
	if isNew {
		switch t.kind {
		case head, path:
			t.tree.add(text, a)
		case tail:
			t.tree.add(reversed(text), a)
		case part, fold:
			t.parts = append(t.parts, text)
		}
	}
	return a
}

// fewWords is up to how many parts are searched one after the other.
const fewWords = 4

func (t *table) seal() {
	switch t.kind {
	case whole:
		t.words = newWords(t.texts)
	case num:
		t.numbers = newNumbers(t.nums)
	}
	if len(t.parts) > fewWords {
		t.grams = newGrams(t.parts)
	}
}

// look appends the atoms that fit v, each once.
func (t *table) look(v *field.Value, s *tableState) {
	switch t.kind {
	case whole, num, addr:
		if a := t.find(v); a >= 0 {
			s.hits = append(s.hits, a)
		}
	case head:
		s.hits = t.tree.match(v.Str, s.hits)
	case tail:
		s.hits = t.tree.matchBack(v.Str, s.hits)
	case path:
		s.buf = appendPath(s.buf[:0], v.Str)
		s.hits = t.tree.match(event.View(s.buf), s.hits)
	case part:
		s.hits = t.lookParts(v.Str, s.hits)
	case fold:
		s.buf = appendLower(s.buf[:0], v.Str)
		s.hits = t.lookParts(event.View(s.buf), s.hits)
	case network:
		t.lookNet(v.IP, s)
	}
}

// lookParts appends the atoms of the parts that v contains.
func (t *table) lookParts(v string, hits []int32) []int32 {
	if t.grams != nil {
		return t.grams.match(v, hits)
	}
	for a, w := range t.parts {
		if strings.Contains(v, w) {
			hits = append(hits, int32(a))
		}
	}
	return hits
}

// find returns the atom that is equal to v, -1 if none is.
func (t *table) find(v *field.Value) int32 {
	switch t.kind {
	case whole:
		return t.words.find(v.Str)
	case num:
		return t.numbers.find(v.Num)
	default:
		if a, ok := t.addrs[v.IP]; ok {
			return a
		}
		return -1
	}
}

func (t *table) lookNet(ip netip.Addr, s *tableState) {
	if ip.Zone() != "" { // Prefix.Contains is false then
		return
	}
	for _, size := range t.sizes {
		if size.four != ip.Is4() {
			continue
		}
		if p, err := ip.Prefix(size.bits); err == nil {
			if a, ok := t.nets[p]; ok {
				s.hits = append(s.hits, a)
			}
		}
	}
}

// appendPath writes the components of a path, each with a slash behind it.
func appendPath(b []byte, path string) []byte {
	for {
		name, rest := component(path)
		if name == "" {
			return b
		}
		b = append(append(b, name...), '/')
		path = rest
	}
}

func reversed(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}

// tableState is what an Env knows of a table.
type tableState struct {
	turn  uint64
	table *table
	atom  int32   // of a single one: what fits, -1 if nothing does
	hits  []int32 // of any other: all that fit
	buf   []byte

	// Short ways of fields to the value for a single one, if there is one.
	text     func(*state.Scene) (string, bool)
	last     string // that it told
	lastAtom int32
	number   func(*state.Scene) (uint64, bool)
}
