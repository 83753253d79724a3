// SPDX-License-Identifier: Apache-2.0

// Package output carries finished alerts to the places that want them.
//
// Each sink has a bounded queue and a worker of its own, so that a slow one
// delays neither the stream nor the other sinks. What does not fit is dropped
// and counted; the stream never waits, unless it is one that can (Options.Wait). An Alert that was sent belongs to the
// queues and must not be changed any more: several workers may be reading it.
//
// A queue with a spool (spooled.go) puts what it gets on the disk first and
// delivers from there, until the receiver has it: a receiver that is away gets
// everything when it comes back, in order, and whatever ends this program in
// between, the next run goes on where it was.
//
// stdout.go, file.go, program.go, syslog.go and http.go are the sinks.
package output

import (
	"context"
	"time"

	"github.com/falco-go/falco/pkg/alert"
	"github.com/falco-go/falco/pkg/spool"
)

// Limits of a queue, in alerts.
const (
	DefaultCapacity = 65536
	MaxCapacity     = 1 << 20
)

// Sink is a place that alerts go to. All calls come from one worker. When its
// context ends Write should return, with an error; whether the line has arrived is
// then open.
type Sink interface {
	Name() string                      // as messages call it: "stdout"
	Write(context.Context, Line) error // delivers one line
	Reopen() error                     // after log rotation; nil where it means nothing
	Close() error                      // delivers what is buffered
}

// Line is an alert as it leaves. Text ends with a newline and is lent.
type Line struct {
	Text     []byte
	Severity alert.Severity
	ID       alert.ID // of the alert; may be none
}

// Refusal is the error of a sink whose receiver has heard the line and does not
// take it.
type Refusal struct {
	Text  string
	After time.Duration // when to come back, if it said so
	Final bool          // it will never take this line
}

func (r *Refusal) Error() string { return r.Text }

// Options say how a queue behaves. Report is called from the workers and from
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

	// Spool, if not nil, opens the spool that alerts go through; it is called once,
	// by a worker, and the queue closes what it returns. With an error the
	// queue does without.
	Spool  func() (*spool.Spool, error)
	MaxAge time.Duration // of an alert that is tried again and again; 0 means any

	retryMin, retryMax time.Duration // 0 in all but tests: those of spooled.go
}

// Problem is the kind of a report, from which the daemon takes the log level.
type Problem uint8

// Values of Problem.
const (
	Failed  Problem = iota // a delivery failed
	Full                   // the queue is full (told once)
	Blocked                // a delivery takes longer than the timeout
	Disk                   // the spool has a problem
	Works                  // deliveries that were tried again get through
)

// Stats are the counters of a queue. Every alert that was handed to Send, or was
// on the disk before, is in one of them:
//
//	Backlog + Accepted = Sent + Failed + Dropped + Capped + Aged + Damaged + Queued + Spooled
type Stats struct {
	Name     string
	Accepted uint64 // were handed to Send
	Sent     uint64 // delivered
	Failed   uint64 // the sink refused it
	Dropped  uint64 // the queue was full, or the program ended first
	Queued   uint64 // waits in memory, or is being delivered
	Stuck    bool   // Close has given up waiting for the worker
	Retried  uint64 // attempts that failed, of deliveries that are tried again

	// With a spool only.
	HasSpool bool
	Backlog  uint64 // were there when it was opened
	Spooled  uint64 // waits on the disk
	Capped   uint64 // dropped because of the spool's size
	Aged     uint64 // ... of an alert's age
	Damaged  uint64 // could not be read from the disk
	Disk     spool.Stats
}
