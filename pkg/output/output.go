// SPDX-License-Identifier: Apache-2.0

// Package output carries finished alerts to the places that want them.
//
// Each sink has a bounded queue and a worker of its own, so that a slow one
// delays neither the stream nor the other sinks. What does not fit is dropped
// and counted; the stream never waits, unless it is one that can (Options.Wait). An Alert that was sent belongs to the
// queues and must not be changed any more: several workers may be reading it.
//
// stdout.go, file.go, program.go, syslog.go and http.go are the sinks.
package output

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/falco-go/falco/pkg/alert"
)

// Limits of a queue, in alerts.
const (
	DefaultCapacity = 65536
	MaxCapacity     = 1 << 20
)

// Sink is a place that alerts go to. All calls come from one worker.
type Sink interface {
	Name() string     // as messages call it: "stdout"
	Write(Line) error // delivers one line
	Reopen() error    // after log rotation; nil where it means nothing
	Close() error     // delivers what is buffered
}

// Line is an alert as it leaves. Text ends with a newline and is lent.
type Line struct {
	Text     []byte
	Severity alert.Severity
}

// Options say how a queue behaves. Report is called from the worker and from
// Send; it must not block for long and may be called concurrently.
type Options struct {
	Style    alert.Style
	Capacity int           // 0 means DefaultCapacity
	Empty    bool          // a full queue is emptied, not the newcomer dropped
	Timeout  time.Duration // a delivery that takes longer is reported; 0 means never
	Report   func(Problem, string)

	// Wait, if not nil, makes Send wait for room, and Close for the last delivery,
	// until Wait is closed: a capture has time.
	Wait <-chan struct{}
}

// Problem is the kind of a report, from which the daemon takes the log level.
type Problem uint8

// Values of Problem.
const (
	Failed  Problem = iota // a delivery failed
	Full                   // the queue is full (told once)
	Blocked                // a delivery takes longer than the timeout
)

// Queue feeds one sink. Send, Reopen and Close are for the one goroutine that
// owns the stream.
type Queue struct {
	sink   Sink
	opt    Options
	alerts chan item
	style  *alert.Style
	reopen chan struct{}
	done   chan struct{}
	told   bool // that the queue is full

	sent, failed, dropped atomic.Uint64
	stuck                 atomic.Bool
}

// item is an alert and how it is to be written.
type item struct {
	*alert.Alert
	style *alert.Style
}

// SetStyle makes the alerts that are sent from now on look otherwise. It is for the
// goroutine that sends.
func (q *Queue) SetStyle(s alert.Style) { q.style = &s }

// Stats are the counters of a queue: every alert that was handed to Send is in
// one of them, or still in the queue.
type Stats struct {
	Name    string
	Sent    uint64 // delivered
	Failed  uint64 // the sink refused it
	Dropped uint64 // the queue was full, or the program ended first
	Queued  uint64
	Stuck   bool // Close has given up waiting for the worker
}

// Start makes the queue of sink and its worker.
func Start(sink Sink, opt Options) *Queue {
	if opt.Capacity <= 0 {
		opt.Capacity = DefaultCapacity
	}
	if opt.Report == nil {
		opt.Report = func(Problem, string) {}
	}
	q := &Queue{
		sink: sink, opt: opt, style: &opt.Style,
		alerts: make(chan item, min(opt.Capacity, MaxCapacity)),
		reopen: make(chan struct{}, 1),
		done:   make(chan struct{}),
	}
	go q.work()
	return q
}

// Send hands a to the worker, or drops and counts it if the queue is full.
func (q *Queue) Send(alert *alert.Alert) {
	a := item{alert, q.style}
	select {
	case q.alerts <- a:
		return
	default:
	}
	if q.opt.Wait != nil {
		select {
		case q.alerts <- a:
			return
		case <-q.opt.Wait:
		}
	}
	if !q.told {
		q.told = true
		q.opt.Report(Full, "Outputs queue out of memory. Drop event and continue on ...")
	}
	for q.opt.Empty {
		select {
		case <-q.alerts:
			q.dropped.Add(1)
			continue
		default:
		}
		q.alerts <- a // there is room: only we put something in
		return
	}
	q.dropped.Add(1)
}

// Reopen asks the worker to reopen the sink between two alerts.
func (q *Queue) Reopen() {
	select {
	case q.reopen <- struct{}{}:
	default:
	}
}

// Close delivers what is queued, for at most limit, and closes the sink; a queue
// that waits has no limit before Wait is closed, and goes on for as long as something
// is delivered within limit. It reports whether the worker came to its end; if it did
// not, what is left is counted as dropped and the worker is abandoned.
func (q *Queue) Close(limit time.Duration) bool {
	close(q.alerts)
	if q.opt.Wait != nil {
		select {
		case <-q.done:
			return true
		case <-q.opt.Wait:
		}
	}
	t := time.NewTimer(limit)
	defer t.Stop()
	for moves := true; moves; {
		before := q.sent.Load()
		select {
		case <-q.done:
			return true
		case <-t.C:
		}
		if moves = q.opt.Wait != nil && q.sent.Load() != before; moves {
			t.Reset(limit)
		}
	}
	q.dropped.Add(uint64(len(q.alerts)))
	q.stuck.Store(true)
	return false
}

// Stats returns the counters; it may be called from anywhere.
func (q *Queue) Stats() Stats {
	return Stats{Name: q.sink.Name(), Sent: q.sent.Load(), Failed: q.failed.Load(),
		Dropped: q.dropped.Load(), Queued: uint64(len(q.alerts)), Stuck: q.stuck.Load()}
}

func (q *Queue) work() {
	defer close(q.done)
	var line []byte
	var said refrain
	slow := time.AfterFunc(time.Hour, func() {
		q.opt.Report(Blocked, fmt.Sprintf("%q output timeout: nothing delivered for %v, %d alerts wait",
			q.sink.Name(), q.opt.Timeout, len(q.alerts)+1))
	})
	slow.Stop()
	try := func(call func() error) bool {
		if q.opt.Timeout > 0 {
			slow.Reset(q.opt.Timeout)
			defer slow.Stop()
		}
		err := call()
		if text := said.of(err, time.Now()); text != "" {
			q.opt.Report(Failed, q.sink.Name()+": "+text)
		}
		return err == nil
	}
	for {
		select {
		case <-q.reopen:
			try(q.sink.Reopen)
		case a, ok := <-q.alerts:
			if !ok {
				try(q.sink.Close)
				return
			}
			line = append(a.style.Append(line[:0], a.Alert), '\n')
			if try(func() error { return q.sink.Write(Line{line, a.Severity}) }) {
				q.sent.Add(1)
			} else {
				q.failed.Add(1)
			}
		}
	}
}

// A sink that stays broken is told of often at first, and then now and then.
const (
	refrainFirst = 5
	refrainEvery = time.Minute
)

// refrain keeps an error that repeats itself from filling the log.
type refrain struct {
	last   string
	n      int // failures in a row with this error
	hushed int // of these, not told since the last one that was
	told   time.Time
}

// of returns what is to be said about err, "" if nothing.
func (r *refrain) of(err error, now time.Time) string {
	switch {
	case err == nil:
		*r = refrain{}
		return ""
	case err.Error() != r.last:
		*r = refrain{last: err.Error()}
	}
	if r.n++; r.n > refrainFirst && now.Sub(r.told) < refrainEvery {
		r.hushed++
		return ""
	}
	text := r.last
	if r.hushed > 0 {
		text = fmt.Sprintf("%s (and %d times more)", text, r.hushed)
	}
	r.hushed, r.told = 0, now
	return text
}
