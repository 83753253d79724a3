// SPDX-License-Identifier: Apache-2.0

package output

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/falco-go/falco/pkg/alert"
	"github.com/falco-go/falco/pkg/spool"
)

// A queue with a spool has two workers:
//
//	ring ─► keep: writes lines as they will leave ─► spool ─► send: until the sink has taken it ─► Ack
//	                     └── the disk is full, and the spool is empty ──► send
//
// Between the ring and the disk an alert is for less than a millisecond, unless
// the disk is busy: that much is lost if the process is killed. From there on
// it is lost by nothing but the caps, which count.

// Pauses between attempts, and limits of what is taken at once.
const (
	retryMin  = time.Second
	retryMax  = time.Minute
	diskPause = 200 * time.Millisecond
	lockTries = 50
	batch     = 256
)

// disk is what a queue with a spool has beside the others.
type disk struct {
	opt    *Options
	ready  chan struct{} // closed when it is known whether there is a spool
	direct chan []spool.Entry
	nudge  chan struct{} // ends a pause of send
	over   chan struct{} // closed when there is no more time
	kept   chan struct{} // closed when keep has ended

	mu      sync.Mutex
	sp      *spool.Spool // nil without
	r       *spool.Reader
	backlog uint64
	aged    uint64
	stopped bool
}

func newDisk(opt *Options) *disk {
	if opt.retryMin == 0 {
		opt.retryMin, opt.retryMax = retryMin, retryMax
	}
	return &disk{opt: opt, ready: make(chan struct{}), direct: make(chan []spool.Entry), nudge: make(chan struct{}, 1),
		over: make(chan struct{}), kept: make(chan struct{})}
}

func (d *disk) hurry() {
	select {
	case d.nudge <- struct{}{}:
	default:
	}
}

func (d *disk) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.stopped {
		d.stopped = true
		close(d.over)
	}
}

func (d *disk) stats(st *Stats) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sp == nil {
		return
	}
	r := d.r.Stats()
	st.HasSpool, st.Backlog, st.Disk = true, d.backlog, d.sp.Stats()
	st.Spooled, st.Capped, st.Aged, st.Damaged = r.Pending, r.Capped, r.Aged+d.aged, r.Damaged
}

// open opens the spool.
func (d *disk) open() error {
	sp, err := d.opt.Spool()
	for n := 0; n < lockTries && errors.Is(err, syscall.EWOULDBLOCK); n++ { // a queue that a reload has ended lets go of it soon
		select {
		case <-time.After(diskPause):
		case <-d.over:
		}
		sp, err = d.opt.Spool()
	}
	if err != nil {
		return err
	}
	r, err := sp.Reader(readerName)
	if err != nil {
		sp.Close()
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sp, d.r, d.backlog = sp, r, r.Stats().Pending
	return nil
}

// readerName is that of the one reader of a queue's spool.
const readerName = "output"

// SpoolOptions completes opt for the spool of a queue: the alerts that matter go
// last when there is no room.
func SpoolOptions(opt spool.Options) spool.Options {
	const critical = 2
	opt.Readers, opt.Full, opt.Keep = []string{readerName}, spool.DropOrdinary, critical
	return opt
}

// Waiting returns how many alerts wait in the spool of a queue.
func Waiting(s *spool.Spool) uint64 {
	r, err := s.Reader(readerName)
	if err != nil {
		return 0
	}
	return r.Stats().Pending
}

// A record is a byte for its form, the ID, and the line without its newline.
const form = 1

func encode(a item) []byte {
	b := append(make([]byte, 0, 512), form)
	b = append(b, a.ID[:]...)
	return a.style.Append(b, a.Alert)
}

func decode(class uint8, b []byte) (l Line, ok bool) {
	if len(b) < 1+len(l.ID) || b[0] != form {
		return l, false
	}
	copy(l.ID[:], b[1:])
	l.Text, l.Severity = append(b[1+len(l.ID):], '\n'), alert.Severity(class)
	return l, true
}

// keep brings alerts from the ring to the disk.
func (q *Queue) keep() {
	d := q.disk
	defer close(d.kept)
	if err := d.open(); err != nil {
		q.say(Disk, fmt.Sprintf("%s: %v; alerts wait in memory alone", q.stats.Name, err))
	}
	close(d.ready)
	var hand []item
	var entries []spool.Entry
	for {
		q.mu.Lock()
		hand = q.pop(hand[:0], batch)
		end := q.closed && len(hand) == 0
		q.mu.Unlock()
		if end {
			return
		}
		if len(hand) == 0 {
			<-q.wake
			continue
		}
		entries = entries[:0]
		for _, a := range hand {
			entries = append(entries, spool.Entry{Class: uint8(a.Severity), Payload: encode(a)})
		}
		clear(hand)
		if !q.store(entries) {
			entries = nil // somebody else has them
		}
	}
}

// store appends entries to the spool. While that fails it tries again, and offers
// them to send, which takes them if the spool is empty. It reports whether entries are
// the caller's again.
func (q *Queue) store(entries []spool.Entry) bool {
	d := q.disk
	var said refrain
	for {
		var retry <-chan time.Time
		if d.sp != nil {
			n, err := d.sp.Append(entries...)
			q.settle(n, nil)
			entries = entries[n:]
			if text := said.of(err, time.Now()); text != "" {
				q.say(Disk, q.stats.Name+": "+text)
			}
			if len(entries) == 0 {
				return true
			}
			if errors.Is(err, spool.ErrTooBig) {
				q.settle(1, &q.stats.Failed)
				entries = entries[1:]
				continue
			}
			retry = time.After(diskPause)
		}
		select {
		case d.direct <- entries:
			return false
		case <-retry:
		case <-d.over:
			q.settle(len(entries), &q.stats.Dropped)
			return true
		}
	}
}

// settle takes n alerts off what is in hand, and counts them.
func (q *Queue) settle(n int, counter *uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.inHand -= uint64(n)
	if counter != nil {
		*counter += uint64(n)
	}
}

// tick adds one to a counter.
func (q *Queue) tick(counter *uint64) {
	q.mu.Lock()
	*counter++
	q.mu.Unlock()
}

// send brings what is on the disk to the sink.
func (q *Queue) send() {
	d := q.disk
	defer close(q.done)
	tell := q.newTeller()
	<-d.ready
	p := pacer{q: q, tell: tell, back: spool.Backoff{Min: d.opt.retryMin, Max: d.opt.retryMax}}
	p.run()
	tell.try(q.sink.Close)
	for left := true; left; { // what keep still has to offer finds nobody
		select {
		case e := <-d.direct:
			q.leave(e)
		case <-d.kept:
			left = false
		}
	}
	if d.sp != nil {
		if err := d.sp.Close(); err != nil {
			q.say(Disk, fmt.Sprintf("%s: %v", q.stats.Name, err))
		}
	}
}

// leave puts what was to be delivered from memory on the disk after all, if it
// can, and else drops it.
func (q *Queue) leave(entries []spool.Entry) {
	n := 0
	if q.disk.sp != nil {
		n, _ = q.disk.sp.Append(entries...)
	}
	q.settle(n, nil)
	q.settle(len(entries)-n, &q.stats.Dropped)
}
