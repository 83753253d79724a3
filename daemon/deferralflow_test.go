// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/schema"
)

// How long events are held where the loop itself runs: with a source that stands
// still, and with one that never does.

// endless is a source that always has an event: of the host, but for every
// hundredth, which is of a new container.
type endless struct {
	nothing
	*deferring
	limit, seen int
	last        int         // container
	held, most  int         // events for which a row has been waiting
	row         func(n int) // called when there is one, of container n
}

func (s *endless) Next(ev *event.Event) (bool, error) {
	if s.seen++; s.seen > s.limit {
		return false, io.EOF
	}
	switch rows := s.later.rows; {
	case rows == 0:
		s.held = 0
	case s.held == 0 && s.row != nil:
		s.row(s.last)
		fallthrough
	default:
		s.held++
		s.most = max(s.most, s.held)
	}
	tid := int64(1)
	if s.seen%100 == 0 {
		s.last = s.seen / 100
		s.enter(s.last)
		tid = int64(100 + s.last)
	}
	s.ts += 1000
	_, err := ev.Decode(openat(tid, s.ts, "/etc/motd", schema.ORdonly).Bytes())
	return true, err
}

// However busy the stream is, what has waited long enough is decided before many more
// events have passed, and what is told is heard before that.
func TestDeferBusy(t *testing.T) {
	for _, c := range []struct {
		name string
		wait time.Duration
		tell bool
	}{{"late", 1, false}, {"known", time.Hour, true}} {
		t.Run(c.name, func(t *testing.T) {
			d := newDeferring(t, loadSet(t, deferRules1, true))
			d.later.wait = c.wait
			mail := make(chan func(), 1)
			d.pipeline.mail = mail
			s := &endless{deferring: d, limit: 20050}
			if c.tell {
				s.row = func(n int) { mail <- func() { d.know(n, "web", "nginx") } }
			}
			d.pipeline.source = s
			if err := d.flow(); err != io.EOF {
				t.Fatal(err)
			}
			t.Logf("%+v, rows waited for up to %d events", d.later.stats, s.most)
			if st := d.later.stats; st.Deferred != 200 || c.tell != (st.Known == 200) || c.tell == (st.Late == 200) {
				t.Errorf("%+v", st)
			}
			if s.most > awaitSize {
				t.Errorf("a row waited for %d events", s.most)
			}
		})
	}
}

// Where nothing happens at all, a timer ends what has waited long enough.
func TestDeferStill(t *testing.T) {
	d := newDeferring(t, loadSet(t, deferRules1, true))
	d.later.wait = 20 * time.Millisecond
	d.enter(0)
	stop := make(chan struct{})
	guard := time.AfterFunc(time.Minute, func() { close(stop) })
	d.pipeline.stop = stop
	src := &script{live: [][]byte{openat(100, d.ts, "/etc/motd", schema.ORdonly).Bytes()}}
	src.dry = func() {
		if d.later.stats.Late == 1 && guard.Stop() {
			close(stop)
		}
	}
	d.pipeline.source = src
	if err := d.flow(); err != nil {
		t.Fatal(err)
	}
	if s := d.later.stats; s.Deferred != 1 || s.Late != 1 || s.Longest < d.later.wait || len(d.later.queue) != 0 {
		t.Errorf("%+v", s)
	}
	d.want("motd 2 <NA>")
	if src.sleeps > 10 {
		t.Errorf("the loop slept %d times", src.sleeps)
	}
}
