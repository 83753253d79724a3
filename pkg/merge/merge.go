// SPDX-License-Identifier: Apache-2.0

/*
Package merge turns the rings of all CPUs into one stream, oldest event first.

Each ring is in order by itself: the module stamps an event while it is being
committed and never stamps backwards. Between rings there are three causes of
disorder:

  - A thread moves from one CPU to another, and its fork is in one ring, its
    exec in the other.
  - We look at the rings one after the other, and while we look at the last,
    the first has got something new.
  - A CPU is stopped between taking the time and publishing (an interrupt, a
    hypervisor), so that a ring can still get an event that is older than what
    another ring has shown already.

The first is what merging by time is for. Against the others an event goes out
only when no ring can still produce an older one: either every ring has
something to show (then the oldest head is the oldest of all), or the event is
older than the horizon. The horizon is the time at which the last look at all
rings began, minus Hold, which is longer than a CPU takes to publish.

	look at all rings at 50, Hold 10: horizon 40

	CPU 0   12  31  44             goes out: 12 (CPU 0), 25 (CPU 1), 31 (CPU 0)
	CPU 1   25  47                 waits:    44, 47: CPU 2 is silent, and could still
	CPU 2   (nothing)                        show something from after 40

	look again at 70: horizon 60

	CPU 0   44                     goes out: 43 (CPU 2), 44 (CPU 0), 47 (CPU 1)
	CPU 1   47  66                 waits:    66
	CPU 2   43

So an event waits for Hold at most, and only while some CPU is idle. A machine
with one ring never waits.

Frames are views of ring memory. A frame is valid until the next call of Next;
memory goes back to the kernel in batches, when enough has been read or when
there is nothing left to read.
*/
package merge

import (
	"time"

	"github.com/falco-go/falco/pkg/ring"
)

// Hold is how long a CPU may take from stamping an event to publishing it.
// Commit runs with preemption off and takes less than a microsecond; what is
// added is for interrupts and for virtual CPUs that are not running.
const Hold = 2 * time.Millisecond

// Stats counts what has passed, over all rings.
type Stats struct {
	Events    uint64 // delivered
	Lost      uint64 // told by gap records
	Late      uint64 // delivered although a younger one had gone out before
	Discarded uint64
	Bytes     uint64

	Compared uint64 // times of records with each other: what the order costs
	Looks    uint64 // at all rings: whether there is more
}

// Merge is the reader of all rings. It is not safe for concurrent use.
type Merge struct {
	lanes           []*lane
	heap            []head        // lanes that have something to show, by the time of it
	run             *ring.Ring    // of the first of them, which has been returned and is to be left; or nil
	fence           uint64        // up to this time the next record of run is the oldest of all, and may go out
	clock           func() uint64 // the rings' clock, ns
	horizon         uint64
	last            uint64
	late            uint64
	compared, looks uint64
	err             error
}

// lane is a ring and whether its oldest unread record stands in the heap.
type lane struct {
	ring   *ring.Ring
	queued bool
}

// head is the oldest unread record of a lane.
type head struct {
	ts    uint64
	lane  *lane
	frame *ring.Frame
}

// New returns a Merge of rings; clock tells the time in which their records
// are stamped (driver.BootTime).
func New(rings []*ring.Ring, clock func() uint64) *Merge {
	m := &Merge{heap: make([]head, 0, len(rings)), clock: clock}
	for _, r := range rings {
		m.Add(r)
	}
	return m
}

// Add takes in another ring, of a CPU that has come later.
func (m *Merge) Add(r *ring.Ring) {
	m.lanes = append(m.lanes, &lane{ring: r})
	m.fence = 0 // it may have something older
}

// Err returns why the stream has ended, or nil. A corrupt ring ends it.
func (m *Merge) Err() error { return m.err }

// Stats returns what has passed so far.
func (m *Merge) Stats() Stats {
	s := Stats{Late: m.late, Compared: m.compared, Looks: m.looks}
	for _, l := range m.lanes {
		rs := l.ring.Stats()
		s.Events += rs.Events
		s.Lost += rs.Lost
		s.Discarded += rs.Discards
		s.Bytes += rs.Bytes
	}
	return s
}

// Next returns the oldest record that may go out. ok is false if there is none
// now: Pending tells whether one is waiting for the horizon. The frame of the
// call before must not be used any more.
func (m *Merge) Next() (f *ring.Frame, ok bool) {
	if m.run != nil {
		f, ok = m.run.Step()
		if ok && f.TS <= m.fence {
			if f.TS < m.last {
				m.late++
			} else {
				m.last = f.TS
			}
			return f, true
		}
		m.leave(f, ok)
	}
	return m.first()
}

// first is Next where the record that was returned last has been left.
func (m *Merge) first() (f *ring.Frame, ok bool) {
	if len(m.heap) == 0 || !m.ripe() {
		m.look()
		if len(m.heap) == 0 || !m.ripe() {
			m.Release()
			return nil, false
		}
	}
	h := &m.heap[0]
	if h.ts < m.last {
		m.late++
	} else {
		m.last = h.ts
	}
	m.run, m.fence = h.lane.ring, m.bound()
	return h.frame, true
}

// bound returns up to which time records of the first lane go out before anything else
// has to be looked at: there is a lane with an older one, or the horizon.
func (m *Merge) bound() uint64 {
	bound := uint64(1<<64 - 1)
	if len(m.heap) != len(m.lanes) {
		bound = m.horizon
	}
	for i := 1; i < len(m.heap) && i <= 2; i++ {
		bound = min(bound, m.heap[i].ts)
	}
	return bound
}

// Pending reports whether a record has been seen that is too young to go out.
func (m *Merge) Pending() bool { return len(m.heap) > 0 }

// Drain lets everything out that is in the rings now, whatever its age: for
// the end of a run, when no CPU produces any more.
func (m *Merge) Drain() {
	if m.run != nil {
		m.leave(m.run.Step())
	}
	m.look()
	m.horizon = ^uint64(0)
}

// Release gives all memory that has been read back to the kernel.
func (m *Merge) Release() {
	for _, l := range m.lanes {
		l.ring.Release()
	}
}

// ripe reports whether the oldest record may go out.
func (m *Merge) ripe() bool {
	return len(m.heap) == len(m.lanes) || m.heap[0].ts <= m.horizon
}

// leave puts the first lane where it belongs now: its ring has stepped on to f, or has
// nothing more to show.
func (m *Merge) leave(f *ring.Frame, ok bool) {
	h := &m.heap[0]
	if ok {
		h.ts = f.TS
	} else {
		m.note(m.run.Err())
		h.lane.queued = false
		n := len(m.heap) - 1
		*h = m.heap[n]
		m.heap = m.heap[:n]
	}
	m.run = nil
	if len(m.heap) > 1 {
		m.down(0)
	}
}

// look refills every ring, and moves the horizon: what is older than it is in
// what we have now seen. That holds only if rings that stand in the heap are
// looked at as well; their next records may be older than others' heads.
func (m *Merge) look() {
	m.looks++
	horizon := m.clock()
	if horizon > uint64(Hold) {
		horizon -= uint64(Hold)
	}
	for _, l := range m.lanes {
		if !l.ring.Refill() {
			m.note(l.ring.Err())
			continue
		}
		if l.queued {
			continue
		}
		f, ok := l.ring.Peek()
		if !ok {
			m.note(l.ring.Err())
			continue
		}
		l.queued = true
		m.heap = append(m.heap, head{f.TS, l, f})
		m.up(len(m.heap) - 1)
	}
	m.horizon = max(m.horizon, horizon)
}

// note keeps the first error: a corrupt ring ends the stream.
func (m *Merge) note(err error) {
	if m.err == nil {
		m.err = err
	}
}

// down restores the heap below i.
func (m *Merge) down(i int) {
	for {
		c := 2*i + 1
		if c >= len(m.heap) {
			return
		}
		m.compared += 2
		if c+1 < len(m.heap) && m.heap[c+1].ts < m.heap[c].ts {
			c++
		}
		if m.heap[i].ts <= m.heap[c].ts {
			return
		}
		m.heap[i], m.heap[c] = m.heap[c], m.heap[i]
		i = c
	}
}

// up restores the heap above i.
func (m *Merge) up(i int) {
	for i > 0 {
		p := (i - 1) / 2
		m.compared++
		if m.heap[p].ts <= m.heap[i].ts {
			return
		}
		m.heap[p], m.heap[i] = m.heap[i], m.heap[p]
		i = p
	}
}
