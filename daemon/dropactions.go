// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/falco-go/falco/pkg/alert"
	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/metrics"
)

// What syscall_event_drops asks for: once in a second of the events' time the
// books are compared with those of the second before.

const dropRule = "Falco internal: syscall event drop"

// dropWatch is what it remembers.
type dropWatch struct {
	next   uint64 // when the second is over, 0 before the first event
	last   ledger
	bucket bucket
	gaps   bucket
	found  uint64 // seconds with losses
	acted  uint64
	kinds  [len(metrics.Kinds)]uint64
}

// clocked is called with the time of an event when due, and returns when the next
// call is due.
func (d *daemon) clocked(now uint64) (due uint64) {
	w := &d.drops.watch
	due = math.MaxUint64
	if w.next == 0 {
		w.next = now + uint64(time.Second)
	} else if now > w.next {
		w.next = now + uint64(time.Second)
		d.checkDrops(now)
	}
	due = w.next
	if h := &d.health; d.cfg.Engine.Kind == config.KindReplay && h.interval > 0 { // no other clock runs there
		if h.last == 0 || now >= h.last+uint64(h.interval) {
			h.last = now
			d.tellMetrics(now)
		}
		due = min(due, h.last+uint64(h.interval))
	}
	return due
}

// checkDrops acts if too much was lost since the last call.
func (d *daemon) checkDrops(now uint64) {
	c, w := &d.cfg.Drops, &d.drops.watch
	var l ledger
	if d.cfg.Engine.Kind != config.KindReplay { // a file has lost nothing
		var err error
		if l, err = d.pipe.source.Ledger(); err != nil {
			return
		}
	}
	seen, lost, full := l.Seen-w.last.Seen, l.Lost.Total()-w.last.Lost.Total(), l.Lost.Full-w.last.Lost.Full
	w.last = l
	threshold := c.Threshold
	if c.Simulate {
		d.log.infof("Simulating syscall event drop")
		lost++
		threshold = 0
	}
	if lost == 0 || seen > 0 && float64(lost)/float64(seen) <= threshold {
		return
	}
	w.found++
	w.bucket.rate, w.bucket.size = c.Rate, c.Burst
	if !w.bucket.take(now) {
		d.log.debugf("Syscall event drop but token bucket depleted, skipping actions")
		return
	}
	w.acted++
	kinds := w.kinds // since the last alert, for it costs more to look at them
	if k, live := d.pipe.source.(*kmod); live && c.Alert {
		kinds = k.lostKinds()
	}
	text := fmt.Sprintf("%s. %d system calls dropped in last second.", dropRule, lost)
	if c.Log {
		d.log.debugf("%s", text)
	}
	if c.Alert {
		number := func(n uint64) string { return strconv.FormatUint(n, 10) }
		fields := []alert.Field{
			{Key: "ebpf_enabled", Value: "0"}, {Key: "n_drops", Value: number(lost)}, {Key: "n_drops_buffer_total", Value: number(full)},
			{Key: "n_drops_bug", Value: number(lost - min(lost, full))}, {Key: "n_drops_page_faults", Value: "0"},
			{Key: "n_drops_scratch_map", Value: "0"}, {Key: "n_evts", Value: number(seen)},
		}
		for i, kind := range metrics.Kinds {
			fields = append(fields, alert.Field{Key: "n_drops_buffer_" + kind + "_exit", Value: number(kinds[i] - w.kinds[i])})
		}
		d.pipe.emit(&alert.Alert{TimeNs: now, Rule: dropRule, Source: alert.Internal, Severity: alert.Severity(config.Debug), Message: text, Fields: fields})
		w.kinds = kinds
	}
	if c.Exit {
		d.log.say(config.Critical, "%s", text)
		d.log.say(config.Critical, "Exiting.")
		d.fail(&failure{form: block, text: "Drop manager internal error", hint: "syscall_event_drops.actions says exit"})
	}
}

const gapRule = "Falco internal: gap in the stream"

// tellGaps makes an alert of the gap records since the last one, as often as the bucket
// allows, where losses are to be told as alerts. Unlike the alert on a second's losses, which
// comes of the books when they exceed a threshold, it says where in the stream something is
// missing, however little. It is called about once a second.
func (d *daemon) tellGaps(now time.Time) {
	c, g := &d.cfg.Drops, &d.drops.fresh
	if !c.Alert || g.records == 0 {
		return
	}
	b := &d.drops.watch.gaps
	b.rate, b.size = c.Rate, c.Burst
	if !b.take(uint64(now.UnixNano())) {
		return
	}
	number := func(n uint64) string { return strconv.FormatUint(n, 10) }
	fields := []alert.Field{{Key: "n_lost", Value: number(g.events)}, {Key: "n_gaps", Value: number(g.records)}, {Key: "cpus", Value: g.cpuList()},
		{Key: "first_time", Value: strconv.FormatInt(g.first, 10)}, {Key: "last_time", Value: strconv.FormatInt(g.last, 10)}}
	for i, c := range lossCounters {
		fields = append(fields, alert.Field{Key: "n_lost_" + strings.ReplaceAll(c.name, " ", "_"), Value: number(g.causes[i])})
	}
	d.pipe.emit(&alert.Alert{TimeNs: uint64(now.UnixNano()), Rule: gapRule, Source: alert.Internal, Severity: alert.Severity(config.Warning),
		Message: fmt.Sprintf("%s. %d events are missing%s.", gapRule, g.events, g.where()), Fields: fields})
	*g = gaps{}
}
