// SPDX-License-Identifier: Apache-2.0

package container

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// How one container is looked up: at once, then in small steps, then in larger ones,
// until somebody knows it or nobody can be expected to. That nobody knows it, or not all
// of it, is told after the small steps, when those who wait for it (Times.Wait) would not
// wait for the next attempt, or at once where nobody can be asked.

// question is an id that is asked for.
type question struct {
	Match
	since time.Time
	due   time.Time
	tries int
	told  bool // that nobody knows it so far, or what was in time
}

// reply is what has become of one attempt.
type reply struct {
	q    *question
	info *Info // nil if nobody knows it
	why  error
	hope bool // somebody was asked, or can soon be
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
	q, t, now := a.q, r.opt.Times, time.Now()
	if a.info != nil && !a.info.Late {
		if r.tell(Change{What: Known, Info: a.info}) {
			r.answered.Add(1)
			return true
		}
		q.due = now.Add(t.Slow) // the loop has too much to take in: what was found must not get lost
		return false
	}
	q.tries++
	pause := t.Step
	if q.tries > quickTries {
		pause = min(t.Slow<<min(q.tries-quickTries-1, 16), t.Slower)
	}
	q.due = now.Add(pause)
	last := q.due.Sub(q.since) >= t.Give
	late := q.tries >= quickTries && q.due.Sub(q.since) > t.Wait
	if !q.told && (last || late || !a.hope) {
		c := Change{What: Known, Info: a.info}
		if a.info == nil {
			c = Change{What: Failed, Info: &Info{ID: q.ID, FullID: q.FullID, Type: TypeUnknown}, Why: a.why}
		}
		q.told = r.tell(c)
	}
	if !last || !q.told {
		return false
	}
	if a.info == nil {
		r.failed.Add(1)
	} else {
		r.answered.Add(1)
	}
	return true
}

// work makes attempts.
func (r *Resolver) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case q := <-r.due:
			info, why, hope := r.try(ctx, q.Match)
			select {
			case r.done <- reply{q, info, why, hope}:
			case <-ctx.Done():
				return
			}
		}
	}
}

// said is what one engine has answered.
type said struct {
	from int
	info *Info
	why  error
}

// try asks the engines that can be reached, all at once: none has to wait for one that
// is slow, or silent. There is no hope if none can be reached.
func (r *Resolver) try(ctx context.Context, m Match) (_ *Info, why error, hope bool) {
	if len(r.links) == 0 {
		return nil, errNobody, false
	}
	ctx, cancel := context.WithTimeout(ctx, r.opt.Times.Call)
	defer cancel()
	answers := make(chan said, len(r.links))
	whys := make([]error, len(r.links))
	asked := 0
	for n, l := range r.links {
		switch {
		case !l.up.Load():
			whys[n] = l.why()
			hope = hope || whys[n] == errStarting
		case time.Now().UnixNano() < l.shut.Load():
			whys[n], hope = errSilent, true
		default:
			hope = true
			asked++
			r.wait.Go(func() {
				info, err := l.Get(ctx, m)
				if errors.Is(ctx.Err(), context.DeadlineExceeded) {
					l.shut.Store(time.Now().Add(min(r.opt.Times.Call, longestShut)).UnixNano())
				}
				answers <- said{n, info, err}
			})
		}
	}
	var part *Info // if nobody knows more
	for range asked {
		a := <-answers
		switch {
		case a.why == nil && a.info == nil:
			a.why = ErrNotFound
		case a.why == nil && a.info.Partial:
			if part == nil || a.info.Late {
				part = a.info
			}
		case a.why == nil:
			return a.info, nil, true
		}
		whys[a.from] = a.why
	}
	if part != nil {
		return part, nil, true
	}
	for n, l := range r.links {
		whys[n] = fmt.Errorf("%s: %w", l.Name(), whys[n])
	}
	return nil, joined(whys), hope
}

// longestShut is how long somebody who did not answer in time is left in peace.
const longestShut = time.Second

// joined is all of whys, on one line.
func joined(whys []error) error {
	texts := make([]string, len(whys))
	for i, err := range whys {
		texts[i] = err.Error()
	}
	return errors.New(strings.Join(texts, "; "))
}

var (
	errNobody = errors.New("no engine is configured")
	errSilent = errors.New("does not answer")
)
