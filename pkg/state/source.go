// SPDX-License-Identifier: Apache-2.0

package state

import (
	"errors"
	"time"

	"github.com/falco-go/falco/pkg/procfs"
)

// Source reads what events did not tell. Its calls are made while an event
// waits, so they must be short; Budget bounds their sum.
type Source interface {
	// Task reads the task tid. An error means that there is nothing to read.
	Task(tid int64) (*procfs.Task, error)
	// Descriptor reads one descriptor of a process.
	Descriptor(pid, fd int64) (procfs.FD, error)
	// Comm reads the name of a task.
	Comm(pid, tid int64) (string, error)
}

// Budget bounds the time that look-ups take away from the stream of events.
type Budget struct {
	Time   time.Duration // 1 ms if zero, none if negative
	Period time.Duration // in which Time may be spent, 100 ms if zero
}

// lookups keeps to a Budget: a call is made if some of it is left.
type lookups struct {
	src    Source
	budget Budget
	now    func() time.Time
	since  time.Time // start of the period
	spent  time.Duration
}

func (l *lookups) init(o Options) {
	l.src, l.budget, l.now = o.Source, o.Budget, o.Now
	if l.budget.Time == 0 {
		l.budget.Time = time.Millisecond
	}
	if l.budget.Period <= 0 {
		l.budget.Period = 100 * time.Millisecond
	}
	if l.now == nil {
		l.now = time.Now
	}
}

// begin reports whether a call may be made, and when it began.
func (l *lookups) begin() (time.Time, bool) {
	if l.src == nil {
		return time.Time{}, false
	}
	at := l.now()
	if at.Sub(l.since) >= l.budget.Period {
		l.since, l.spent = at, 0
	}
	return at, l.spent < l.budget.Time
}

func (l *lookups) end(at time.Time) time.Duration {
	d := l.now().Sub(at)
	l.spent += d
	return d
}

// alive reports whether t's task is still there; known is false if nobody can tell.
func (l *lookups) alive(t *Thread) (alive, known bool) {
	at, ok := l.begin()
	if !ok {
		return false, false
	}
	comm, err := l.src.Comm(t.Pid, t.Tid)
	l.end(at)
	// Threads rename themselves; records keep the name of the exec. A common
	// beginning is what pools of workers have.
	n := min(len(comm), len(t.Comm), 4)
	return err == nil && comm[:n] == t.Comm[:n], true
}

// How the look-up of a descriptor ended.
const (
	descriptorRead    = iota
	descriptorGone    // or nobody can look
	descriptorRefused // the budget is used up, or it took too long
)

// descriptor reads one descriptor from /proc.
func (s *State) descriptor(pid, n int64) (fd procfs.FD, found int) {
	at, ok := s.source.begin()
	if !ok {
		if s.source.src == nil {
			return procfs.FD{}, descriptorGone
		}
		s.stats.LookupsRefused++
		return procfs.FD{}, descriptorRefused
	}
	s.stats.Lookups++
	fd, err := s.source.src.Descriptor(pid, n)
	s.stats.LookupTime += s.source.end(at)
	switch {
	case err == nil:
		return fd, descriptorRead
	case errors.Is(err, procfs.ErrLate):
		return fd, descriptorRefused
	}
	s.stats.LookupsMissed++
	return fd, descriptorGone
}

// resolve returns the record of the thread tid. If it is not in the table it is
// read from /proc; if that tells nothing, a place holder is made so that nobody
// asks again soon.
func (s *State) resolve(tid int64, f find) *Thread {
	t := s.Lookup(tid)
	if t != nil && (t.Valid() || f == findTable || s.now < t.madeTS+fakeTimeout) {
		return t
	}
	if f == findTable || tid <= 0 {
		return t
	}
	if t != nil { // a place holder whose time is over
		s.stats.ThreadsPurged++
		s.forget(t)
	}
	if at, ok := s.source.begin(); ok {
		s.stats.Lookups++
		task, err := s.source.src.Task(tid)
		s.stats.LookupTime += s.source.end(at)
		if err == nil && task.Tid == tid {
			return s.addTask(task)
		}
		if errors.Is(err, procfs.ErrLate) { // not an answer: somebody else may wait for it
			s.ask(Ask{Kind: AskTask, Tid: tid})
		}
		s.stats.LookupsMissed++
	} else if s.source.src != nil {
		s.stats.LookupsRefused++
		s.ask(Ask{Kind: AskTask, Tid: tid})
	}
	return s.fake(tid)
}

// fake makes a place holder for a thread that nobody could find.
func (s *State) fake(tid int64) *Thread {
	s.stats.Fakes++
	t := s.newThread(tid)
	t.Comm, t.Exe, t.Cmdline = Unknown, Unknown, Unknown
	t.madeTS = s.now
	s.place(t)
	return t
}
