// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"github.com/falco-go/falco/pkg/alert"
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/rules"
	"github.com/falco-go/falco/pkg/state"
)

// An event can come before the runtime has told of its container. Rules that look
// at what is to be told are then tried later: when it is told, or after a while with
// what is known. Alerts leave in the order of their events, so that what is found
// meanwhile waits as well.
//
//	Weigh ─► sure ───────────────────────────────────────► alert ─► outputs
//	   └──► not yet ─► row ─┐                                ▲
//	                        ▼                                │
//	     oldest ◄─ row, row, alert, row, alert … (queue) ────┘
//	               known by now, or waited long enough: Decide
//
// The oldest row waits no longer than the deadline, and nobody waits behind it for
// longer. Rows and bytes are bounded; what does not fit is decided at once.
type deferral struct {
	wait   time.Duration // 0: nothing is deferred
	replay bool          // time is that of the events

	queue  []*waiting // the oldest first
	rows   int        // of them
	bytes  int        // that rows hold
	spare  []*waiting
	weighs []rules.Verdict
	found  []*rules.Rule
	late   event.Event
	stats  deferStats
}

// deferStats counts what became of rows.
type deferStats struct {
	Deferred uint64 // events that had to wait
	Known    uint64 // of these, decided with what the runtime has told
	Late     uint64 // decided without, for it did not tell in time
	Missing  uint64 // decided without, for it said that it cannot
	Overflow uint64 // events for which there was no room: decided at once
	Behind   uint64 // alerts that had to wait behind a row
	Over     uint64 // of Deferred, those that were held for more than overdue
	Longest  time.Duration
}

// overdue is how long a row is held if nobody is late: the deadline, and half as
// much for whoever else the machine lets run.
func (d *deferral) overdue() time.Duration { return d.wait + d.wait/2 }

// waiting is a row, or an alert behind one.
type waiting struct {
	alert     *alert.Alert // nil: a row
	row       rules.Row
	container *state.Container
	ts        uint64    // of the event
	since     time.Time // the loop has seen it; not in a replay
	num       uint64
	cpu       int
	record    []byte // the event itself, if somebody writes captures
}

const (
	deferRows  = 4096     // rows, and alerts behind them, in one queue
	deferBytes = 32 << 20 // that all rows hold
	deferKeep  = 4096     // bytes of a row that are worth being used again
	deferSpare = 256      // rows that are kept for it
)

// match tries the rules on a scene. What they find leaves at once, if nothing older
// is waiting and nothing is missing.
func (p *pipeline) match(scene *state.Scene) {
	if p.state.Pending() > 0 && p.later.wait > 0 {
		if t := scene.Thread; scene.Container == nil && t != nil && t.Container().Pending() {
			p.weigh(scene, t.Container())
			return
		}
	}
	p.matched = p.rules.Match(scene, p.matched)
	p.sendMatched(scene.Event.TS)
}

// sendMatched makes alerts of what the last event, of that time, has matched.
func (p *pipeline) sendMatched(ts uint64) {
	for _, r := range p.matched {
		p.send(p.rules, r, ts)
	}
}

// weigh is match for a scene whose container c nobody has told of yet.
func (p *pipeline) weigh(scene *state.Scene, c *state.Container) {
	d := &p.later
	d.weighs = p.rules.Weigh(scene, d.weighs[:0])
	rest := d.weighs
	for len(rest) > 0 && rest[0].Sure && !rest[0].Late {
		p.matched = append(p.matched, rest[0].Rule)
		p.send(p.rules, rest[0].Rule, scene.Event.TS)
		rest = rest[1:]
	}
	if len(rest) == 0 {
		return
	}
	if len(d.queue) >= deferRows || d.bytes >= deferBytes {
		d.stats.Overflow++
		n := len(p.matched)
		p.matched = p.rules.Settle(rest, p.matched)
		for _, r := range p.matched[n:] {
			p.send(p.rules, r, scene.Event.TS)
		}
		return
	}
	for _, v := range rest {
		if v.Sure {
			p.matched = append(p.matched, v.Rule)
		}
	}
	w := d.fresh()
	p.rules.Keep(&w.row, rest, c)
	w.container, w.ts, w.num, w.cpu = c, scene.Event.TS, scene.Event.Num, scene.Event.CPU
	if !d.replay {
		w.since = time.Now()
	}
	if len(p.tapes) > 0 {
		w.record = append(w.record[:0], scene.Event.Raw()...)
	}
	d.queue = append(d.queue, w)
	d.rows++
	d.bytes += w.row.Size()
	d.stats.Deferred++
}

// fresh returns a row to be filled.
func (d *deferral) fresh() *waiting {
	if n := len(d.spare); n > 0 {
		w := d.spare[n-1]
		d.spare = d.spare[:n-1]
		return w
	}
	return new(waiting)
}

// look decides what need not wait any more: before an event of that time is tried.
func (p *pipeline) look(ts uint64) {
	d := &p.later
	for len(d.queue) > 0 {
		w := d.queue[0]
		wait := w.alert == nil && w.container.Pending() && !(d.replay && ts >= w.ts+uint64(d.wait))
		if wait && len(d.queue) < 2*deferRows { // rows are fewer: there are alerts to go
			return
		}
		p.pop()
	}
}

// expire decides what has waited long enough. It is called between two events.
func (p *pipeline) expire() {
	d := &p.later
	if d.replay || len(d.queue) == 0 {
		return
	}
	for now := time.Now(); len(d.queue) > 0; {
		w := d.queue[0]
		if w.alert == nil && w.container.Pending() && now.Sub(w.since) < d.wait {
			return
		}
		p.pop()
	}
}

// pop lets the oldest go, with what is known.
func (p *pipeline) pop() {
	d := &p.later
	w := d.queue[0]
	d.queue[0] = nil
	if d.queue = d.queue[1:]; len(d.queue) == 0 {
		d.queue = nil // else it would creep through memory
	}
	if w.alert != nil {
		p.emit(w.alert)
		return
	}
	d.rows--
	d.bytes -= w.row.Size()
	switch {
	case w.container.Info() != nil:
		d.stats.Known++
	case w.container.Pending():
		d.stats.Late++
	default:
		d.stats.Missing++
	}
	if !d.replay {
		held := time.Since(w.since)
		d.stats.Longest = max(d.stats.Longest, held)
		if held > d.overdue() {
			d.stats.Over++
		}
	}
	d.found = w.row.Decide(d.found[:0])
	for _, r := range d.found {
		p.emit(p.alertOf(w.row.Set(), r, w.ts))
	}
	p.tellTapes(w, d.found)
	w.row.Free(deferKeep)
	if w.container = nil; len(d.spare) < deferSpare && cap(w.record) <= deferKeep {
		d.spare = append(d.spare, w)
	}
}

// tellTapes tells those who write captures what an event has matched after all.
func (p *pipeline) tellTapes(w *waiting, matched []*rules.Rule) {
	if len(matched) == 0 || len(w.record) == 0 {
		return
	}
	ev := &p.later.late
	if _, err := ev.Decode(w.record); err != nil {
		return // cannot be: it was decoded before
	}
	ev.TS, ev.Num, ev.CPU = w.ts, w.num, w.cpu
	for _, t := range p.tapes {
		if t, ok := t.(lateTape); ok {
			t.late(ev, matched)
		}
	}
}

// lateTape is a tape that wants to know what was found about an event that it has
// been given already.
type lateTape interface {
	late(ev *event.Event, matched []*rules.Rule)
}

// flush decides everything with what is known.
func (p *pipeline) flush() {
	for len(p.later.queue) > 0 {
		p.pop()
	}
}

// due returns how long the loop may sleep for the rows: 0 if there are none.
func (d *deferral) due() time.Duration {
	if len(d.queue) == 0 || d.replay {
		return 0
	}
	return max(d.wait-time.Since(d.queue[0].since), 1)
}
