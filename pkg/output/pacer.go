// SPDX-License-Identifier: Apache-2.0

package output

import (
	"errors"
	"fmt"
	"time"

	"github.com/falco-go/falco/pkg/spool"
)

// outcome is what becomes of a line that is tried again and again.
type outcome uint8

const (
	sent outcome = iota
	refused
	tooOld
	ended // there was no more time
)

// count puts an outcome into the books.
func (q *Queue) count(o outcome) {
	switch o {
	case sent:
		q.tick(&q.stats.Sent)
	case refused:
		q.tick(&q.stats.Failed)
	case tooOld:
		d := q.disk
		d.mu.Lock()
		d.aged++
		d.mu.Unlock()
	}
}

// pacer delivers, and pauses where that fails.
type pacer struct {
	q    *Queue
	tell *teller
	back spool.Backoff
	down bool // the last attempt has failed

	aside refrain
}

// run delivers until the queue is closed and nothing is left, or there is no more time.
func (p *pacer) run() {
	q, d := p.q, p.q.disk
	kept := d.kept
	for {
		q.between(p.tell)
		var wait <-chan struct{}
		if d.r != nil {
			rec, ok, err := d.r.TryNext()
			if ok {
				o := refused
				if l, good := decode(rec.Class, rec.Payload); good {
					o = p.insist(l, rec.Time)
				}
				if o == ended {
					return
				}
				q.count(o)
				d.r.Ack(rec.Seq)
				continue
			}
			if err != nil {
				q.say(Disk, fmt.Sprintf("%s: %v", q.stats.Name, err))
				if !p.pause(diskPause) {
					return
				}
				continue
			}
			wait = d.r.Wait()
		}
		if kept == nil {
			return
		}
		select {
		case <-wait:
		case <-d.nudge:
		case <-d.over:
			return
		case <-kept:
			kept = nil // a last look at the disk
		case entries := <-d.direct:
			for i, e := range entries {
				l, _ := decode(e.Class, e.Payload)
				o := p.insist(l, time.Now().UnixNano())
				if o == ended {
					q.leave(entries[i:])
					return
				}
				q.settle(1, nil)
				q.count(o)
			}
		}
	}
}

// insist delivers l, however often it takes. since is when the alert was put on the disk.
func (p *pacer) insist(l Line, since int64) outcome {
	q, d := p.q, p.q.disk
	for {
		q.between(p.tell)
		q.mu.Lock()
		ctx, delay := q.ctx, q.delay
		q.mu.Unlock()
		err := p.tell.tryFor(delay, func() error { return q.sink.Write(ctx, l) })
		if err == nil {
			p.back.Reset()
			if p.down {
				p.down = false
				st := q.Stats()
				q.say(Works, fmt.Sprintf("%s: delivers again; %d alerts wait", st.Name, st.Spooled+st.Queued))
			}
			return sent
		}
		select {
		case <-d.over:
			return ended
		default:
		}
		if ctx.Err() != nil { // there is another sink
			continue
		}
		var no *Refusal
		after := time.Duration(0)
		if errors.As(err, &no) {
			if no.Final {
				p.setAside(l)
				return refused
			}
			after = no.After
		}
		p.down = true
		q.tick(&q.stats.Retried)
		if d.opt.MaxAge > 0 && time.Now().UnixNano()-since > int64(d.opt.MaxAge) {
			return tooOld
		}
		if !p.pause(p.back.Next(after)) {
			return ended
		}
	}
}

// setAside keeps a line that the receiver will never take where a person finds it.
func (p *pacer) setAside(l Line) {
	if p.q.disk.sp == nil {
		return
	}
	if err := p.q.disk.sp.SetAside(l.Text); err != nil {
		if text := p.aside.of(err, time.Now()); text != "" {
			p.q.say(Disk, p.q.stats.Name+": an alert that was refused is not kept: "+text)
		}
	}
}

// pause waits, but not longer than until somebody wants something of the queue. It
// reports whether to go on.
func (p *pacer) pause(t time.Duration) bool {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.q.disk.nudge:
	case <-p.q.disk.over:
	}
	p.q.mu.Lock()
	defer p.q.mu.Unlock()
	return !p.q.closed // who has not taken it until now will not do so within seconds
}
