// SPDX-License-Identifier: Apache-2.0

package state

import (
	"cmp"
	"math"
	"slices"
)

// fdTable holds the descriptors of one process, sorted by number.
//
// A fork shares slots and records: the child's table points to the same
// memory, both tables get a new generation, and whoever writes first copies.
// So a fork costs nothing for the descriptors that an exec will close anyway.
type fdTable struct {
	slots  []fdSlot
	gen    uint64 // records with another one belong to somebody else as well
	shared bool   // slots belong to somebody else as well
}

type fdSlot struct {
	num int32
	use uint32 // the State's clock at the last use
	fd  *FD
}

// find returns where n is, or would have to be put.
func (t *fdTable) find(n int64) (int, bool) {
	if n < 0 || n > math.MaxInt32 {
		return 0, false
	}
	if n < int64(len(t.slots)) && t.slots[n].num == int32(n) {
		return int(n), true // no gap below n: the usual case
	}
	return slices.BinarySearchFunc(t.slots[:min(n+1, int64(len(t.slots)))], int32(n),
		func(s fdSlot, n int32) int { return cmp.Compare(s.num, n) })
}

func (t *fdTable) get(n int64) *FD {
	if i, ok := t.find(n); ok {
		return t.slots[i].fd
	}
	return nil
}
