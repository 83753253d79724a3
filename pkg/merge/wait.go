// SPDX-License-Identifier: Apache-2.0

package merge

import (
	"errors"
	"os"
	"sync"
	"time"
)

// Sleeper parks the calling goroutine until a ring asks for attention, at most
// for max (driver.Device.Wait).
type Sleeper func(max time.Duration) error

// Waiter lets the loop sleep on the rings beside other channels. One goroutine
// of its own parks in the device; it touches no ring memory.
//
// The loop arms, and only if Arm says that all rings are dry it selects over C
// and whatever else may come. Every receive from C answers one Arm; the loop
// arms again only after that.
type Waiter struct {
	// C gets one value when there may be something to read, or when the time has
	// come to look anyway.
	C <-chan struct{}

	merge *Merge
	park  chan struct{}
	armed bool
	done  chan struct{}
	once  sync.Once
	err   error // of the sleeper; read after done is closed
}

// NewWaiter starts the goroutine that sleeps for m. Every is the longest sleep:
// it bounds the age of events that stay below the watermark.
func NewWaiter(m *Merge, sleep Sleeper, every time.Duration) *Waiter {
	c := make(chan struct{}, 1)
	w := &Waiter{C: c, merge: m, park: make(chan struct{}, 1), done: make(chan struct{})}
	go func() {
		defer close(w.done)
		for range w.park {
			if err := sleep(every); err != nil {
				w.err = err
				close(c) // the loop finds out: Err says why
				return
			}
			c <- struct{}{}
		}
	}()
	return w
}

// Arm announces a sleep and reports whether it may begin: false means that
// there is something to read now.
func (w *Waiter) Arm() bool {
	if w.merge.arm() {
		w.merge.disarm()
		return false
	}
	if !w.armed {
		w.armed = true
		w.park <- struct{}{}
	}
	return true
}

// Woken takes the answer of C in; call it after each receive.
func (w *Waiter) Woken() {
	w.armed = false
	w.merge.disarm()
}

// Err returns why the device cannot be waited for any more, once C is closed.
func (w *Waiter) Err() error {
	select {
	case <-w.done:
		if errors.Is(w.err, os.ErrClosed) {
			return nil
		}
		return w.err
	default:
		return nil
	}
}

// Close ends the goroutine. If it is parked, it ends when its sleep does, or
// when the device is closed.
func (w *Waiter) Close() { w.once.Do(func() { close(w.park) }) }

// arm sets every ring's wish to be woken and reports whether one has something
// already.
func (m *Merge) arm() (ready bool) {
	for _, l := range m.lanes {
		if l.ring.Arm() {
			ready = true
		}
	}
	return ready
}

func (m *Merge) disarm() {
	for _, l := range m.lanes {
		l.ring.Disarm()
	}
}
