// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"maps"
	"sync"
	"time"
)

// Reasons for dropping.
const (
	dropThrottled = "throttled"
	dropDuplicate = "duplicate"
	dropRoom      = "spool_full"
	dropDamaged   = "damaged"
	dropDeadFull  = "dead_letters_full"
	dropUnread    = "unreadable"
)

var dropReasons = []string{dropThrottled, dropDuplicate, dropRoom, dropDamaged, dropDeadFull, dropUnread}

// States of an output.
const (
	stateOK            = "ok"
	stateRetrying      = "retrying"
	stateOpen          = "open" // the circuit breaker
	stateMisconfigured = "misconfigured"
	statePaused        = "paused"
)

// States lists them all, for metrics.
var States = []string{stateOK, stateRetrying, stateOpen, stateMisconfigured, statePaused}

// Books are the counts of one output since the forwarder has started. At any time
//
//	Started + Accepted = Delivered + Dead + the sum of Dropped + Filtered + Queued
//
// where Started is what was waiting at the start.
type Books struct {
	Started   uint64
	Accepted  uint64 // what came into the spool since, replayed dead letters too
	Delivered uint64
	Dead      uint64 // put aside, ever; DeadNow is what lies there
	Dropped   map[string]uint64
	Filtered  uint64 // not for this output
	Queued    uint64

	Sends     uint64 // attempts
	Failures  uint64 // attempts that failed
	Retries   uint64 // events that were tried again
	Digested  uint64 // of Delivered, as part of a summary
	Summaries uint64 // sent beside events
	Panics    uint64

	State     string
	LastError string
	LastAt    time.Time // of LastError
	OldestAge time.Duration
	DeadNow   int
	DeadBytes int64
}

// ledger keeps the books of an output. It outlives a reload.
type ledger struct {
	mu sync.Mutex
	b  Books
}

func newLedger() *ledger { return &ledger{b: Books{Dropped: map[string]uint64{}, State: stateOK}} }

func (l *ledger) do(f func(b *Books)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(&l.b)
}

func (l *ledger) drop(reason string, n uint64) {
	if n > 0 {
		l.do(func(b *Books) { b.Dropped[reason] += n })
	}
}

func (l *ledger) failed(err error, now time.Time) {
	l.do(func(b *Books) { b.LastError, b.LastAt = err.Error(), now })
}

func (l *ledger) state(s string) (changed bool) {
	l.do(func(b *Books) { changed, b.State = b.State != s, s })
	return changed
}

func (l *ledger) copy() Books {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.b
	b.Dropped = maps.Clone(l.b.Dropped)
	return b
}
