// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	"github.com/falco-go/falco/pkg/driver"
	"github.com/falco-go/falco/pkg/event"
)

// source is where events come from: the rings of the kernel module, a capture,
// nothing, or a test. All methods are for the goroutine that owns the loop.
type source interface {
	// Next makes ev the oldest event. ok is false if there is none now. The event
	// is a view that lives until the next call. Its Num is that of the source if that
	// numbers events. An error ends the stream, io.EOF as it should end.
	Next(ev *event.Event) (ok bool, err error)

	// Arm announces that the loop wants to sleep; false means that there is
	// something to read now. After true the loop waits for C, for at most max if
	// that is not 0, and calls Woken for every value that comes out of C. Its error
	// ends the stream.
	Arm() (ok bool, max time.Duration)
	C() <-chan struct{}
	Woken() error

	// Stop ends the flow. What has been produced until then can still be read;
	// then Next returns false for good.
	Stop() error
	Ledger() (ledger, error)
	Close() error
}

// ledger is what has become of every event that the source has produced:
// Seen = Delivered + what is still on its way + Lost.
type ledger struct {
	Seen      uint64
	Delivered uint64 // handed to the loop
	Lost      driver.Loss
	Unread    uint64 // of those delivered: records that could not be understood
}

// String returns the line that ends a run; tests and the VM harness read it.
func (l ledger) String() string {
	return fmt.Sprintf("Events seen: %d, delivered: %d, lost: %d (ring full: %d, too big: %d, nested: %d, no memory: %d, no ring: %d)",
		l.Seen, l.Delivered, l.Lost.Total(), l.Lost.Full, l.Lost.TooBig, l.Lost.Nested, l.Lost.NoMemory, l.Lost.NoRing)
}

// nothing is the source of engine.kind nodriver.
type nothing struct{}

// withoutDriver makes the source of engine.kind nodriver; a soak test has another one.
var withoutDriver = func() source { return nothing{} }

func (nothing) Next(*event.Event) (bool, error) { return false, nil }
func (nothing) Arm() (bool, time.Duration)      { return true, 0 }
func (nothing) C() <-chan struct{}              { return nil }
func (nothing) Woken() error                    { return nil }
func (nothing) Stop() error                     { return nil }
func (nothing) Ledger() (ledger, error)         { return ledger{}, nil }
func (nothing) Close() error                    { return nil }
