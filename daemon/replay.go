// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/falco-go/falco/pkg/capture"
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// A replay reads ahead: unpacking and converting run beside the loop.
//
//	file ─► capture.Reader ─► batch ─► full ─► loop
//	        (a goroutine)       ▲               │
//	                            └──── free ◄────┘
//
// The batches go round and are all the memory that there is. A batch holds events,
// or what a further section of the file tells of the time before its events; the
// loop takes either in where it stands in the file. So nothing depends on how
// far ahead somebody reads, and two replays of a file are the same.
//
// A file fills batches as fast as anybody can ask. A pipe may pause: its batches
// go when the loop has nothing else to do, full or not.
const (
	batches     = 4
	batchBytes  = 256 << 10
	batchEvents = 4096
	batchTables = 64 // records of tables
)

// batch is a piece of a capture.
type batch struct {
	buf    []byte // the events' bytes, one behind the other
	events []placed
	tables []func(capture.Tables)
	at     int64 // in the file as it lies on the disk, behind this batch
	err    error // why there is no batch behind this one
}

// placed is an event in a batch.
type placed struct {
	len    int // of the event itself; behind it are its extensions
	end    int // in buf, where the next event begins
	num    uint64
	cpu    int
	flags  event.PrefixFlags
	hidden bool // changes tables and is not shown
}

// replay is the source of events from a capture.
type replay struct {
	name   string
	file   *os.File
	size   int64 // of the file
	reader *capture.Reader

	full, free chan *batch
	wake       chan struct{} // a batch is there
	quit       chan struct{} // closed when nobody wants a batch any more
	gone       chan struct{} // closed when the goroutine has ended
	filling    *batch        // of the goroutine; of a pipe, of whoever holds mu
	pipe       bool
	mu         sync.Mutex
	started    bool
	once       sync.Once

	state  *state.State
	tables capture.Tables // of state
	told   capture.Machine
	cur    *batch
	next   int // event of cur
	start  int // in cur.buf

	window  time.Duration // of the events' own time; 0 is all
	bounded bool
	until   uint64 // when window ends, 0 before the first event

	stopped   bool
	err       error // what ended the stream; io.EOF if all is well
	delivered uint64
	unread    uint64

	// For the progress bar, which looks at them from elsewhere.
	events, place atomic.Uint64
}

// openReplay opens a capture. Nothing is read of it but its kind before begin. When
// stop is closed nobody waits any more for a pipe that says nothing.
func openReplay(name string, stop <-chan struct{}) (*replay, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, &failure{form: block, text: fmt.Sprintf("Could not open trace filename %s for reading: %s", name, strerror(err))}
	}
	r := &replay{
		name: name, file: f,
		full: make(chan *batch, batches), free: make(chan *batch, batches),
		wake: make(chan struct{}, 1), quit: make(chan struct{}), gone: make(chan struct{}),
	}
	if st, err := f.Stat(); err == nil && st.Mode().IsRegular() {
		r.size = st.Size()
	} else {
		r.pipe = true
	}
	go func() {
		select {
		case <-stop:
			r.interrupt()
		case <-r.quit:
		}
	}()
	if r.reader, err = capture.NewReader(f); err != nil {
		close(r.quit)
		f.Close()
		return nil, r.failure(err)
	}
	return r, nil
}

// strerror returns what the system said, as C programs print it.
func strerror(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		text := errno.Error()
		return strings.ToUpper(text[:1]) + text[1:]
	}
	return err.Error()
}

func (r *replay) failure(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errors.New("interrupted")
	}
	f := &failure{form: block, text: fmt.Sprintf("read %s: %v", r.name, err)}
	if r.delivered > 0 {
		f.hint = fmt.Sprintf("the %d events before are in what you see", r.delivered)
	}
	return f
}

// begin seeds s with what the file tells of the time before its first event, and
// starts to read ahead.
func (r *replay) begin(s *state.State) error {
	r.state, r.tables = s, s.Tables()
	err := r.reader.Seed((*relay)(r))
	if err != nil && !ends(err) {
		return r.failure(err)
	}
	r.started = true
	for range batches {
		r.free <- &batch{buf: make([]byte, 0, batchBytes), events: make([]placed, 0, batchEvents)}
	}
	go r.ahead()
	return nil
}

// ends reports whether err is an end that a file may have.
func ends(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, capture.ErrNoEvents) || errors.Is(err, capture.ErrTruncated)
}

// Machine returns where the events come from, as the file says.
func (r *replay) Machine() capture.Machine { return r.told }

// Next makes ev the next event of the file. The end is io.EOF, after a warning in
// the log if the file was cut.
func (r *replay) Next(ev *event.Event) (bool, error) {
	for {
		if r.stopped {
			return false, nil
		}
		if r.err != nil {
			return false, r.err
		}
		if r.cur == nil {
			select {
			case r.cur = <-r.full:
				r.next, r.start = 0, 0
			default:
				if r.steal() {
					continue
				}
				return false, nil
			}
			for _, tell := range r.cur.tables {
				tell(r.tables)
			}
		}
		if r.next == len(r.cur.events) {
			r.done()
			continue
		}
		p := &r.cur.events[r.next]
		rec := r.cur.buf[r.start:p.end]
		r.next, r.start = r.next+1, p.end
		if _, err := ev.Decode(rec); err != nil {
			r.unread++
			continue
		}
		ev.Num, ev.CPU, ev.Flags, ev.StateOnly = p.num, p.cpu, p.flags, p.hidden
		if p.len < len(rec) {
			ev.SetExt(rec[p.len:])
		}
		if r.over(ev) {
			r.err = io.EOF
			return false, r.err
		}
		r.delivered++
		return true, nil
	}
}

// done gives the batch at hand back.
func (r *replay) done() {
	b := r.cur
	r.cur = nil
	r.events.Store(r.delivered)
	if b.at > 0 {
		r.place.Store(uint64(b.at))
	}
	if b.err != nil {
		r.err = b.err
	}
	r.free <- b
}

// over reports whether ev lies behind the time that was asked for. A capture has
// no other time than that of its events.
func (r *replay) over(ev *event.Event) bool {
	switch {
	case !r.bounded:
		return false
	case r.until == 0:
		r.until = max(uint64(int64(ev.TS)+int64(r.window)), 1)
		return false
	}
	return ev.TS > r.until
}

// bound lets the replay end that many seconds of its own time after its first event.
func (r *replay) bound(seconds int) {
	r.window, r.bounded = time.Duration(seconds)*time.Second, seconds != 0
}

func (r *replay) Arm() (bool, time.Duration) {
	return r.err == nil && r.cur == nil && len(r.full) == 0 && !r.stopped, 0
}

func (r *replay) C() <-chan struct{} { return r.wake }
func (r *replay) Woken() error       { return nil }

// Stop leaves the rest of the file.
func (r *replay) Stop() error {
	r.stopped = true
	return nil
}

func (r *replay) Ledger() (ledger, error) {
	return ledger{Seen: r.delivered, Delivered: r.delivered, Unread: r.unread}, nil
}

// stop ends the goroutine, also if it waits for a pipe that nobody writes to.
// After it the reader is the caller's.
func (r *replay) stop() {
	r.once.Do(func() {
		close(r.quit)
		r.interrupt()
	})
	if r.started {
		<-r.gone
	}
}

// interrupt ends a read that waits. What is no pipe does not wait for long.
func (r *replay) interrupt() { r.file.SetReadDeadline(time.Unix(1, 0)) }

func (r *replay) Close() error {
	r.stop()
	r.reader.Close()
	return r.file.Close()
}

// beginReplay makes a state that knows the file and nothing of this machine: /proc,
// users and name servers of here and now say nothing about there and then.
func (d *daemon) beginReplay(r *replay) error {
	d.deferRules(true)
	d.pipe.state = state.New(state.Options{Limits: state.Limits{Threads: d.cfg.ThreadTableSize}, ClassicContainers: d.cfg.ClassicFields,
		Patience: d.pipe.later.wait})
	if err := r.begin(d.pipe.state); err != nil {
		return err
	}
	d.bar.watch(r)
	notify(notifyReady)
	return nil
}

// endReplay says how the stream has ended: nil if all is well.
func (d *daemon) endReplay(r *replay, err error) error {
	r.stop()
	d.bar.stop()
	d.tellReader(r)
	switch f := (*failure)(nil); {
	case errors.As(err, &f): // of somebody else
		return err
	case errors.Is(err, capture.ErrTruncated):
		d.log.warnf("%s: %v; the %d events before are whole", r.name, err, r.delivered)
	case errors.Is(err, capture.ErrNoEvents):
		d.log.warnf("%s: %v", r.name, err)
	case err != nil && !errors.Is(err, io.EOF):
		return r.failure(err)
	}
	return nil
}

// tellReader puts into the log what the reader could not use.
func (d *daemon) tellReader(r *replay) {
	s := r.reader.Stats()
	var parts []string
	for _, c := range []struct {
		name string
		n    uint64
	}{
		{"events of unknown types", s.Unknown}, {"events whose lengths do not add up", s.Malformed},
		{"events of old layouts that fit nothing", s.Stranded}, {"blocks of unknown types", s.Skipped},
		{"lists behind events", s.Misplaced}, {"entries of lists that do not add up", s.BadEntries},
	} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%s: %d", c.name, c.n))
		}
	}
	if len(parts) > 0 {
		d.log.warnf("%s: not everything could be used (%s)", r.name, strings.Join(parts, ", "))
	}
	var raw uint64
	for t := range schema.NumEvents {
		raw += s.Raw[t]
	}
	d.log.debugf("%s: %s, %d bytes unpacked, %d events in the file, %d delivered", r.name, s.Packed, s.Bytes, raw, s.Delivered)
}
