// SPDX-License-Identifier: Apache-2.0

package state

import (
	"hash/maphash"
	"strings"
)

// interner hands out owned copies of texts, the same one for texts that come
// again and again: libraries, working directories, names of programs. It is a
// cache of one guess each, so it cannot grow.
type interner struct {
	seed maphash.Seed
	tab  [2048]string
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
	slot := &in.tab[maphash.Bytes(in.seed, b)%uint64(len(in.tab))]
	if *slot != string(b) {
		*slot = string(b)
	}
	return *slot
}

// str returns a copy of v that the caller may keep.
func (in *interner) str(v string) string {
	if len(v) == 0 {
		return ""
	}
	if len(v) > maxInterned {
		return strings.Clone(v)
	}
	slot := &in.tab[maphash.String(in.seed, v)%uint64(len(in.tab))]
	if *slot != v {
		*slot = strings.Clone(v)
	}
	return *slot
}
