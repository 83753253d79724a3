// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"sync"
	"time"

	"github.com/falco-go/falco/pkg/alert"
)

// Queue feeds one sink. Send, SetStyle, Reopen, Replace and Close are for the one
// goroutine that owns the stream.
type Queue struct {
	opt   Options
	style *alert.Style
	told  bool // that the queue is full

	mu     sync.Mutex
	report func(Problem, string)
	line   []item // a ring: waiting lines are at head and behind
	head   int
	n      int
	taken  uint64 // alerts that have left the ring
	inHand uint64 // of these, not settled yet
	stats  Stats
	sink   Sink
	next   *change // another sink, when its time has come
	reopen bool
	closed bool
	delay  time.Duration      // after which a delivery is told of
	ctx    context.Context    // of deliveries
	cancel context.CancelFunc // ends the one that is under way
	disk   *disk              // nil without a spool
	limit  int                // capacity

	wake chan struct{} // something for the worker
	room chan struct{} // the ring is no longer full
	done chan struct{} // the workers have ended
}

// item is an alert and how it is to be written.
type item struct {
	*alert.Alert
	style *alert.Style
}

// change is a sink that takes the place of another, behind the alerts that came before.
type change struct {
	sink  Sink
	opt   Options
	after uint64 // how many alerts leave first
	now   bool   // those had their time
}

// Start makes the queue of sink and its worker.
func Start(sink Sink, opt Options) *Queue {
	q := &Queue{sink: sink, wake: make(chan struct{}, 1), room: make(chan struct{}, 1), done: make(chan struct{})}
	q.opt, q.style = opt, &opt.Style
	q.stats.Name = sink.Name()
	q.limits(&opt)
	q.ctx, q.cancel = context.WithCancel(context.Background())
	if opt.Spool != nil {
		q.disk = newDisk(&q.opt)
		go q.keep()
	}
	go q.work()
	return q
}

func (q *Queue) limits(opt *Options) {
	if q.limit = min(opt.Capacity, MaxCapacity); q.limit <= 0 {
		q.limit = DefaultCapacity
	}
	q.delay, q.report = opt.Timeout, opt.Report
}

// say reports.
func (q *Queue) say(p Problem, text string) {
	q.mu.Lock()
	report := q.report
	q.mu.Unlock()
	if report != nil {
		report(p, text)
	}
}

// SetStyle makes the alerts that are sent from now on look otherwise.
func (q *Queue) SetStyle(s alert.Style) { q.style = &s }

// Send hands a to the worker, or drops and counts it if the queue is full.
func (q *Queue) Send(a *alert.Alert) {
	if q.push(a) {
		return
	}
	for wait := q.opt.Wait; wait != nil; {
		select {
		case <-q.room:
			if q.push(a) {
				return
			}
		case <-wait:
			wait = nil
		}
	}
	if !q.told {
		q.told = true
		q.say(Full, "Outputs queue out of memory. Drop event and continue on ...")
	}
	q.mu.Lock()
	q.stats.Accepted++
	q.stats.Dropped++
	if q.opt.Empty {
		q.stats.Dropped += uint64(q.n) - 1
		q.taken += uint64(q.n)
		clear(q.line)
		q.head, q.n = 0, 0
		q.put(a)
	}
	q.mu.Unlock()
	q.poke()
}

// push takes a in if there is room.
func (q *Queue) push(a *alert.Alert) bool {
	q.mu.Lock()
	fits := q.n < q.limit
	if fits {
		q.stats.Accepted++
		q.put(a)
	}
	q.mu.Unlock()
	if fits {
		q.poke()
	}
	return fits
}

// put adds a to the ring, which grows as it has to.
func (q *Queue) put(a *alert.Alert) {
	if q.n == len(q.line) {
		bigger := make([]item, max(16, 2*len(q.line)))
		n := copy(bigger, q.line[q.head:])
		copy(bigger[n:], q.line[:q.head])
		q.line, q.head = bigger, 0
	}
	q.line[(q.head+q.n)%len(q.line)] = item{a, q.style}
	q.n++
}

// pop takes up to most alerts out of the ring; they are in hand until settle.
func (q *Queue) pop(into []item, most int) []item {
	for ; most > 0 && q.n > 0; most-- {
		into = append(into, q.line[q.head])
		q.line[q.head] = item{}
		q.head = (q.head + 1) % len(q.line)
		q.n--
		q.taken++
		q.inHand++
	}
	if q.n == 0 && len(q.line) > 1024 {
		q.line, q.head = nil, 0 // a burst is over
	}
	select {
	case q.room <- struct{}{}:
	default:
	}
	return into
}

// poke has the worker look.
func (q *Queue) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Reopen asks the worker to reopen the sink between two alerts.
func (q *Queue) Reopen() {
	q.mu.Lock()
	q.reopen = true
	q.mu.Unlock()
	q.hurry()
}

// hurry has whoever delivers look, and end a pause.
func (q *Queue) hurry() {
	q.poke()
	if q.disk != nil {
		q.disk.hurry()
	}
}

// Replace makes sink take over from the one that is there. What was sent before
// goes to the old one, for at most limit, and then to the new one; what waits
// on the disk goes to the new one. The order stays. Of opt, Spool and Wait do not count.
func (q *Queue) Replace(sink Sink, opt Options, limit time.Duration) {
	q.SetStyle(opt.Style)
	q.opt.Empty = opt.Empty
	c := &change{sink: sink, opt: opt}
	q.mu.Lock()
	c.after = q.taken + uint64(q.n)
	if q.next != nil { // the one that was to come has not got anything yet
		c.after = q.next.after
	}
	q.next = c
	q.mu.Unlock()
	q.hurry()
	time.AfterFunc(limit, func() {
		q.mu.Lock()
		if q.next == c {
			c.now = true
			q.cancel()
		}
		q.mu.Unlock()
		q.hurry()
	})
}

// Close delivers what is queued, for at most limit, and closes the sink; a queue
// that waits has no limit before Wait is closed, and goes on for as long as something
// is delivered within limit. What waits on the disk stays there if it is not
// delivered by then. It reports whether the worker came to its end; if it did
// not, what is left is counted as dropped and the worker is abandoned.
func (q *Queue) Close(limit time.Duration) bool {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.hurry()
	if q.opt.Wait != nil && q.disk == nil {
		select {
		case <-q.done:
			return true
		case <-q.opt.Wait:
		}
	}
	t := time.NewTimer(limit)
	defer t.Stop()
	for moves := true; moves; {
		before := q.Stats().Sent
		select {
		case <-q.done:
			return true
		case <-t.C:
		}
		if moves = q.opt.Wait != nil && q.Stats().Sent != before; moves {
			t.Reset(limit)
		}
	}
	q.mu.Lock()
	q.abandon()
	q.mu.Unlock()
	q.hurry()
	t.Reset(grace)
	if q.disk != nil {
		t.Reset(diskGrace)
	}
	select {
	case <-q.done:
		return q.disk != nil
	case <-t.C:
	}
	q.mu.Lock()
	q.stats.Stuck = true
	q.mu.Unlock()
	return false
}

// grace is for how long a delivery may take to notice that it is to end, and
// with a spool for how long a last fsync may take.
const (
	grace     = 100 * time.Millisecond
	diskGrace = 2 * time.Second
)

// abandon drops what waits in memory, unless it can still go to the disk, and
// ends the delivery that is under way.
func (q *Queue) abandon() {
	q.cancel()
	if q.disk != nil {
		q.disk.stop()
		return
	}
	q.stats.Dropped += uint64(q.n)
	q.taken += uint64(q.n)
	clear(q.line)
	q.head, q.n = 0, 0
}

// Stats returns the counters; it may be called from anywhere.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	st, d := q.stats, q.disk
	st.Queued = uint64(q.n) + q.inHand
	q.mu.Unlock()
	if d != nil {
		d.stats(&st)
	}
	return st
}

// work is the worker of a queue without a spool.
func (q *Queue) work() {
	if q.disk != nil {
		q.send()
		return
	}
	defer close(q.done)
	var line []byte
	var hand []item
	tell := q.newTeller()
	for {
		q.between(tell)
		q.mu.Lock()
		due := q.most() == 0
		hand = q.pop(hand[:0], q.most())
		end := q.closed && !due && q.n+len(hand) == 0
		q.mu.Unlock()
		if due {
			continue
		}
		if end {
			tell.try(q.sink.Close)
			return
		}
		if len(hand) == 0 {
			<-q.wake
			continue
		}
		a := hand[0]
		hand[0] = item{}
		line = append(a.style.Append(line[:0], a.Alert), '\n')
		q.deliver(tell, Line{line, a.Severity, a.ID})
		if cap(line) > 1<<20 {
			line = nil
		}
	}
}

// most is how many alerts may leave the ring now: none while another sink is due.
func (q *Queue) most() int {
	if q.next != nil && (q.next.now || q.taken >= q.next.after) {
		return 0
	}
	return 1
}

// between does what is to be done between two deliveries.
func (q *Queue) between(tell *teller) {
	q.mu.Lock()
	reopen, next := q.reopen, q.next
	q.reopen = false
	if next != nil && (next.now || q.taken >= next.after || q.disk != nil) {
		q.next = nil
		if q.ctx.Err() != nil && !q.closed {
			q.ctx, q.cancel = context.WithCancel(context.Background())
		}
		q.limits(&next.opt)
	} else {
		next = nil
	}
	q.mu.Unlock()
	if next != nil {
		tell.try(q.sink.Close)
		q.mu.Lock()
		q.sink = next.sink
		q.mu.Unlock()
		q.poke()
	}
	if reopen {
		tell.try(q.sink.Reopen)
	}
}

// deliver hands a line to the sink and counts what becomes of it. A delivery that
// was ended because there is another sink goes to that one.
func (q *Queue) deliver(tell *teller, l Line) {
	for {
		q.mu.Lock()
		ctx, delay := q.ctx, q.delay
		q.mu.Unlock()
		err := tell.tryFor(delay, func() error { return q.sink.Write(ctx, l) })
		q.mu.Lock()
		again := err != nil && ctx.Err() != nil && q.next != nil && q.next.now
		if !again {
			q.inHand--
			switch {
			case err == nil:
				q.stats.Sent++
			case ctx.Err() != nil:
				q.stats.Dropped++
			default:
				q.stats.Failed++
			}
		}
		q.mu.Unlock()
		if !again {
			return
		}
		q.between(tell)
	}
}
