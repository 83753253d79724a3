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
	return slices.BinarySearchFunc(t.slots[:min(n, int64(len(t.slots)))], int32(n),
		func(s fdSlot, n int32) int { return cmp.Compare(s.num, n) })
}

func (t *fdTable) get(n int64) *FD {
	if i, ok := t.find(n); ok {
		return t.slots[i].fd
	}
	return nil
}

// own makes the slots t's alone, with room for more.
func (t *fdTable) own(more int) {
	if !t.shared {
		return
	}
	slots := make([]fdSlot, len(t.slots), max(len(t.slots)+more, 4))
	copy(slots, t.slots)
	t.slots, t.shared = slots, false
}

// forkFDs gives child the descriptors of parent.
func (s *State) forkFDs(child, parent *Thread) {
	s.dropFDs(child)
	c, p := &child.fds, &parent.fds
	s.gens += 2
	p.gen, c.gen = s.gens-1, s.gens
	c.slots = p.slots
	c.shared, p.shared = true, true
	s.fdSlots += len(c.slots)
}

// addFD gives t's process the descriptor n, which the event at hand has made, in
// the place of whatever had that number; it becomes the event's descriptor. If
// nobody knows the process, only the number does.
func (s *State) addFD(t *Thread, n int64, fd *FD) {
	if n < 0 || n > math.MaxInt32 {
		return
	}
	s.scene.FDNum, s.scene.FD = n, nil
	o := s.owner(t)
	if o == nil {
		return
	}
	s.putFD(o, n, fd)
	s.scene.FD = fd
}

// putFD makes fd descriptor n of o, evicting another if there are too many.
func (s *State) putFD(o *Thread, n int64, fd *FD) {
	tbl := &o.fds
	if tbl.gen == 0 {
		s.gens++
		tbl.gen = s.gens
	}
	fd.gen = tbl.gen
	tbl.own(1)
	i, ok := tbl.find(n)
	if ok {
		s.freeFD(tbl, tbl.slots[i].fd)
		tbl.slots[i].fd, tbl.slots[i].use = fd, s.clock
		return
	}
	if len(tbl.slots) >= s.limits.FDs || s.fdSlots >= s.limits.AllFDs && len(tbl.slots) > 0 {
		s.evictFD(tbl)
		i, _ = tbl.find(n)
	}
	tbl.slots = slices.Insert(tbl.slots, i, fdSlot{num: int32(n), use: s.clock, fd: fd})
	s.fdSlots++
}

// evictFD removes the descriptor that was longest unused.
func (s *State) evictFD(tbl *fdTable) {
	worst, age := 0, uint32(0)
	for i := range tbl.slots {
		if a := s.clock - tbl.slots[i].use; a >= age { // modulo 2^32
			worst, age = i, a
		}
	}
	s.stats.FDsEvicted++
	s.deleteSlot(tbl, worst)
}

// removeFD removes descriptor n of o if it is there.
func (s *State) removeFD(o *Thread, n int64) {
	if i, ok := o.fds.find(n); ok {
		o.fds.own(0)
		s.deleteSlot(&o.fds, i)
	}
}

func (s *State) deleteSlot(tbl *fdTable, i int) {
	s.freeFD(tbl, tbl.slots[i].fd)
	tbl.slots = slices.Delete(tbl.slots, i, i+1)
	s.fdSlots--
}

// dropFDs empties the table of o.
func (s *State) dropFDs(o *Thread) {
	s.fdSlots -= len(o.fds.slots)
	o.fds = fdTable{}
}

// filterFDs removes the descriptors of o that gone tells.
func (s *State) filterFDs(o *Thread, gone func(n int64, f *FD) bool) {
	tbl := &o.fds
	if !slices.ContainsFunc(tbl.slots, func(sl fdSlot) bool { return gone(int64(sl.num), sl.fd) }) {
		return
	}
	tbl.own(0)
	before := len(tbl.slots)
	tbl.slots = slices.DeleteFunc(tbl.slots, func(sl fdSlot) bool { return gone(int64(sl.num), sl.fd) })
	s.fdSlots -= before - len(tbl.slots)
}

// writable returns descriptor n of t's process for changing: the record itself,
// or a copy in its place if other processes share it. It is nil if n is unknown.
func (s *State) writable(t *Thread, n int64) *FD {
	o := s.owner(t)
	if o == nil {
		return nil
	}
	i, ok := o.fds.find(n)
	if !ok {
		return nil
	}
	f := o.fds.slots[i].fd
	if f.gen == o.fds.gen {
		return f
	}
	w := s.newFD()
	*w = *f
	w.gen = o.fds.gen
	o.fds.own(0)
	o.fds.slots[i].fd = w
	if s.scene.FD == f {
		s.scene.FD = w
	}
	return w
}

// maxFDPool bounds the records that are kept for the next descriptors.
const maxFDPool = 256

// newFD returns an empty record, if possible one that was freed.
func (s *State) newFD() *FD {
	if n := len(s.fdPool); n > 0 {
		f := s.fdPool[n-1]
		s.fdPool = s.fdPool[:n-1]
		return f
	}
	return new(FD)
}

// freeFD takes back a record that only tbl knew.
func (s *State) freeFD(tbl *fdTable, f *FD) {
	if f.gen != tbl.gen || f == s.scene.FD || len(s.fdPool) >= maxFDPool {
		return // shared, still looked at, or enough of them: the collector's
	}
	*f = FD{}
	s.fdPool = append(s.fdPool, f)
}
