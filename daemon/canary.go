// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/falco-go/falco/pkg/alert"
	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/field"
	"github.com/falco-go/falco/pkg/rules"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// The canary shows that we would see. A thread of ours, the only one that the
// module does not leave out, makes a system call that nobody else makes:
//
//	thread ─► call ─► hook ─► gate ─► ring ─► merge ─► tables ─► a rule of its own ─► heard
//	   ▲                                                                               │
//	   └────────── no answer to three calls: the log, an alert, /healthz, no watchdog ◄┘
//
// The call goes the way of all calls, through the filter in force. If its event
// does not come back, then no other's does, and that is told by whoever still
// runs: the thread writes to the log itself, /healthz asks for its count of
// unanswered calls, and the service manager is not told that we are alive.
//
// Two exceptions, while other events do come through. A call can be lost where a
// ring is full: it counts as lost, not as unanswered, since losses have alerts of
// their own, and to be restarted would cost more events. And where the events that
// come through are older than the call, its own cannot have come yet: then we are
// behind, which the lag says, and not blind.

const (
	canaryRule     = "Falco internal: canary"
	canaryPatience = 3 // unanswered calls, one after the other
	canaryCode     = schema.ScSchedGetPriorityMax
)

// canaryRules is what its event has to match on its way.
const canaryRules = `
- rule: canary
  desc: our own call
  condition: evt.type = sched_get_priority_max
  output: "%evt.type"
  priority: DEBUG
`

// canary is the thread and what has become of its calls.
type canary struct {
	tid   int
	every time.Duration

	heard   atomic.Uint64 // events that came back
	latency atomic.Int64  // ns between the last call and its event's end
	through atomic.Uint64 // events of all that were delivered, as of the last tick of the loop
	reached atomic.Uint64 // ns since the epoch, of the last of them
	calls   atomic.Uint64
	lost    atomic.Uint64
	silent  atomic.Uint64 // calls without an answer, one after the other

	// For the thread alone.
	last  struct{ heard, produced, lost, through uint64 } // at the last call
	asked uint64                                          // ns since the epoch, of the first call after the last answer; 0: none yet
	since time.Time                                       // when the first one without an answer was made
	made  bool                                            // since then, the module has made events

	// For the loop alone.
	set     *rules.Set
	matched []*rules.Rule
	alone   bool // nobody else wants this call's events
	begin   chan struct{}
	done    chan struct{} // closed when the thread has ended
}

// newCanary starts the thread, which waits; nil and a reason if it cannot sing.
func newCanary(every time.Duration, stop <-chan struct{}, beat func(*canary)) (*canary, error) {
	set, results := rules.Load([]rules.File{{Name: "canary", Content: []byte(canaryRules)}}, rules.Options{Priority: rules.Debug})
	if set == nil {
		return nil, fmt.Errorf("%s", results[0].Text(true))
	}
	c := &canary{every: every, set: set, begin: make(chan struct{}, 1), done: make(chan struct{})}
	started := make(chan error)
	go func() {
		defer close(c.done)
		runtime.LockOSThread() // never unlocked: the thread ends with it
		err := c.born()
		started <- err
		if err != nil {
			return
		}
		select {
		case <-c.begin:
		case <-stop:
			return
		}
		t := time.NewTicker(every)
		defer t.Stop()
		for {
			beat(c)
			select {
			case <-t.C:
			case <-stop:
				return
			}
		}
	}()
	return c, <-started
}

// born finds out the thread's number where events have theirs, the pid namespace of the
// host's /proc, and tries the call.
func (c *canary) born() error {
	link, err := os.Readlink(os.Getenv("HOST_ROOT") + "/proc/thread-self")
	if err != nil {
		return err
	}
	if c.tid, err = strconv.Atoi(path.Base(link)); err != nil {
		return err
	}
	return c.sing()
}

// sing makes the call: harmless, rare, and the same for everybody.
func (c *canary) sing() error {
	const schedOther = 0
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_GET_PRIORITY_MAX, schedOther, 0, 0); errno != 0 {
		return os.NewSyscallError("sched_get_priority_max", errno)
	}
	return nil
}

// sang reports whether ev is one of the canary's, or there because of it: then it
// is nobody else's business.
func (c *canary) sang(ev *event.Event) bool {
	return ev.Tid == int64(c.tid) || ev.Type == schema.GenericX && c.alone && hasCanaryCode(ev)
}

// hasCanaryCode reports whether ev, a GenericX, tells of the canary's system call. It
// stands by itself so that sang, which is asked of every event, is inlined.
//
//go:noinline
func hasCanaryCode(ev *event.Event) bool {
	id, ok := ev.Uint(0)
	return ok && id == uint64(canaryCode)
}

// hear takes in an event that sang reports. It runs in the loop, between two
// events, and makes of it what is made of every event.
func (c *canary) hear(s *state.State, ev *event.Event, now uint64) {
	if ev.Tid != int64(c.tid) || ev.Type != schema.GenericX || !hasCanaryCode(ev) {
		return
	}
	if scene := s.Apply(ev); scene != nil {
		if c.matched = c.set.Match(scene, c.matched[:0]); len(c.matched) > 0 {
			c.latency.Store(int64(now - min(now, ev.TS)))
			c.heard.Add(1)
		}
	}
	s.Settle()
}

// What judge finds out.
type verdict uint8

const (
	sees       verdict = iota // or it is too early to say
	seesAgain                 // after blindNow
	overloaded                // the call is among what was lost
	behind                    // the stream has not come to the call yet
	blindNow                  // and that is new
)

// before is called in front of each call, with the module's books.
func (c *canary) before(produced, lost uint64, now time.Time) {
	c.last.produced, c.last.lost, c.last.through = produced, lost, c.through.Load()
	if c.asked == 0 {
		c.asked = uint64(now.UnixNano())
	}
	c.calls.Add(1)
}

// judge says what has become of the last call, with the books as they are now.
func (c *canary) judge(produced, lost uint64, now time.Time) verdict {
	heard, flows := c.heard.Load(), c.through.Load() > c.last.through
	switch {
	case c.calls.Load() == 0:
	case heard != c.last.heard:
		c.last.heard, c.asked = heard, 0
		if c.silent.Swap(0) >= canaryPatience {
			return seesAgain
		}
	case flows && c.reached.Load() < c.asked:
		return behind
	case flows && lost > c.last.lost:
		c.lost.Add(1)
		c.asked = 0
		if c.silent.Load() < canaryPatience {
			c.silent.Store(0)
		}
		return overloaded
	default:
		n := c.silent.Add(1)
		if n == 1 {
			c.since, c.made = now.Add(-c.every), false
		}
		c.made = c.made || produced > c.last.produced
		if n == canaryPatience {
			return blindNow
		}
	}
	return sees
}

// complaint is what is wrong, for those who ask how we are; "" is well.
func (c *canary) complaint() string {
	if n := c.silent.Load(); n >= canaryPatience {
		return fmt.Sprintf("none of our last %d system calls has come back", n)
	}
	return ""
}

// keepCanary gives the source a canary. Without one we say so and go on: the call
// may be forbidden to us.
func (d *daemon) keepCanary(k *kmod) {
	every := d.cfg.CanaryInterval
	if every <= 0 {
		return
	}
	if w := watchdogTime(); w > 0 {
		every = min(every, w/3)
	}
	c, err := newCanary(every, d.stop, d.watchCanary(k))
	if err != nil {
		d.log.warnf("no canary: %v; that nothing is seen any more would not be noticed", err)
		return
	}
	d.atEnd(func() { // it must not ask what is about to be closed
		d.end()
		<-c.done
	})
	k.canary = c
	k.hear = func(ev *event.Event) {
		before := c.heard.Load()
		c.hear(d.pipe.state, ev, uint64(time.Now().UnixNano()))
		if c.heard.Load() != before {
			notifyAlive()
		}
	}
	d.health.canary.Store(c)
}

// watchCanary returns what the thread does at each beat: it looks what has become
// of its last call, and makes another one.
func (d *daemon) watchCanary(k *kmod) func(*canary) {
	return func(c *canary) {
		now := time.Now()
		blind := now.Sub(c.since).Round(time.Second)
		produced, lost := k.counted()
		switch c.judge(produced, lost, now) {
		case seesAgain:
			d.tellCanary(config.Notice, fmt.Sprintf("what happens on this machine is seen again, after %v", blind), 0, "")
		case overloaded, behind:
			notifyAlive()
		case blindNow:
			where := "the module has seen it, and it has not come through"
			if !c.made {
				where = "the module has not seen it"
			}
			d.tellCanary(config.Critical, fmt.Sprintf("no system call of our own has come back for %v: what happens on this machine is not seen", blind), c.silent.Load(), where)
			d.later(func() { d.mend(k) })
		}
		produced, lost = k.counted()
		c.before(produced, lost, time.Now())
		if err := c.sing(); err != nil {
			d.log.errorf("the canary: %v", err)
		}
	}
}

// tellCanary puts into the log and among the alerts what it is about.
func (d *daemon) tellCanary(level config.Level, text string, unanswered uint64, where string) {
	if where != "" {
		d.log.say(level, "%s (%s)", text, where)
	} else {
		d.log.say(level, "%s", text)
	}
	a := &alert.Alert{TimeNs: uint64(time.Now().UnixNano()), Rule: canaryRule, Source: alert.Internal, Severity: alert.Severity(level),
		Message: canaryRule + ". " + text}
	if where != "" {
		a.Fields = []alert.Field{{Key: "unanswered_calls", Value: unanswered}, {Key: "where", Value: where}}
	}
	d.later(func() { d.pipe.emit(a) })
}

// mend asks the module once more for what we want, in case that somebody else has told
// it something else.
func (d *daemon) mend(k *kmod) {
	if err := k.choose(d.calls, d.cfg.Engine.DropFailed, d.set.Reads(field.Realpath)); err != nil {
		d.log.errorf("choose the system calls again: %v", err)
	}
}

// later hands f to the loop as soon as it takes something, without waiting for that.
func (d *daemon) later(f func()) {
	go func() {
		select {
		case d.mail <- f:
		case <-d.stop:
		}
	}()
}
