// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"sync"
	"time"

	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/spool"
)

// openAfter is after how many failures in a row the circuit breaker opens: from then on one
// event is tried, alone.
const openAfter = 5

// gate is what all workers of an output pass before they send. A failure shuts it for a
// pause that grows; behind it they wait together, because what hinders one hinders
// all.
type gate struct {
	mu      sync.Mutex
	fails   int
	until   time.Time
	probing bool
	paused  bool
	slow    time.Duration
	back    spool.Backoff
	change  chan struct{} // closed when something has changed
}

func newGate(d *Delivery) *gate {
	return &gate{slow: d.SlowRetry, back: spool.Backoff{Min: d.RetryMin, Max: d.RetryMax}, change: make(chan struct{})}
}

// enter waits until one may send. probe says that it is to be one event, whose
// result decides for all.
func (g *gate) enter(ctx context.Context) (probe bool, err error) {
	for {
		g.mu.Lock()
		wait := time.Until(g.until)
		change := g.change
		if !g.paused && wait <= 0 && !g.probing {
			if g.fails >= openAfter {
				g.probing = true
				probe = true
			}
			g.mu.Unlock()
			return probe, ctx.Err()
		}
		blocked := g.paused || g.probing
		g.mu.Unlock()
		var timer <-chan time.Time
		if !blocked {
			timer = time.After(wait)
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-change:
		case <-timer:
		}
	}
}

func (g *gate) changed() {
	close(g.change)
	g.change = make(chan struct{})
}

// pass is for a send that the receiver has understood.
func (g *gate) pass(probe bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if probe {
		g.probing = false
	}
	if g.fails > 0 || probe {
		g.fails, g.until = 0, time.Time{}
		g.back.Reset()
		g.changed()
	}
}

// fail is for one that it has not, or, if count is false, not all of it. It returns the state
// that the output is in now.
func (g *gate) fail(probe bool, class output.Class, after time.Duration, count bool) (state string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if count {
		g.fails++
	} else {
		g.fails = 0
	}
	pause := time.Duration(0)
	switch state = stateRetrying; {
	case class == output.Configuration:
		pause, state = g.slow, stateMisconfigured
	case g.fails >= openAfter:
		state = stateOpen
	}
	if pause == 0 {
		if now := time.Now(); after == 0 && g.until.After(now) { // another worker's failure, of the same moment
			pause = g.until.Sub(now)
		} else {
			pause = g.back.Next(after)
		}
	}
	if until := time.Now().Add(pause); until.After(g.until) {
		g.until = until
	}
	if probe {
		g.probing = false
	}
	g.changed()
	return state
}

// leave is for a probe that was not sent after all.
func (g *gate) leave(probe bool) {
	if !probe {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.probing = false
	g.changed()
}

// pause holds everybody back, or lets them go.
func (g *gate) pause(on bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.paused = on
	if !on {
		g.until = time.Time{}
	}
	g.changed()
}

// bucket is a rate limit.
type bucket struct {
	mu   sync.Mutex
	n    float64 // tokens at most
	each time.Duration
	left float64
	at   time.Time
}

// newBucket returns nil, which is no limit, for a rate of 0.
func newBucket(r output.Rate) *bucket {
	if r.N <= 0 || r.Per <= 0 {
		return nil
	}
	return &bucket{n: max(r.N, 1), each: time.Duration(float64(r.Per) / r.N), left: max(r.N, 1), at: time.Now()}
}

// take waits for a token.
func (b *bucket) take(ctx context.Context) error {
	if b == nil {
		return ctx.Err()
	}
	b.mu.Lock()
	now := time.Now()
	b.left = min(b.left+float64(now.Sub(b.at))/float64(b.each), b.n)
	b.at = now
	b.left--
	wait := time.Duration(0)
	if b.left < 0 {
		wait = time.Duration(-b.left * float64(b.each))
	}
	b.mu.Unlock()
	if wait == 0 {
		return ctx.Err()
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
