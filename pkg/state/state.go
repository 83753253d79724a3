// SPDX-License-Identifier: Apache-2.0

// Package state rebuilds, from the stream of events, what the kernel knew when
// each event happened: threads and their kin, their descriptors, users.
//
// The loop hands in one event at a time:
//
//	scene := st.Apply(ev)   // adds and changes
//	if scene != nil {
//		…                   // rules look: a closing descriptor, a dying thread are still there
//	}
//	st.Settle()             // removes
//
// One goroutine owns a State: there is no lock in this package. An Event and
// the Scene are views that live for one turn; what a record keeps, it owns.
//
// Every table is bounded. At its limit the record that was longest unused goes,
// and is counted; the event at hand always has its record (evict.go).
package state

import (
	"hash/maphash"
	"time"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/schema"
)

// Options are what a State is made from.
type Options struct {
	Machine  Machine
	Limits   Limits
	Source   Source           // reads single tasks from /proc; nil in a replay
	Budget   Budget           // how long Source may take
	Suppress []string         // names of processes that rules never see, nor their descendants
	Now      func() time.Time // for the budget; time.Now if nil

	// Ask puts a question to whoever reads /proc on the side. It must not block:
	// false means that he has no time. The answer comes by TakeTask, TakeSockets or
	// SetUsers. Nil: nobody is there, as in a replay.
	Ask func(Ask) bool

	// Patience is how long, in time of events, the stream itself may take to tell of a
	// container, where Ask is nil.
	Patience time.Duration

	// ClassicContainers has the fields of containers as versions up to 0.40 had them
	// (spec: container field profiles).
	ClassicContainers bool
}

// Stats counts what happened to the tables since New.
type Stats struct {
	Threads int // records now
	FDs     int // descriptors now; what several processes share counts once
	Bytes   int // that the tables take, as counted

	ThreadsEvicted uint64 // for want of room
	FDsEvicted     uint64
	ThreadsPurged  uint64 // gone without an exit event
	Fakes          uint64 // place holders made for threads that nobody could find
	Lookups        uint64 // tasks read from /proc while an event waited
	LookupsMissed  uint64 // of these, tasks that were not there
	LookupsRefused uint64 // not read, for the budget was used up
	LookupTime     time.Duration
	Asks           uint64 // questions for the reader on the side
	AsksLost       uint64 // for which he had no time
	Repaired       uint64 // place holders that his answers have replaced
	BadContainers  uint64 // events that tell of a container in a way that nobody understands
	PathsCut       uint64 // names longer than the limit
	UnknownClones  uint64 // clone events without a usable thread id
	TextsKept      uint64 // names and paths that were not at hand already

	// What has come and gone. A fork that changes a descriptor gets all of its own.
	ThreadsAdded, ThreadsRemoved uint64
	FDsAdded, FDsRemoved         uint64

	ThreadHits, ThreadSearches, ThreadMisses uint64 // asked for by their number: found at once, in the map, not at all
	FDHits, FDSearches, FDMisses             uint64 // of events: found at once, behind another gap than the last one, not at all

	// Entries of system calls: kept until the exit, of threads that nobody knows; exits that found what
	// their entry told, and those that found nothing.
	Enters, EntersLost, EntersUsed, EntersMissed uint64
}

// State holds the tables.
type State struct {
	Machine           Machine
	ClassicContainers bool // see Options

	limits  Limits
	threads map[int64]*Thread
	recent  [1024]*Thread // threads by tid modulo its length, asked before the map
	groups  map[int64]*Group
	exited  exitRing
	oldest  *Thread // LRU list, by lruTS
	newest  *Thread
	users   users

	containers containers
	lineage    []Command // that Lineage has returned

	ports   map[uint16]bool // that somebody listened on when the tables were seeded
	cgroups map[string]*cgroupSet
	source  lookups
	asks    func(Ask) bool

	suppress map[string]bool
	switchTS []uint64       // last switch event, by CPU
	loads    map[int64]Load // the sums of the last load report, by thread
	firstTS  uint64
	now      uint64 // time of the event at hand
	sweepTS  uint64 // when the oldest record was last looked at
	swept    uint64 // when it was last thought of doing so
	clock    uint32 // counts events; stamps uses of descriptors
	fdAsks   fdAsks // questions of kind AskFD
	promises []promise
	bytes    int // that the tables take, as counted (weight.go)

	scene   Scene
	slot    int        // where findFD has found scene.FD
	rare    bool       // scene has something that few events set
	ended   *Container // whose first process was removed by the last Settle
	closing *fdTable   // whose descriptor scene.FDNum Settle removes
	exiting *Thread    // whom Settle removes
	buf     []byte     // for composing names
	joined  []byte     // a base and its slash
	names   interner
	fdPool  []*FD
	pool    pools
	stats   Stats
}

// New returns empty tables.
func New(o Options) *State {
	s := &State{
		Machine: o.Machine, ClassicContainers: o.ClassicContainers,
		limits:  o.Limits.withDefaults(),
		threads: make(map[int64]*Thread),
		groups:  make(map[int64]*Group),
		cgroups: make(map[string]*cgroupSet),
		buf:     make([]byte, 0, 2*maxPath),
		names:   interner{seed: maphash.MakeSeed()},
	}
	s.scene.State = s
	s.pool.init()
	s.source.init(o)
	s.asks = o.Ask
	s.users.init()
	s.containers.init(uint64(o.Patience))
	for _, comm := range o.Suppress {
		if s.suppress == nil {
			s.suppress = make(map[string]bool)
		}
		s.suppress[comm] = true
	}
	return s
}

// Apply takes ev into the tables and returns what rules can look at. It returns
// nil if no rule is to see the event: enter events only note what the exit event
// is compared with, and some threads are suppressed.
//
// Order: find the thread, find the descriptor, change the tables, compare names.
func (s *State) Apply(ev *event.Event) *Scene {
	sc := &s.scene
	sc.Event, sc.FDNum, sc.NameChanged = ev, -1, false // Settle has taken away Thread and FD
	if s.rare {
		s.rare = false
		sc.Container, sc.ExecTime, sc.Load = nil, 0, Load{}
	}
	s.now = ev.TS
	s.clock++
	if s.firstTS == 0 {
		s.began(ev)
	}
	r := &table[ev.Type]
	if r.kind >= ofEnter {
		return s.other(ev, r)
	}
	t := s.recently(ev.Tid)
	if t != nil {
		s.stats.ThreadHits++
	} else {
		t = s.resolve(ev.Tid, r.find)
	}
	sc.Thread = t

	if r.fd > 0 {
		if n, ok := ev.Int(int(r.fd)); ok {
			sc.FDNum = n
			if t != nil && t.fds != nil {
				s.findFD(t.fds, n)
			} else if tbl := s.files(t); tbl != nil {
				s.findFD(tbl, n)
			}
		}
	}
	if f := sc.FD; r.fn != nil {
		var name string
		if f != nil {
			name = f.Name
		}
		r.fn(s, ev)
		if sc.FD != nil && (sc.FD != f && !r.keeps || r.names) {
			sc.NameChanged = sc.FD.Name != name
		}
		t = sc.Thread // a clone's child has only now become known
	} else if r.carries && f != nil && f.Type.IsIP() {
		s.transfer(ev)
	}

	if t != nil {
		if t.enter != nil && r.kind == ofCall {
			t.enter.typ = 0
		}
		if s.now-t.lruTS >= lruGrain { // also if it is before that
			s.touch(t)
		}
		if t.suppressed {
			return nil
		}
	}
	return sc
}

// Pass takes in an event that nobody will look at: it is Apply and Settle in one where
// the type of the event changes no table. That costs one look whether the thread is
// known, and nothing else; a descriptor that the event names is not counted as used. Where
// done is false nothing has happened, and the event is to be applied; shown says whether
// Apply would have returned a Scene.
func (s *State) Pass(ev *event.Event) (done, shown bool) {
	if !table[ev.Type].passes {
		return false, false
	}
	return s.pass(ev)
}

func (s *State) pass(ev *event.Event) (done, shown bool) {
	t := s.recently(ev.Tid)
	if t == nil || s.firstTS == 0 || ev.TS-t.lruTS >= lruGrain && t != s.newest || ev.TS-s.swept >= sweepGrain || s.bytes > s.limits.Bytes {
		return false, false
	}
	s.now = ev.TS
	s.clock++
	s.stats.ThreadHits++
	s.ended = nil
	if t.enter != nil {
		t.enter.typ = 0
	}
	return true, !t.suppressed
}

// recently returns the thread tid if it was asked for lately and is no place holder, else nil.
func (s *State) recently(tid int64) *Thread {
	if t := s.recent[uint64(tid)%uint64(len(s.recent))]; t != nil && t.Tid == tid && t.Valid() {
		return t
	}
	return nil
}

// began takes in the time of the first event that is about a thread.
func (s *State) began(ev *event.Event) {
	if table[ev.Type].kind != ofNone {
		s.firstTS = ev.TS
	}
}

// other is Apply for the kinds that end no system call and are about no thread's doing.
func (s *State) other(ev *event.Event, r *row) *Scene {
	if r.kind == ofEnter {
		s.noteEnter(ev, s.resolve(ev.Tid, r.find))
		return nil
	}
	s.rare = true
	s.meta(ev)
	return &s.scene
}

// findFD makes descriptor n of tbl the one that the event is about.
func (s *State) findFD(tbl *fdTable, n int64) {
	i, slots := int(n-tbl.skew), tbl.arr.slots
	if uint(i) < uint(len(slots)) && int64(slots[i].num) == n && slots[i].fd != nil { // what find does first
		s.stats.FDHits++
	} else if j, ok := tbl.search(n); ok {
		i = j
		s.stats.FDSearches++
	} else {
		s.stats.FDMisses++
		return
	}
	s.slot = i
	slot := &slots[i]
	slot.use = s.clock
	s.scene.FD = slot.fd
}

// Settle removes what the last event ended: closed descriptors, exited threads.
// It must be called once after each Apply.
func (s *State) Settle() {
	// Nobody looks any more: the record of the descriptor can be used again.
	s.ended, s.scene.FD, s.scene.Thread = nil, nil, nil
	if s.closing != nil || s.exiting != nil || len(s.pool.gone) > 0 {
		s.end()
	}
	if s.bytes > s.limits.Bytes {
		s.shrink()
	}
	if s.now-s.swept >= sweepGrain { // also if time steps back
		s.swept = s.now
		s.sweep()
		if len(s.promises) > 0 {
			s.keepPromises(maxPromises)
		}
		if s.fdAsks.open() {
			s.takeAnswers()
			s.sendFDs()
		}
		s.containers.sweep(s.now)
	}
}

// end removes what Settle is to remove.
func (s *State) end() {
	if tbl := s.closing; tbl != nil {
		s.closing = nil
		// It stands where it was found, unless others have the same array.
		if n, i := s.scene.FDNum, s.slot; tbl.arr.refs == 1 && i < len(tbl.arr.slots) && int64(tbl.arr.slots[i].num) == n && tbl.arr.slots[i].fd != nil {
			s.deleteSlot(tbl, i)
		} else {
			s.removeFD(tbl, n)
		}
	}
	if t := s.exiting; t != nil {
		s.exiting = nil
		s.exited.add(t, s.now)
		s.remove(t)
	}
	s.reuse()
}

// sweepGrain is how exact the ends of waiting times are, in ns.
const sweepGrain = 100_000

// Stats returns the counters.
func (s *State) Stats() Stats {
	st := s.stats
	st.Threads, st.FDs, st.Bytes, st.TextsKept = len(s.threads), int(st.FDsAdded-st.FDsRemoved), s.bytes, s.names.kept
	return st
}

// Limits returns what the tables are bounded by.
func (s *State) Limits() Limits { return s.limits }

// meta takes in an event that no thread caused.
func (s *State) meta(ev *event.Event) {
	switch ev.Type {
	case schema.UserAddedE:
		s.users.addedUser(ev)
	case schema.UserDeletedE:
		s.users.deletedUser(ev)
	case schema.GroupAddedE:
		s.users.addedGroup(ev)
	case schema.GroupDeletedE:
		s.users.deletedGroup(ev)
	case schema.ContainerJsonE:
		text, _ := ev.Str(0)
		s.scene.Container = s.containerEvent([]byte(text))
	case schema.AsynceventE:
		s.scene.Container = s.asyncEvent(ev)
	case schema.ProcinfoE:
		s.scene.Thread, s.scene.Load = s.Lookup(ev.Tid), s.loadReport(ev)
	}
}
