// SPDX-License-Identifier: Apache-2.0

package filter

import "slices"

// atomSet is a set of atoms of one table.
type atomSet struct {
	list []int32  // sorted
	bits []uint64 // from list[0]&^63 on, if the atoms lie close together
}

func newAtomSet(sorted []int32) atomSet {
	s := atomSet{list: sorted}
	if n := len(sorted); n > 4 {
		lo, hi := sorted[0]>>6, sorted[n-1]>>6
		if words := int(hi-lo) + 1; words <= 8+n {
			s.bits = make([]uint64, words)
			for _, a := range sorted {
				s.bits[a>>6-lo] |= 1 << (a & 63)
			}
		}
	}
	return s
}

func (s *atomSet) len() int { return len(s.list) }

func (s *atomSet) has(a int32) bool {
	if len(s.list) == 1 {
		return s.list[0] == a
	}
	return s.hasAmong(a)
}

func (s *atomSet) hasAmong(a int32) bool {
	if s.bits != nil {
		i := a>>6 - s.list[0]>>6
		return uint(i) < uint(len(s.bits)) && s.bits[i]&(1<<(a&63)) != 0
	}
	if len(s.list) <= 4 {
		for _, x := range s.list {
			if x == a {
				return true
			}
		}
		return false
	}
	_, ok := slices.BinarySearch(s.list, a)
	return ok
}
