// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"errors"
	"sync/atomic"
	"time"
)

// ErrLate is returned for a look-up that took longer than it may.
var ErrLate = errors.New("look-up took too long")

// Finder answers single questions while somebody waits, and never lets him wait
// longer than a given time. A process can make whoever reads its memory hang; a
// question that hangs is left behind with the goroutine that asks it, and while
// too many hang, no more are asked.
//
// A Finder is for one goroutine.
type Finder struct {
	fs    *FS
	wait  time.Duration
	asks  chan func()
	timer *time.Timer
	stuck atomic.Int32 // questions left behind that have not ended
	late  uint64
}

// maxStuck bounds the goroutines that are left behind.
const maxStuck = 8

// NewFinder returns a Finder that waits for at most wait.
func NewFinder(fs *FS, wait time.Duration) *Finder {
	f := &Finder{fs: fs, wait: wait, timer: time.NewTimer(time.Hour)}
	f.timer.Stop()
	f.start()
	return f
}

// Close ends the goroutine; a Finder cannot be used after it.
func (f *Finder) Close() { close(f.asks) }

// Late returns how many questions were left behind.
func (f *Finder) Late() uint64 { return f.late }

func (f *Finder) start() {
	f.asks = make(chan func())
	go func(asks chan func()) {
		for ask := range asks {
			ask()
		}
	}(f.asks)
}

// ask runs read elsewhere and waits for what it returns.
func ask[T any](f *Finder, read func() (T, error)) (T, error) {
	type answer struct {
		v   T
		err error
	}
	if f.stuck.Load() >= maxStuck {
		var zero T
		return zero, ErrLate
	}
	out := make(chan answer, 1)
	f.asks <- func() {
		v, err := read()
		out <- answer{v, err}
	}
	f.timer.Reset(f.wait)
	defer f.timer.Stop()
	select {
	case a := <-out:
		return a.v, a.err
	case <-f.timer.C:
		f.late++
		f.stuck.Add(1)
		close(f.asks) // the goroutine ends if the question ever does
		f.start()
		go func() { <-out; f.stuck.Add(-1) }()
		var zero T
		return zero, ErrLate
	}
}

// Task is FS.Task.
func (f *Finder) Task(tid int64) (*Task, error) {
	return ask(f, func() (*Task, error) { return f.fs.Task(tid) })
}

// Descriptor is FS.Descriptor.
func (f *Finder) Descriptor(pid, fd int64) (FD, error) {
	return ask(f, func() (FD, error) { return f.fs.Descriptor(pid, fd) })
}

// Comm is FS.Comm.
func (f *Finder) Comm(pid, tid int64) (string, error) {
	return ask(f, func() (string, error) { return f.fs.Comm(pid, tid) })
}
