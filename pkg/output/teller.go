// SPDX-License-Identifier: Apache-2.0

package output

import (
	"fmt"
	"time"
)

// teller reports what goes wrong with a sink, and what takes too long.
type teller struct {
	q    *Queue
	said refrain
	slow *time.Timer
}

func (q *Queue) newTeller() *teller {
	t := &teller{q: q}
	t.slow = time.AfterFunc(time.Hour, func() {
		st := q.Stats()
		q.mu.Lock()
		delay := q.delay
		q.mu.Unlock()
		q.say(Blocked, fmt.Sprintf("%q output timeout: nothing delivered for %v, %d alerts wait", st.Name, delay, st.Queued+st.Spooled))
	})
	t.slow.Stop()
	return t
}

func (t *teller) try(call func() error) error {
	t.q.mu.Lock()
	delay := t.q.delay
	t.q.mu.Unlock()
	return t.tryFor(delay, call)
}

func (t *teller) tryFor(delay time.Duration, call func() error) error {
	if delay > 0 {
		t.slow.Reset(delay)
		defer t.slow.Stop()
	}
	err := call()
	if text := t.said.of(err, time.Now()); text != "" {
		t.q.say(Failed, t.q.stats.Name+": "+text)
	}
	return err
}

// A sink that stays broken is told of often at first, and then now and then.
const (
	refrainFirst = 5
	refrainEvery = time.Minute
)

// refrain keeps an error that repeats itself from filling the log.
type refrain struct {
	last   string
	n      int // failures in a row with this error
	hushed int // of these, not told since the last one that was
	told   time.Time
}

// of returns what is to be said about err, "" if nothing.
func (r *refrain) of(err error, now time.Time) string {
	switch {
	case err == nil:
		*r = refrain{}
		return ""
	case err.Error() != r.last:
		*r = refrain{last: err.Error()}
	}
	if r.n++; r.n > refrainFirst && now.Sub(r.told) < refrainEvery {
		r.hushed++
		return ""
	}
	text := r.last
	if r.hushed > 0 {
		text = fmt.Sprintf("%s (and %d times more)", text, r.hushed)
	}
	r.hushed, r.told = 0, now
	return text
}
