// SPDX-License-Identifier: Apache-2.0

package container

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"time"
)

// How one container is looked up: at once, then in small steps, then in larger ones,
// until somebody knows it or nobody can be expected to.

// question is an id that is asked for.
type question struct {
	Match
	since time.Time
	due   time.Time
	tries int
}

// reply is what has become of one attempt.
type reply struct {
	q    *question
	info *Info // nil if nobody knows it
	why  error
}

// agenda holds questions by the time of their next attempt.
type agenda []*question

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].due.Before(a[j].due) }
func (a agenda) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(q any)        { *a = append(*a, q.(*question)) }
func (a *agenda) Pop() any {
	old := *a
	q := old[len(old)-1]
	old[len(old)-1] = nil
	*a = old[:len(old)-1]
	return q
}

// plan decides when what is asked.
func (r *Resolver) plan(ctx context.Context) {
	var todo agenda
	open := map[string]bool{} // ids in todo or on their way
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		now := time.Now()
		for len(todo) > 0 && !todo[0].due.After(now) {
			r.due <- heap.Pop(&todo).(*question) // has room for all that are open
		}
		wait := time.Hour
		if len(todo) > 0 {
			wait = todo[0].due.Sub(now)
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case m := <-r.asks:
			if i := m.Complete(); i != nil {
				r.answered.Add(1)
				r.tell(Change{What: Known, Info: i})
				break
			}
			switch {
			case open[m.FullID]:
			case len(open) >= maxWaiting:
				r.lost.Add(1)
			default:
				open[m.FullID] = true
				now := time.Now()
				heap.Push(&todo, &question{Match: m, since: now, due: now})
			}
		case a := <-r.done:
			if r.settle(a) {
				delete(open, a.q.FullID)
			} else {
				heap.Push(&todo, a.q)
			}
		}
		r.waiting.Store(int64(len(open)))
	}
}

// settle takes in what has become of an attempt; false means that there is to be
// another one.
func (r *Resolver) settle(a reply) bool {
	if a.info != nil {
		r.answered.Add(1)
		r.tell(Change{What: Known, Info: a.info})
		return true
	}
	q, t, now := a.q, r.opt.Times, time.Now()
	q.tries++
	pause := t.Step
	if q.tries > quickTries {
		pause = min(t.Slow<<min(q.tries-quickTries-1, 16), t.Slower)
	}
	q.due = now.Add(pause)
	if q.due.Sub(q.since) < t.Give {
		return false
	}
	r.failed.Add(1)
	r.tell(Change{What: Failed, Info: &Info{ID: q.ID, FullID: q.FullID, Type: TypeUnknown}, Why: a.why})
	return true
}

// work makes attempts.
func (r *Resolver) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case q := <-r.due:
			info, why := r.try(ctx, q.Match)
			select {
			case r.done <- reply{q, info, why}:
			case <-ctx.Done():
				return
			}
		}
	}
}

// try asks the engines that can be reached, one after the other.
func (r *Resolver) try(ctx context.Context, m Match) (*Info, error) {
	var whys []error
	var part *Info // if nobody knows more
	for _, l := range r.links {
		if !l.up.Load() {
			whys = append(whys, fmt.Errorf("%s: %w", l.Name(), l.why()))
			continue
		}
		if time.Now().UnixNano() < l.shut.Load() { // others are not to wait for it as well
			whys = append(whys, fmt.Errorf("%s: %w", l.Name(), errSilent))
			continue
		}
		call, cancel := context.WithTimeout(ctx, r.opt.Times.Call)
		info, err := l.Get(call, m)
		if err == nil && info != nil {
			cancel()
			if info.Partial {
				part = info
				continue
			}
			return info, nil
		}
		if err == nil {
			err = ErrNotFound
		}
		if errors.Is(call.Err(), context.DeadlineExceeded) {
			l.shut.Store(time.Now().Add(r.opt.Times.Call).UnixNano())
		}
		cancel()
		whys = append(whys, fmt.Errorf("%s: %w", l.Name(), err))
	}
	if part != nil {
		return part, nil
	}
	if len(whys) == 0 {
		return nil, errNobody
	}
	return nil, errors.Join(whys...)
}

var (
	errNobody = errors.New("no engine is configured")
	errSilent = errors.New("does not answer")
)
