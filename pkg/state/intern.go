// SPDX-License-Identifier: Apache-2.0

package state

import (
	"hash/maphash"
	"strings"

	"github.com/falco-go/falco/pkg/event"
)

// interner hands out owned copies of texts, the same one for texts that come
// again and again: libraries, working directories, names of programs, and for lists
// of them: arguments, environments. It is a cache of four guesses each, latest first,
// so it cannot grow, and two texts that fall on one place do not drive each other out
// for ever.
type interner struct {
	seed  maphash.Seed
	texts [2048]guesses[string]
	lists [64]guesses[[]string]
	kept  uint64 // texts and lists that were not there
}

type guesses[T any] [4]T

// first makes guess i the first one, and returns it.
func (g *guesses[T]) first(i int) T {
	v := g[i]
	copy(g[1:i+1], g[:i])
	g[0] = v
	return v
}

// keep makes v the first guess in the place of the last.
func (g *guesses[T]) keep(v T) {
	copy(g[1:], g[:])
	g[0] = v
}

// Longer texts are seldom seen twice, and they and lists of many would make the cache large.
const (
	maxInterned = 256
	maxListed   = 4096 // bytes of a list, its texts' places among them
)

// bytes returns b as a string that the caller may keep.
func (in *interner) bytes(b []byte) string { return in.str(event.View(b)) }

// str returns a copy of v that the caller may keep.
func (in *interner) str(v string) string {
	if len(v) == 0 {
		return ""
	}
	if len(v) > maxInterned {
		in.kept++
		return strings.Clone(v)
	}
	g := &in.texts[maphash.String(in.seed, v)%uint64(len(in.texts))]
	for i, k := range g {
		if k == v {
			return g.first(i)
		}
	}
	in.kept++
	v = strings.Clone(v)
	g.keep(v)
	return v
}

// list returns b as a list that nobody may change, like if it is the same, and
// whether it was cut.
func (in *interner) list(b []byte, like []string) (list []string, cut bool) {
	if cut = len(b) > maxList; cut {
		b = b[:maxList]
	}
	switch {
	case sameList(b, like):
		return like, cut
	case len(b) == 0:
		return nil, cut
	case len(b) > maxListed:
		in.kept++
		return splitList(b), cut
	}
	g := &in.lists[maphash.Bytes(in.seed, b)%uint64(len(in.lists))]
	for i, k := range g {
		if k != nil && sameList(b, k) {
			return g.first(i), cut
		}
	}
	in.kept++
	if list = splitList(b); listBytes(list) <= maxListed {
		g.keep(list)
	}
	return list, cut
}
