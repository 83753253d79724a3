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

// replay is the source of events from a capture, which a goroutine of its reader
// reads and unpacks ahead. What a further section of the file tells of the time
// before its events goes to the state where it stands: two replays of a file are
// the same, however far ahead somebody reads.
type replay struct {
	name   string
	file   *os.File
	size   int64 // of the file, 0 if it is a pipe
	reader *capture.Reader
	wake   chan struct{} // there is more to be read
	quit   chan struct{} // closed when nobody wants any more
	once   sync.Once
	ext    []byte // the extensions of the event at hand

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

// showEvery is after how many events the progress bar learns of them.
const showEvery = 1 << 12

// openReplay opens a capture, of which a little is read ahead from now on. When stop
// is closed nobody waits any more for a pipe that says nothing.
func openReplay(name string, stop <-chan struct{}) (*replay, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, &failure{form: block, text: fmt.Sprintf("Could not open trace filename %s for reading: %s", name, strerror(err))}
	}
	r := &replay{name: name, file: f, wake: make(chan struct{}, 1), quit: make(chan struct{})}
	st, err := f.Stat()
	pipe := err != nil || !st.Mode().IsRegular()
	if !pipe {
		r.size = st.Size()
	}
	go func() {
		select {
		case <-stop:
			r.interrupt()
		case <-r.quit:
		}
	}()
	if r.reader, err = capture.NewReaderAhead(f, capture.Ahead{Pauses: pipe, Wake: r.call}); err != nil {
		close(r.quit)
		f.Close()
		return nil, r.failure(err)
	}
	return r, nil
}

// call wakes the loop. The reader calls it from its goroutine.
func (r *replay) call() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
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

// begin seeds s with what the file tells of the time before its first event.
func (r *replay) begin(s *state.State) error {
	if err := s.SeedCapture(r.reader); err != nil && !ends(err) {
		return r.failure(err)
	}
	return nil
}

// ends reports whether err is an end that a file may have.
func ends(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, capture.ErrNoEvents) || errors.Is(err, capture.ErrTruncated)
}

// Machine returns where the events come from, as the file says.
func (r *replay) Machine() capture.Machine { return r.reader.Machine() }

// Next makes ev the next event of the file. The end is io.EOF, after a warning in
// the log if the file was cut.
func (r *replay) Next(ev *event.Event) (bool, error) {
	for {
		switch {
		case r.stopped:
			return false, nil
		case r.err != nil:
			return false, r.err
		}
		rec, err := r.reader.Next()
		if err != nil {
			r.tell()
			if err != capture.ErrWait {
				r.err = err
			}
			return false, r.err
		}
		if _, err := ev.Decode(rec.Event); err != nil {
			r.unread++
			continue
		}
		ev.Num, ev.CPU, ev.Flags, ev.StateOnly = rec.Num, rec.CPU, event.PrefixFlags(rec.Prefix()), rec.Flags&capture.StateOnly != 0
		if len(rec.Options) > 0 {
			r.ext = rec.AppendExtensions(r.ext[:0])
			ev.SetExt(r.ext)
		}
		if r.over(ev) {
			r.err = io.EOF
			return false, r.err
		}
		if r.delivered++; r.delivered%showEvery == 0 {
			r.tell()
		}
		return true, nil
	}
}

// tell lets the progress bar know.
func (r *replay) tell() {
	_, place := r.reader.Position()
	r.events.Store(r.delivered)
	r.place.Store(uint64(place))
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

// Arm need not look again: what comes after Next has said that there is nothing wakes.
func (r *replay) Arm() (bool, time.Duration) { return r.err == nil && !r.stopped, 0 }

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

// stop ends the goroutine of the reader, also if it waits for a pipe that nobody
// writes to.
func (r *replay) stop() {
	r.once.Do(func() {
		close(r.quit)
		r.interrupt()
		r.reader.Close()
	})
}

// interrupt ends a read that waits. What is no pipe does not wait for long.
func (r *replay) interrupt() { r.file.SetReadDeadline(time.Unix(1, 0)) }

func (r *replay) Close() error {
	r.stop()
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
	d.log.debugf("%s: %s, %d bytes unpacked, %d events in the file, %d delivered; reading ahead waited %d of %d times", r.name, s.Packed, s.Bytes, raw,
		s.Delivered, s.Waits, s.Ahead)
}
