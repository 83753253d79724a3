// SPDX-License-Identifier: Apache-2.0

package state

// Records that nothing points to any more are used again: on a machine where processes
// come and go, each new one finds that of one that has ended. Descriptors have their pool
// beside their tables (fdtable.go).
//
// Whoever handles an event may still hold a thread that has been forgotten meanwhile, so
// that it waits in gone until Settle has ended the event.
type pools struct {
	gone    []*Thread
	threads []*Thread
	groups  []*Group
	tables  []*fdTable // without an array
	arrays  []*fdArray // empty; what they could hold is counted (weight.go)
	memos   []*memo
}

// maxPool is how many of each are kept.
const maxPool = 256

// maxKeptName bounds what a record keeps for the path of its next open.
const maxKeptName = 256

func (p *pools) init() {
	p.gone, p.threads, p.groups = make([]*Thread, 0, maxPool), make([]*Thread, 0, maxPool), make([]*Group, 0, maxPool)
	p.tables, p.arrays, p.memos = make([]*fdTable, 0, maxPool), make([]*fdArray, 0, maxPool), make([]*memo, 0, maxPool)
}

// take returns the last of a pool, or a new one.
func take[T any](pool *[]*T) *T {
	if n := len(*pool); n > 0 {
		x := (*pool)[n-1]
		*pool = (*pool)[:n-1]
		return x
	}
	return new(T)
}

// give puts x into a pool that has room.
func give[T any](pool *[]*T, x *T) {
	if len(*pool) < maxPool {
		*pool = append(*pool, x)
	}
}

// newThread returns a record of which only the tid is known.
func (s *State) newThread(tid int64) *Thread {
	t := take(&s.pool.threads)
	enter := t.enter
	*t = Thread{
		Tid: tid, Pid: -1, Ptid: -1, Vtid: -1, Vpid: -1, Vpgid: -1, Sid: -1, Pgid: -1, ReaperTid: -1,
		UID: noID, GID: noID, LoginUID: noID, FDLimit: -1, enter: enter,
	}
	return t
}

// discard notes that t is in no table any more.
func (s *State) discard(t *Thread) {
	if !t.forgotten {
		t.forgotten = true
		give(&s.pool.gone, t)
	}
}

// reuse lets records that have been forgotten be used again. Nobody looks at them now.
func (s *State) reuse() {
	for i, t := range s.pool.gone {
		s.pool.gone[i] = nil
		if p := t.enter; p != nil {
			if p.typ = 0; cap(p.name) > maxKeptName {
				t.enter = nil
			}
		}
		*t = Thread{enter: t.enter} // it holds on to nothing
		give(&s.pool.threads, t)
	}
	s.pool.gone = s.pool.gone[:0]
}

// maxKeptSlots is how large an array may be that is kept for the next one.
const maxKeptSlots = 32

// keepArray puts an array that nobody uses and that is cleared into the pool.
func (s *State) keepArray(arr *fdArray) {
	if cap(arr.slots) > maxKeptSlots || len(s.pool.arrays) >= maxPool {
		s.bytes -= slotBytes * cap(arr.slots)
		arr.slots = nil
	}
	arr.slots, arr.free = arr.slots[:0], 0
	give(&s.pool.arrays, arr)
}
