// SPDX-License-Identifier: Apache-2.0

package state

// Memory has a bound; here is who goes first.
//
// Threads stand in a list by the time of their last event, to a second, which
// saves most of the moving. When there are too many, or when the tables weigh too
// much, the oldest record goes, with all that it holds. A main thread whose
// siblings live is passed over: they use its descriptors. Whoever was evicted and
// comes back is read from /proc. Records of tasks that have gone without an exit
// event sink to the old end, where sweep finds them.
//
// A process without arguments and descriptors takes about 780 bytes and counts as
// 910, a descriptor with a name of 28 bytes takes 220 and counts as 230 (weight.go,
// TestWeight). The heap has garbage besides.

// Limits bound the tables. Zero values mean the defaults.
type Limits struct {
	Threads int // records of threads, 262,144
	FDs     int // descriptors of one process, 4,096
	Bytes   int // of memory, as weight.go counts them; 1,024 for each thread that may be
}

func (l Limits) withDefaults() Limits {
	if l.Threads <= 0 {
		l.Threads = 262_144
	}
	if l.FDs <= 0 {
		l.FDs = 4096
	}
	if l.Bytes <= 0 {
		l.Bytes = max(l.Threads<<10, 4<<20)
	}
	return l
}

const (
	second       = 1_000_000_000 // ns
	lruGrain     = second        // how exact the order of the LRU list is
	idleTimeout  = 300 * second  // without an event: is the task still there?
	fakeTimeout  = 300 * second  // a place holder is looked up anew after it
	sweepEvery   = second / 1000 // a record a millisecond is looked at, at most
	evictLookFor = 64            // records passed over before one is taken by force

	maxIdleCgroups = 64 // that may stay remembered when room is needed
)

// touch notes that t had an event.
func (s *State) touch(t *Thread) {
	if s.now >= t.lruTS && s.now-t.lruTS < lruGrain || t == s.newest {
		return
	}
	s.refresh(t)
}

// refresh moves t to the new end of the list.
func (s *State) refresh(t *Thread) {
	s.unlist(t)
	s.enlist(t)
}

func (s *State) enlist(t *Thread) {
	t.lruTS = s.now
	t.older = s.newest
	if s.newest != nil {
		s.newest.newer = t
	} else {
		s.oldest = t
	}
	s.newest = t
}

func (s *State) unlist(t *Thread) {
	if t.older != nil {
		t.older.newer = t.newer
	} else if s.oldest == t {
		s.oldest = t.newer
	}
	if t.newer != nil {
		t.newer.older = t.older
	} else if s.newest == t {
		s.newest = t.older
	}
	t.older, t.newer = nil, nil
}

// makeRoom evicts until one more thread fits. keep is not evicted.
func (s *State) makeRoom(keep *Thread) {
	for tries := 0; len(s.threads) >= s.limits.Threads && tries <= 2*evictLookFor; tries++ {
		if !s.evictOldest(keep, tries >= evictLookFor) {
			return // nobody else is there: a limit below what one event needs
		}
	}
}

// shrink evicts until the tables weigh no more than they may, or, for this time,
// until enough has been done.
func (s *State) shrink() {
	if len(s.cgroups) > maxIdleCgroups {
		s.forgetCgroups() // those that nobody is in
	}
	for tries := 0; s.bytes > s.limits.Bytes && tries <= 2*evictLookFor; tries++ {
		if !s.evictOldest(nil, tries >= evictLookFor) {
			return
		}
	}
}

// evictOldest takes the oldest record out of the tables, or passes it over: main
// threads whose siblings live only go by force. It returns false if there is
// nobody who can go.
func (s *State) evictOldest(keep *Thread, force bool) bool {
	t := s.oldest
	switch {
	case t == nil:
		return false
	case t == keep, t == s.scene.Thread, t.Tid == s.Machine.SelfPid, !force && t.needed():
		if t.newer == nil {
			return false
		}
		s.refresh(t)
		return true
	}
	s.stats.ThreadsEvicted++
	s.stats.FDsEvicted += uint64(t.array().count())
	s.forget(t)
	return true
}

// needed reports whether siblings of t use its descriptors.
func (t *Thread) needed() bool {
	return t.group != nil && t.group.main == t && len(t.group.members) > 1
}

// sweep looks at the oldest record: is it a place holder whose time is over, or
// has its task gone unseen? Without /proc to ask, idle tasks stay.
func (s *State) sweep() {
	t := s.oldest
	if t == nil || s.now < t.lruTS+idleTimeout || s.now < s.sweepTS+sweepEvery {
		return
	}
	s.sweepTS = s.now
	switch {
	case t.Tid == s.Machine.SelfPid, t.needed():
	case !t.Valid():
		s.stats.ThreadsPurged++
		s.remove(t)
		return
	default:
		if alive, known := s.source.alive(t); known && !alive {
			s.stats.ThreadsPurged++
			s.remove(t)
			return
		}
	}
	s.refresh(t)
}

// exitRing remembers the threads that have exited lately: their creator's clone
// event may still be on its way from another CPU, and must not raise the dead.
type exitRing [8192]struct {
	pid, ptid, tid int64
	ts             uint64
}

// exitMemory is how late a caller may come: it can lose its CPU between the call
// and our hook. A number that is used again meanwhile is no matter, for the new
// task's own event makes its record.
const exitMemory = 10 * second

func (r *exitRing) add(t *Thread, ts uint64) {
	e := &r[uint64(t.Tid)%uint64(len(r))]
	e.pid, e.ptid, e.tid, e.ts = t.Pid, t.Ptid, t.Tid, ts
}

// has reports whether tid, which maker has made, has exited not long before ts. A
// thread is of its maker's process, a process is its maker's child.
func (r *exitRing) has(maker *Thread, tid int64, thread bool, ts uint64) bool {
	e := &r[uint64(tid)%uint64(len(r))]
	made := e.ptid == maker.Tid
	if thread {
		made = e.pid == maker.Pid
	}
	return made && r.lately(tid, ts)
}

// lately reports whether tid has exited not long before ts.
func (r *exitRing) lately(tid int64, ts uint64) bool {
	e := &r[uint64(tid)%uint64(len(r))]
	return e.ts != 0 && e.tid == tid && (ts <= e.ts || ts-e.ts < exitMemory)
}
