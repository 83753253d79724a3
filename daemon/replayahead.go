// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"

	"github.com/falco-go/falco/pkg/capture"
	"github.com/falco-go/falco/pkg/event"
)

// The half of a replay that reads ahead, in a goroutine of its own; relay is what
// the reader tells of the time before the events.

// errQuit ends the goroutine; nobody sees it.
var errQuit = errors.New("nobody reads any more")

// ahead is the goroutine: it fills batches up to the end of the file.
func (r *replay) ahead() {
	defer close(r.gone)
	for {
		rec, err := r.reader.Next()
		r.lock()
		if err == nil {
			err = r.add(&rec)
		}
		if err != nil && r.room(0, 0) == nil {
			r.filling.err = err
			r.hand()
		}
		r.unlock()
		if err != nil {
			return
		}
	}
}

// lock keeps the loop away from the batch at hand; unlock lets it look.
func (r *replay) lock() {
	if r.pipe {
		r.mu.Lock()
	}
}

func (r *replay) unlock() {
	if r.pipe {
		r.mu.Unlock()
		r.call()
	}
}

// call wakes the loop.
func (r *replay) call() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// steal takes for the loop what the goroutine has so far. If that is in the middle
// of something it will call.
func (r *replay) steal() bool {
	if !r.pipe || !r.mu.TryLock() {
		return false
	}
	defer r.mu.Unlock()
	if b := r.filling; b == nil || len(b.events)+len(b.tables) == 0 {
		return false
	}
	r.full <- r.filling
	r.filling = nil
	return true
}

// add copies an event into the batch at hand.
func (r *replay) add(rec *capture.Record) error {
	if err := r.room(len(rec.Event)+len(rec.Options), 0); err != nil {
		return err
	}
	b := r.filling
	b.buf = append(b.buf, rec.Event...)
	b.buf = rec.AppendExtensions(b.buf)
	b.events = append(b.events, placed{len: len(rec.Event), end: len(b.buf), num: rec.Num, cpu: rec.CPU,
		flags: event.PrefixFlags(rec.Prefix()), hidden: rec.Flags&capture.StateOnly != 0})
	return nil
}

// room sees to it that the batch at hand can take an event of so many bytes, or
// so many records of tables. An event that is larger than a batch gets one of its
// own.
func (r *replay) room(bytes, tables int) error {
	if b := r.filling; b != nil {
		mixed := len(b.events) > 0 && tables > 0 || len(b.tables) > 0 && bytes > 0
		if !mixed && len(b.buf)+bytes <= batchBytes && len(b.events) < batchEvents && len(b.tables)+tables <= batchTables ||
			len(b.events)+len(b.tables) == 0 {
			return nil
		}
		r.hand()
	}
	select {
	case b := <-r.free:
		if cap(b.buf) > 2*batchBytes {
			b.buf = make([]byte, 0, batchBytes)
		}
		clear(b.tables)
		b.buf, b.events, b.tables, b.at = b.buf[:0], b.events[:0], b.tables[:0], 0
		r.filling = b
		return nil
	case <-r.quit:
		return errQuit
	}
}

// hand gives the batch at hand to the loop. There is always room in the channel.
func (r *replay) hand() {
	b := r.filling
	r.filling = nil
	_, b.at = r.reader.Position()
	r.full <- b
	r.call()
}

// relay brings tables to the state: at once before the first event, later with
// the stream.
type relay replay

func (r *relay) tell(f func(capture.Tables)) {
	if !r.started {
		f(r.tables)
		return
	}
	all := (*replay)(r)
	all.lock()
	defer all.unlock()
	if all.room(0, 1) == nil {
		r.filling.tables = append(r.filling.tables, f)
	}
}

func (r *relay) Begin() { r.tell(func(t capture.Tables) { t.Begin() }) }
func (r *relay) End()   { r.tell(func(t capture.Tables) { t.End() }) }
func (r *relay) Machine(m *capture.Machine) {
	c := *m
	r.tell(func(t capture.Tables) { t.Machine(&c); r.told = c })
}
func (r *relay) Interface(i *capture.Interface) {
	c := *i
	r.tell(func(t capture.Tables) { t.Interface(&c) })
}
func (r *relay) User(u *capture.User)   { c := *u; r.tell(func(t capture.Tables) { t.User(&c) }) }
func (r *relay) Group(g *capture.Group) { c := *g; r.tell(func(t capture.Tables) { t.Group(&c) }) }
func (r *relay) Proc(p *capture.Proc)   { c := *p; r.tell(func(t capture.Tables) { t.Proc(&c) }) }
func (r *relay) FD(f *capture.FD)       { c := *f; r.tell(func(t capture.Tables) { t.FD(&c) }) }
