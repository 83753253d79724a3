// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/spool"
)

// feed reads the spool for one output, leaves out what is not for it, and makes loads
// for its workers.
func (d *delivery) feed(ctx context.Context, loads chan<- bundle) {
	for ctx.Err() == nil {
		l := d.fill(ctx)
		if len(l.items) == 0 {
			continue
		}
		select {
		case loads <- l:
		case <-ctx.Done():
		}
	}
}

// diskPause is between attempts to read a disk that fails.
const diskPause = time.Second

// fill makes one load: it waits for the first event, and then for more as long as the
// kind of output says.
func (d *delivery) fill(ctx context.Context) (l bundle) {
	events, wait := d.batch.Events, d.batch.Wait
	var full, tick <-chan time.Time
	bytes, looked := 0, false
	if r := d.inst.Route; r != nil && r.throttle != nil && r.throttle.summary {
		tick = time.After(time.Second)
	}
	for {
		rec, ok, err := d.r.TryNext()
		switch {
		case errors.Is(err, spool.ErrClosed):
			<-ctx.Done()
			return bundle{}
		case err != nil:
			d.f.log.Errorf("spool: %v", err)
			select {
			case <-time.After(diskPause):
			case <-ctx.Done():
				return bundle{}
			}
			continue
		}
		if ok {
			for _, it := range d.take(&rec) {
				if !looked { // how much waits decides about the whole load
					looked = true
					if d.digest > 0 && d.r.Stats().Pending > uint64(d.digest) {
						l.digest, events, wait, bytes = true, digestMax, 0, -1<<40
					} else if wait > 0 && events > 1 {
						full = time.After(wait)
					}
				}
				bytes += len(it.e.JSON())
				l.items = append(l.items, it)
			}
			if len(l.items) >= events || d.batch.Bytes > 0 && bytes >= d.batch.Bytes {
				return l
			}
			if ctx.Err() != nil {
				return bundle{}
			}
			continue
		}
		if len(l.items) > 0 && full == nil {
			return l
		}
		select {
		case <-ctx.Done():
			return bundle{}
		case <-d.r.Wait():
		case <-full:
			return l
		case <-tick:
			tick = time.After(time.Second)
			for _, e := range d.inst.Route.throttle.due(time.Now()) {
				l.items = append(l.items, item{e: e.Cut(d.limits), at: time.Now(), extra: true})
			}
			if len(l.items) > 0 {
				return l
			}
		}
	}
}

// take decides about one record: it returns what is to be sent.
func (d *delivery) take(rec *spool.Record) []item {
	e, target, err := d.f.open(rec)
	skip := func(count func(b *Books)) []item {
		d.ledger.do(count)
		d.r.Ack(rec.Seq)
		return nil
	}
	at := time.Unix(0, rec.Time)
	switch {
	case err != nil:
		d.f.log.Errorf("spool: record %d: %v", rec.Seq, err)
		return skip(func(b *Books) { b.Dropped[dropUnread]++ })
	case target != "" && target != d.inst.ID, at.Before(d.born), target == "" && !d.inst.chosen(e):
		return skip(func(b *Books) { b.Filtered++ })
	}
	if r := d.inst.Route; r != nil && target == "" {
		now := time.Now()
		if r.duplicate(e, now) {
			return skip(func(b *Books) { b.Dropped[dropDuplicate]++ })
		}
		if r.throttle != nil {
			ok, sum := r.throttle.pass(e, now)
			var out []item
			if sum != nil {
				out = append(out, item{e: sum.Cut(d.limits), at: now, extra: true})
			}
			if !ok {
				skip(func(b *Books) { b.Dropped[dropThrottled]++ })
				return out
			}
			return append(out, item{seq: rec.Seq, at: at, e: e.Cut(d.limits)})
		}
	}
	return []item{{seq: rec.Seq, at: at, e: e.Cut(d.limits)}}
}

// A record of the spool is a byte for its form, and then the event as JSON; or, for one that
// is for a certain output alone, the length of that output's name, the name, and the event.
const (
	formAll = 1
	formOne = 2
)

var errForm = errors.New("its form is not known: was it written by a later version?")

func seal(e *event.Event, target string) spool.Entry {
	text := e.JSON()
	b := make([]byte, 0, len(text)+2+len(target))
	if target == "" {
		b = append(b, formAll)
	} else {
		b = append(append(b, formOne, byte(len(target))), target...)
	}
	return spool.Entry{Class: e.Priority.Class(), Payload: append(b, text...)}
}

// open reads a record. Outputs that are close together share what one of them has read.
func (f *Forwarder) open(rec *spool.Record) (e *event.Event, target string, err error) {
	text := rec.Payload
	switch {
	case len(text) > 1 && text[0] == formAll:
		text = text[1:]
	case len(text) > 2 && text[0] == formOne && len(text) > 2+int(text[1]):
		n := int(text[1])
		target, text = string(text[2:2+n]), text[2+n:]
	default:
		return nil, "", errForm
	}
	if e = f.recent.get(rec.Seq); e == nil {
		if e, err = event.Parse(text); err == nil {
			e.SetJSON(text)
			f.recent.put(rec.Seq, e)
		}
	}
	return e, target, err
}

// recent are the events that somebody has just read.
type recent [1024]atomic.Pointer[read]

type read struct {
	seq uint64
	e   *event.Event
}

// cacheMax is how long an event may be to be kept.
const cacheMax = 16 << 10

func (r *recent) get(seq uint64) *event.Event {
	if x := r[seq%uint64(len(r))].Load(); x != nil && x.seq == seq {
		return x.e
	}
	return nil
}

func (r *recent) put(seq uint64, e *event.Event) {
	if len(e.JSON()) <= cacheMax {
		r[seq%uint64(len(r))].Store(&read{seq, e})
	}
}
