// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/forward/output"
)

// maxKeys is how many different things are remembered at most.
const maxKeys = 65536

// seen remembers the last keys that were added: two generations, of which the older
// is forgotten when the younger is full.
type seen struct {
	max      int
	now, old map[[16]byte]time.Time
}

func newSeen(max int) *seen { return &seen{max: max, now: map[[16]byte]time.Time{}} }

// at returns when key was added.
func (s *seen) at(key [16]byte) (time.Time, bool) {
	t, ok := s.now[key]
	if !ok {
		t, ok = s.old[key]
	}
	return t, ok
}

func (s *seen) add(key [16]byte, t time.Time) {
	if len(s.now) >= s.max/2 {
		s.old, s.now = s.now, make(map[[16]byte]time.Time, s.max/2)
	}
	s.now[key] = t
}

// lockedSeen is seen for many.
type lockedSeen struct {
	mu sync.Mutex
	s  *seen
}

func (l *lockedSeen) has(key [16]byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.s.at(key)
	return ok
}

func (l *lockedSeen) add(keys [][16]byte) {
	now := time.Time{}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range keys {
		l.s.add(k, now)
	}
}

// content is the hash of what an event says: all but when, and its name.
func content(e *event.Event, withTime bool) (key [16]byte) {
	h := sha256.New()
	fmt.Fprintf(h, "%d %q %q %q", e.Priority, e.Rule, e.Hostname, e.Source)
	if withTime {
		fmt.Fprintf(h, " %d %q", e.Time.UnixNano(), e.Output)
	}
	var b []byte
	for _, f := range e.Fields {
		if !withTime && (f.Key == "evt.time" || f.Key == "evt.time.iso8601" || f.Key == "evt.num") {
			continue
		}
		b = event.AppendValue(append(event.AppendString(b, f.Key), ':'), f.Value)
	}
	h.Write(b)
	copy(key[:], h.Sum(nil))
	return key
}

// duplicate reports whether the same was there within the route's time. Only the first of a
// series counts: what goes on for an hour is told each dedup anew.
func (r *Route) duplicate(e *event.Event, now time.Time) bool {
	if r == nil || r.dedup <= 0 {
		return false
	}
	key := content(e, false)
	if t, ok := r.seen.at(key); ok && now.Sub(t) < r.dedup {
		return true
	}
	r.seen.add(key, now)
	return false
}

// throttle lets max events of a key pass in each span of time.
type throttle struct {
	key     *output.Template
	max     int
	per     time.Duration
	summary bool
	keys    map[string]*window
}

type window struct {
	from    time.Time
	n       int // that passed
	dropped int
	last    *event.Event
}

func newThrottle(key *output.Template, max int, per time.Duration, summary bool) *throttle {
	return &throttle{key: key, max: max, per: per, summary: summary, keys: map[string]*window{}}
}

// pass reports whether e may go. If a span has ended in which events of its key were
// held back, it returns a summary of these, which goes first.
func (t *throttle) pass(e *event.Event, now time.Time) (ok bool, summary *event.Event) {
	key := e.Rule
	if t.key != nil {
		if text, err := t.key.Execute(e.View()); err == nil {
			key = text
		}
	}
	w := t.keys[key]
	if w != nil && now.Sub(w.from) >= t.per {
		summary = t.summarise(w)
		w.from, w.n, w.dropped = now, 0, 0
	}
	if w == nil {
		if len(t.keys) >= maxKeys {
			t.forget(now)
		}
		w = &window{from: now}
		t.keys[key] = w
	}
	if w.n >= t.max {
		w.dropped++
		w.last = e
		return false, summary
	}
	w.n++
	return true, summary
}

// due returns summaries of spans that have ended and that nobody has asked about since.
func (t *throttle) due(now time.Time) (out []*event.Event) {
	for k, w := range t.keys {
		if now.Sub(w.from) < t.per {
			continue
		}
		if s := t.summarise(w); s != nil {
			out = append(out, s)
		}
		delete(t.keys, k)
	}
	return out
}

// forget makes room: what has ended, and if that is nothing, everything.
func (t *throttle) forget(now time.Time) {
	for k, w := range t.keys {
		if now.Sub(w.from) >= t.per {
			delete(t.keys, k)
		}
	}
	if len(t.keys) >= maxKeys {
		clear(t.keys)
	}
}

func (t *throttle) summarise(w *window) *event.Event {
	if !t.summary || w.dropped == 0 {
		return nil
	}
	e := w.last.Clone()
	e.UUID = newUUID()
	e.Output = fmt.Sprintf("%d more in %s: %s", w.dropped, t.per, e.Output)
	return e.Seal()
}
