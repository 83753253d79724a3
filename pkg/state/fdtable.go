// SPDX-License-Identifier: Apache-2.0

package state

import (
	"math"
	"slices"
)

// fdTable holds descriptors. It is used by one process, or by several that were
// cloned with CLONE_FILES, or by a thread that has parted with its process.
//
// A fork shares the array: both tables point to it, and whoever writes first makes
// a copy. So a fork costs nothing for the descriptors that an exec will close
// anyway. Records are shared in the same way, by arrays:
//
//	threads ──► fdTable ─┐
//	                     ├─► fdArray ─┬─► FD
//	threads ──► fdTable ─┘            │
//	threads ──► fdTable ───► fdArray ─┴─► FD
type fdTable struct {
	arr   *fdArray
	users int   // records of threads that point here
	skew  int64 // by how much numbers were larger than their places where one was found last
}

// fdArray is sorted by number. What is closed leaves a free slot where others stand
// behind it: the kernel gives the lowest number that is free, so that it is soon used
// again, and nothing has to move.
type fdArray struct {
	slots []fdSlot // the last one is not free
	free  int
	refs  int // tables that point here
}

type fdSlot struct {
	num int32
	use uint32 // the State's clock at the last use
	fd  *FD    // nil: free
}

// spareSlots is how many more may be free than are not.
const spareSlots = 16

// each calls visit with each descriptor in the order of their numbers until it returns
// false. a may be nil.
func (a *fdArray) each(visit func(n int64, f *FD) bool) {
	if a == nil {
		return
	}
	for i := range a.slots {
		if sl := &a.slots[i]; sl.fd != nil && !visit(int64(sl.num), sl.fd) {
			return
		}
	}
}

// count returns how many descriptors there are.
func (a *fdArray) count() int {
	if a == nil {
		return 0
	}
	return len(a.slots) - a.free
}

const slotBytes = 16

// find returns where n is, or would have to be put: there may be a free slot for it.
func (t *fdTable) find(n int64) (int, bool) {
	slots := t.arr.slots
	if i := uint64(n - t.skew); i < uint64(len(slots)) && int64(slots[i].num) == n {
		return int(i), slots[i].fd != nil // as many gaps below n as below the last one
	}
	return t.search(n)
}

// search is find for whoever has another number of gaps below.
func (t *fdTable) search(n int64) (int, bool) {
	slots := t.arr.slots
	if uint64(n) < uint64(len(slots)) && int64(slots[n].num) == n {
		t.skew = 0
		return int(n), slots[n].fd != nil
	}
	if n < 0 || n > math.MaxInt32 {
		return 0, false
	}
	if k := len(slots); k == 0 || int64(slots[k-1].num) < n {
		return k, false // the next free number, with nothing behind it
	}
	from, to := 0, int(min(n, int64(len(slots)))) // numbers differ, so n stands at n at most
	for from < to {
		m := int(uint(from+to) / 2)
		if int64(slots[m].num) < n {
			from = m + 1
		} else {
			to = m
		}
	}
	if from == len(slots) || int64(slots[from].num) != n {
		return from, false
	}
	t.skew = n - int64(from)
	return from, slots[from].fd != nil
}

func (t *fdTable) get(n int64) *FD {
	if i, ok := t.find(n); ok {
		return t.arr.slots[i].fd
	}
	return nil
}

// newTable returns an empty table with one user.
func (s *State) newTable() *fdTable {
	tbl := take(&s.pool.tables)
	tbl.arr = take(&s.pool.arrays)
	tbl.users, tbl.skew, tbl.arr.refs = 1, 0, 1
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
	arr := tbl.arr
	tbl.arr = nil
	give(&s.pool.tables, tbl)
	if arr.refs--; arr.refs > 0 {
		return // it is somebody else's
	}
	for _, f := range arr.each {
		s.freeFD(f)
	}
	s.stats.FDsRemoved += uint64(arr.count())
	clear(arr.slots)
	s.keepArray(arr)
}

// own makes the array tbl's alone, with room for more. Nothing moves to another slot.
func (s *State) own(tbl *fdTable, more int) {
	if tbl.arr.refs > 1 {
		s.part(tbl, more)
	}
}

// part is own for an array that others have too.
func (s *State) part(tbl *fdTable, more int) {
	old := tbl.arr
	old.refs--
	arr := take(&s.pool.arrays)
	if need := len(old.slots) + more; cap(arr.slots) < need {
		s.bytes -= slotBytes * cap(arr.slots)
		arr.slots = make([]fdSlot, 0, max(need, 4))
		s.bytes += slotBytes * cap(arr.slots)
	}
	arr.slots, arr.free, arr.refs = append(arr.slots, old.slots...), old.free, 1
	for _, f := range old.each {
		f.refs++
	}
	s.stats.FDsAdded += uint64(old.count())
	tbl.arr = arr
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
	p.arr.refs++
	tbl := take(&s.pool.tables)
	tbl.arr, tbl.users, tbl.skew = p.arr, 1, p.skew
	return tbl
}

// addFD gives t's process the descriptor n, which the event at hand has made, in
// the place of whatever had that number; it becomes the event's descriptor. If
// nobody knows the process, only the number does.
func (s *State) addFD(t *Thread, n int64, fd *FD) {
	if n < 0 || n > math.MaxInt32 {
		return
	}
	s.scene.FDNum, s.scene.FD = n, nil
	var tbl *fdTable
	if t != nil {
		tbl = t.fds
	}
	if tbl == nil {
		if tbl = s.tableOf(t); tbl == nil {
			return
		}
	}
	s.putFD(tbl, n, fd)
	s.scene.FD = fd
}

// putFD makes fd descriptor n of tbl, evicting another if there are too many.
func (s *State) putFD(tbl *fdTable, n int64, fd *FD) {
	s.own(tbl, 1)
	fd.refs, fd.cost = 1, 0
	s.weighFD(fd)
	arr := tbl.arr
	i, ok := tbl.find(n)
	if ok {
		s.freeFD(arr.slots[i].fd)
		arr.slots[i].fd, arr.slots[i].use = fd, s.clock
		return
	}
	if arr.count() >= s.limits.FDs {
		s.evictFD(tbl)
		i, _ = tbl.find(n)
	}
	s.stats.FDsAdded++
	if i < len(arr.slots) && arr.slots[i].num == int32(n) {
		arr.free--
		arr.slots[i].fd, arr.slots[i].use = fd, s.clock
		return
	}
	before := cap(arr.slots)
	if slot := (fdSlot{num: int32(n), use: s.clock, fd: fd}); i == len(arr.slots) { // the next free number: the usual case
		arr.slots = append(arr.slots, slot)
	} else {
		arr.slots = slices.Insert(arr.slots, i, slot)
	}
	s.bytes += slotBytes * (cap(arr.slots) - before)
}

// evictFD removes the descriptor that was longest unused.
func (s *State) evictFD(tbl *fdTable) {
	worst, age := 0, uint32(0)
	for i, sl := range tbl.arr.slots {
		if a := s.clock - sl.use; sl.fd != nil && a >= age { // modulo 2^32
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
		s.own(tbl, 0)
		s.deleteSlot(tbl, i)
	}
}

func (s *State) deleteSlot(tbl *fdTable, i int) {
	s.stats.FDsRemoved++
	arr := tbl.arr
	s.freeFD(arr.slots[i].fd)
	arr.slots[i].fd = nil
	n := len(arr.slots)
	if i < n-1 {
		arr.free++
	} else {
		for n--; n > 0 && arr.slots[n-1].fd == nil; n-- {
			arr.free--
		}
		arr.slots = arr.slots[:n]
	}
	if arr.free > spareSlots && arr.free > n-arr.free+spareSlots {
		arr.slots, arr.free = slices.DeleteFunc(arr.slots, func(sl fdSlot) bool { return sl.fd == nil }), 0
	}
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
	if tbl == nil || !slices.ContainsFunc(tbl.arr.slots, func(sl fdSlot) bool { return sl.fd != nil && gone(int64(sl.num), sl.fd) }) {
		return
	}
	s.own(tbl, 0)
	arr := tbl.arr
	before := arr.count()
	arr.slots = slices.DeleteFunc(arr.slots, func(sl fdSlot) bool {
		switch {
		case sl.fd == nil:
		case gone(int64(sl.num), sl.fd):
			s.freeFD(sl.fd)
		default:
			return false
		}
		return true
	})
	arr.free = 0
	s.stats.FDsRemoved += uint64(before - len(arr.slots))
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
	s.own(tbl, 0)
	f := tbl.arr.slots[i].fd
	if f.refs == 1 {
		return f
	}
	f.refs--
	w := s.newFD()
	*w = *f
	w.refs, w.cost = 1, 0
	s.weighFD(w)
	tbl.arr.slots[i].fd = w
	if s.scene.FD == f {
		s.scene.FD = w
	}
	return w
}

// newFD returns an empty record, if possible one that was freed.
func (s *State) newFD() *FD {
	if n := len(s.fdPool); n > 0 {
		f := s.fdPool[n-1]
		s.fdPool = s.fdPool[:n-1]
		return f
	}
	return new(FD)
}

// freeFD takes a reference to f; without one it is gone.
func (s *State) freeFD(f *FD) {
	if f.refs--; f.refs > 0 {
		return
	}
	s.bytes -= int(f.cost)
	f.cost = 0
	if f == s.scene.FD || len(s.fdPool) >= maxPool {
		return // still looked at, or there are enough: the collector's
	}
	*f = FD{}
	s.fdPool = append(s.fdPool, f)
}
