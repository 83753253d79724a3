// SPDX-License-Identifier: Apache-2.0

package state

import (
	"hash/maphash"
	"strings"

	"github.com/falco-go/falco/pkg/event"
)

// interner hands out owned copies of texts, the same one for texts that come
// again and again: libraries, working directories, names of programs. It is a
// cache of four guesses each, latest first, so it cannot grow, and two texts
// that fall on one place do not drive each other out for ever.
type interner struct {
	seed maphash.Seed
	tab  [512]guesses
}

type guesses [4]string

// find returns the kept copy of v and makes it the first guess; ok is false if
// there is none.
func (g *guesses) find(v string) (kept string, ok bool) {
	for i, k := range g {
		if k == v {
			copy(g[1:i+1], g[:i])
			g[0] = k
			return k, true
		}
	}
	return "", false
}

// keep makes v, which it owns, the first guess in the place of the last.
func (g *guesses) keep(v string) string {
	copy(g[1:], g[:])
	g[0] = v
	return v
}

const maxInterned = 256 // longer texts are seldom seen twice, and would make the cache large

// bytes returns b as a string that the caller may keep.
func (in *interner) bytes(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > maxInterned {
		return string(b)
	}
	g := &in.tab[maphash.Bytes(in.seed, b)%uint64(len(in.tab))]
	if kept, ok := g.find(event.View(b)); ok {
		return kept
	}
	return g.keep(string(b))
}

// str returns a copy of v that the caller may keep.
func (in *interner) str(v string) string {
	if len(v) == 0 {
		return ""
	}
	if len(v) > maxInterned {
		return strings.Clone(v)
	}
	g := &in.tab[maphash.String(in.seed, v)%uint64(len(in.tab))]
	if kept, ok := g.find(v); ok {
		return kept
	}
	return g.keep(strings.Clone(v))
}
