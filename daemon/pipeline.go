// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"github.com/falco-go/falco/pkg/alert"
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/output"
	"github.com/falco-go/falco/pkg/rules"
	"github.com/falco-go/falco/pkg/state"
)

// pipeline is the river: a frame leaves the source as an event, changes the
// state, is looked at by the rules, and becomes an alert, or nothing.
//
// One goroutine owns all of it; nothing here has a lock. What others have to say
// (signals, timers, the readers of /proc) comes over channels and is taken in
// between two events. The event and the scene are views that live for one turn;
// an alert owns its bytes.
type pipeline struct {
	source  source
	state   *state.State
	rules   *rules.Set
	outputs []*output.Queue
	limit   *limiter   // of alerts; may be nil
	ids     *alert.IDs // of alerts, nil if nobody asks for them

	ev      event.Event
	num     uint64        // events so far: evt.num of the last one, if the source does not number them
	shown   uint64        // of these, events that rules could see
	matched []*rules.Rule // by the last event, as far as that is known
	later   deferral      // events that wait for their containers to become known
	counts  []uint64      // alerts, by rule
	early   backlog       // events from before the state was seeded
	tapes   []tape        // that write captures
	told    event.Event   // one that we make ourselves
	record  []byte        // its bytes

	stop  <-chan struct{} // closed when it is time to end
	seeds <-chan func()   // what the readers of /proc have found; closed when they are done
	mail  <-chan func()   // whatever else is to be done between two events
	tick  func(time.Time) // called about once a second; may be nil

	// clock is called with the time of the first event, and then of the first one
	// that is not before what the last call returned; may be nil.
	clock  func(ts uint64) (due uint64)
	due    uint64
	lastTS uint64 // time of the last event
}

// turn is what happens to one event.
func (p *pipeline) turn(ev *event.Event) {
	if !ev.StateOnly {
		p.num++
		if ev.Num == 0 {
			ev.Num = p.num
		}
	}
	if p.lastTS = ev.TS; ev.TS >= p.due && p.clock != nil {
		p.due = p.clock(ev.TS)
	}
	p.matched = p.matched[:0]
	if ev.StateOnly || p.rules == nil || len(p.later.queue)+len(p.tapes) > 0 {
		p.watch(ev)
	} else if choice := p.rules.Choice(ev); choice != nil {
		if scene := p.state.Apply(ev); scene != nil {
			p.shown++
			if p.state.Pending() > 0 {
				p.match(scene)
				p.tape(ev, scene)
			} else if matched := p.rules.MatchOf(choice, scene, p.matched); len(matched) > 0 {
				p.matched = matched
				p.sendMatched(ev.TS)
				p.tape(ev, scene)
			}
		}
	} else if done, shown := p.state.Pass(ev); done {
		if shown {
			p.shown++
		}
		return
	} else if p.state.Apply(ev) != nil {
		p.shown++
	}
	p.state.Settle()
	if p.state.Ending() {
		p.tellEnded()
	}
}

// watch takes in an event where somebody waits for a container to become known, or
// writes down what passes, or where there is nothing to match.
func (p *pipeline) watch(ev *event.Event) {
	if len(p.later.queue) > 0 {
		p.look(ev.TS) // what has waited long enough does not learn from this event
	}
	scene := p.state.Apply(ev)
	if ev.StateOnly {
		scene = nil
	}
	if len(p.later.queue) > 0 {
		p.look(ev.TS)
	}
	if scene != nil {
		p.shown++
		if p.rules != nil {
			p.match(scene)
		}
	}
	p.tape(ev, scene)
}

// tape writes down an event and what it has matched: it may have begun a tape.
func (p *pipeline) tape(ev *event.Event, scene *state.Scene) {
	for _, t := range p.tapes {
		t.event(ev, scene, p.matched)
	}
}

// tellEnded tells of the container that the last event has ended.
func (p *pipeline) tellEnded() {
	if ended := p.state.EndedNow(); ended != nil && !p.later.replay { // a replay has that in its own stream
		p.tell("container_removed", ended.JSON(), time.Now())
	}
}

// tape writes down what passes. All methods are for the loop.
type tape interface {
	// event takes in every event, after Apply. scene is nil if rules do not see it.
	event(ev *event.Event, scene *state.Scene, matched []*rules.Rule)
	tick()         // about once a second
	failed() error // why the run has to end
}

// run turns until it is told to stop, then until the source has given all that
// it produced before, for at most limit.
func (p *pipeline) run(limit time.Duration) error {
	err := p.flow()
	if e := p.source.Stop(); err == nil {
		err = e
	}
	for end := time.Now().Add(limit); err == nil && time.Now().Before(end); {
		var dry bool
		if dry, err = p.batch(); dry {
			break
		}
		p.expire()
	}
	p.flush()
	return err
}

// flow is the loop.
func (p *pipeline) flow() error {
	r := newRest()
	defer r.end()
	if stopped, err := p.seed(r); stopped || err != nil {
		return err
	}
	for {
		dry, err := p.batch()
		if err != nil {
			return err
		}
		if stopped, err := p.rest(r, dry); stopped || err != nil {
			return err
		}
		p.expire()
	}
}

// batchSize is how many events may pass before the channels are looked at;
// awaitSize, while an event waits for an answer that comes through one of them, or
// for its time.
const (
	batchSize = 1024
	awaitSize = 32
)

// batch turns until the source is dry, at most batchSize times.
func (p *pipeline) batch() (dry bool, err error) {
	for n := range batchSize {
		if n >= awaitSize && len(p.later.queue) > 0 {
			return false, nil
		}
		p.ev.Num = 0
		ok, err := p.source.Next(&p.ev)
		if !ok || err != nil {
			return true, err
		}
		p.turn(&p.ev)
		for _, t := range p.tapes {
			if err := t.failed(); err != nil {
				return true, err
			}
		}
	}
	return false, nil
}
