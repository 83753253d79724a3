// SPDX-License-Identifier: Apache-2.0

package main

import "time"

// What the loop does when it does not turn: it listens, sleeps, and in the
// beginning lets the state be seeded.

// rest holds the timers of a loop.
type rest struct {
	ticker *time.Ticker
	young  *time.Timer // when events that are too young now can go out
}

func newRest() *rest {
	r := &rest{time.NewTicker(time.Second), time.NewTimer(time.Hour)}
	r.young.Stop()
	return r
}

func (r *rest) end() {
	r.ticker.Stop()
	r.young.Stop()
}

// rest takes in what the channels hold. If the source is dry it waits for the
// next event, or for anything else.
func (p *pipeline) rest(r *rest, dry bool) (stopped bool, err error) {
	if sleep, max := p.sleep(dry); sleep {
		if due := p.later.due(); due > 0 && (max == 0 || due < max) {
			max = due
		}
		var young <-chan time.Time
		if max > 0 {
			r.young.Reset(max)
			young = r.young.C
		}
		select {
		case <-p.stop:
			return true, nil
		case do := <-p.mail:
			do()
		case now := <-r.ticker.C:
			p.ticked(now)
		case <-p.source.C():
			return false, p.source.Woken()
		case <-young:
		}
		return false, nil
	}
	select {
	case <-p.stop:
		return true, nil
	case do := <-p.mail:
		do()
	case now := <-r.ticker.C:
		p.ticked(now)
	default:
	}
	return false, nil
}

func (p *pipeline) sleep(dry bool) (bool, time.Duration) {
	if !dry {
		return false, 0
	}
	return p.source.Arm()
}

func (p *pipeline) ticked(now time.Time) {
	for _, t := range p.tapes {
		t.tick()
	}
	if p.tick != nil {
		p.tick(now)
	}
}

// seed lets the readers of /proc fill the state. The events that come meanwhile
// are kept and turned afterwards, in order, so that the rings stay empty all
// the time: also while the kept ones are being turned.
func (p *pipeline) seed(r *rest) (stopped bool, err error) {
	for seeds := p.seeds; seeds != nil; {
		dry, err := p.keep()
		if err != nil {
			return false, err
		}
		select {
		case do, ok := <-seeds:
			if !ok {
				seeds = nil
				continue
			}
			do()
			continue
		case <-p.stop:
			return true, nil
		default:
		}
		if !dry {
			continue
		}
		r.young.Reset(keepEvery)
		select {
		case do, ok := <-seeds:
			if !ok {
				seeds = nil
				continue
			}
			do()
		case <-p.stop:
			return true, nil
		case <-r.young.C:
		}
	}
	for p.early.pop(&p.ev) {
		p.ev.Num = 0
		p.turn(&p.ev)
		if p.num%keepSize == 0 || len(p.later.queue) > 0 && p.num%awaitSize == 0 {
			if _, err := p.keep(); err != nil {
				return false, err
			}
			select {
			case <-p.stop:
				return true, nil
			case do := <-p.mail: // what runtimes tell is waited for already
				do()
			default:
			}
			p.expire()
		}
	}
	return false, nil
}

const (
	keepSize  = 256
	keepEvery = 2 * time.Millisecond
)

// keep puts a batch of events aside.
func (p *pipeline) keep() (dry bool, err error) {
	for range keepSize {
		ok, err := p.source.Next(&p.ev)
		if !ok || err != nil {
			return true, err
		}
		p.early.push(&p.ev)
	}
	return false, nil
}
