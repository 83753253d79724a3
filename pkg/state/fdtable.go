// SPDX-License-Identifier: Apache-2.0

package state

import (
	"cmp"
	"math"
	"slices"
)

// fdTable holds descriptors, sorted by number. It is used by one process, or by
// several that were cloned with CLONE_FILES, or by a thread that has parted with
// its process.
//
// A fork shares slots and records: the child's table points to the same
// memory, both tables get a new generation, and whoever writes first copies.
// So a fork costs nothing for the descriptors that an exec will close anyway.
type fdTable struct {
	slots  []fdSlot
	gen    uint64 // records with another one belong to somebody else as well
	shared bool   // slots belong to somebody else as well
	users  int    // records that point here
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

// newTable returns an empty table with one user.
func (s *State) newTable() *fdTable {
	var tbl *fdTable
	if n := len(s.tables); n > 0 {
		tbl, s.tables = s.tables[n-1], s.tables[:n-1]
	} else {
		tbl = new(fdTable)
	}
	s.gens++
	tbl.users, tbl.gen = 1, s.gens
	return tbl
}

// release takes a user from tbl; without one it is gone.
func (s *State) release(tbl *fdTable) {
	if tbl.users--; tbl.users > 0 {
		return
	}
	if s.closing == tbl {
		s.closing = nil
	}
	s.fdSlots -= len(tbl.slots)
	*tbl = fdTable{}
	if len(s.tables) < maxFDPool {
		s.tables = append(s.tables, tbl)
	}
}

// tableOf returns the table that a new descriptor of t goes to, nil if nobody
// knows t's process.
func (s *State) tableOf(t *Thread) *fdTable {
	if t != nil && t.fds != nil {
		return t.fds
	}
	o := s.owner(t)
	if o == nil {
		return nil
	}
	if o.fds == nil {
		o.fds = s.newTable()
	}
	return o.fds
}

// fork returns a copy of p.
func (s *State) fork(p *fdTable) *fdTable {
	c := s.newTable()
	s.gens++
	p.gen = s.gens
	c.slots = p.slots
	c.shared, p.shared = true, true
	s.fdSlots += len(c.slots)
	return c
}

// addFD gives t's process the descriptor n, which the event at hand has made, in
// the place of whatever had that number; it becomes the event's descriptor. If
// nobody knows the process, only the number does.
func (s *State) addFD(t *Thread, n int64, fd *FD) {
	if n < 0 || n > math.MaxInt32 {
		return
	}
	s.scene.FDNum, s.scene.FD = n, nil
	if tbl := s.tableOf(t); tbl != nil {
		s.putFD(tbl, n, fd)
		s.scene.FD = fd
	}
}

// putFD makes fd descriptor n of tbl, evicting another if there are too many.
func (s *State) putFD(tbl *fdTable, n int64, fd *FD) {
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

// removeFD removes descriptor n if it is there. tbl may be nil.
func (s *State) removeFD(tbl *fdTable, n int64) {
	if tbl == nil {
		return
	}
	if i, ok := tbl.find(n); ok {
		tbl.own(0)
		s.deleteSlot(tbl, i)
	}
}

func (s *State) deleteSlot(tbl *fdTable, i int) {
	s.freeFD(tbl, tbl.slots[i].fd)
	tbl.slots = slices.Delete(tbl.slots, i, i+1)
	s.fdSlots--
}

// dropFDs takes the table away that stands in the record of t.
func (s *State) dropFDs(t *Thread) {
	if t.fds != nil {
		s.release(t.fds)
		t.fds = nil
	}
}

// filterFDs removes the descriptors that gone tells. tbl may be nil.
func (s *State) filterFDs(tbl *fdTable, gone func(n int64, f *FD) bool) {
	if tbl == nil || !slices.ContainsFunc(tbl.slots, func(sl fdSlot) bool { return gone(int64(sl.num), sl.fd) }) {
		return
	}
	tbl.own(0)
	before := len(tbl.slots)
	tbl.slots = slices.DeleteFunc(tbl.slots, func(sl fdSlot) bool { return gone(int64(sl.num), sl.fd) })
	s.fdSlots -= before - len(tbl.slots)
}

// unshareFiles gives t's process a table of its own if it shares one with other
// processes; t alone if it is a thread of several.
func (s *State) unshareFiles(t *Thread) {
	if t == nil || t.group == nil {
		return
	}
	switch old := s.files(t); {
	case old == nil:
	case t.fds == nil: // a thread that uses those of the main one
		t.fds, t.ownFiles = s.fork(old), true
	case t.group.main == t && len(t.group.members) > 1:
		for _, m := range t.group.members { // they stay with what there was
			if m.fds == nil {
				m.fds, m.ownFiles = old, true
				old.users++
			}
		}
		fallthrough
	default:
		if old.users > 1 {
			t.fds = s.fork(old)
			s.release(old)
		}
	}
}

// writable returns descriptor n of t's process for changing: the record itself,
// or a copy in its place if other processes share it. It is nil if n is unknown.
func (s *State) writable(t *Thread, n int64) *FD {
	tbl := s.files(t)
	if tbl == nil {
		return nil
	}
	i, ok := tbl.find(n)
	if !ok {
		return nil
	}
	f := tbl.slots[i].fd
	if f.gen == tbl.gen {
		return f
	}
	w := s.newFD()
	*w = *f
	w.gen = tbl.gen
	tbl.own(0)
	tbl.slots[i].fd = w
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
