// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// The thread sings, and its event is heard if it comes back through tables and rules.
func TestCanary(t *testing.T) {
	stop, beats := make(chan struct{}), make(chan int, 100)
	c, err := newCanary(time.Millisecond, stop, func(c *canary) {
		if err := c.sing(); err != nil {
			t.Error(err)
		}
		beats <- c.tid
	})
	if err != nil {
		t.Fatal(err)
	}
	c.begin <- struct{}{}
	for range 3 {
		if tid := <-beats; tid == 0 || tid != c.tid {
			t.Errorf("thread %d, want %d", tid, c.tid)
		}
	}
	close(stop)
	<-c.done

	s := state.New(state.Options{})
	generic := func(tid int64, code schema.SyscallCode) *event.Event {
		return eventtest.New(schema.GenericX).Tid(tid).TS(1).Uint(uint64(code)).Uint(146).Event()
	}
	own := int64(c.tid)
	for _, tc := range []struct {
		name        string
		ev          *event.Event
		sang, alone bool
		heard       uint64
	}{
		{"its call", generic(own, canaryCode), true, false, 1},
		{"another call of its thread", generic(own, schema.ScFutex), true, false, 1},
		{"somebody else's, which a rule wants", generic(own+1, canaryCode), false, false, 1},
		{"somebody else's, which nobody wants", generic(own+1, canaryCode), true, true, 1},
		{"its call again", generic(own, canaryCode), true, true, 2},
	} {
		c.alone = tc.alone
		if got := c.sang(tc.ev); got != tc.sang {
			t.Errorf("%s: sang is %v", tc.name, got)
		}
		if tc.sang {
			c.hear(s, tc.ev, 5)
		}
		if got := c.heard.Load(); got != tc.heard {
			t.Errorf("%s: %d heard, want %d", tc.name, got, tc.heard)
		}
	}
}

// Three calls without an answer are one alarm, one with an answer ends it. What is lost
// while other events come through is no alarm, nor is it that these are older than the call; while none comes it is.
func TestCanaryJudge(t *testing.T) {
	c := &canary{every: time.Second}
	now := time.Unix(1000, 0)
	w := &web{health: new(health), page: config.Web{Healthz: "/healthz"}, room: make(chan struct{}, 1)}
	w.health.canary.Store(c)
	var produced, lost uint64
	for i, step := range []struct {
		heard, through, produced, lost uint64 // more of them
		behind                         uint64 // seconds that the stream is behind
		want                           verdict
		status                         int
	}{
		{0, 0, 0, 0, 0, sees, 200}, // nothing was sent yet
		{1, 10, 10, 0, 0, sees, 200},
		{0, 0, 10, 0, 0, sees, 200},
		{0, 0, 10, 0, 0, sees, 200},
		{1, 5, 10, 0, 0, sees, 200}, // late
		{0, 5, 10, 5, 0, overloaded, 200},
		{0, 0, 0, 0, 0, sees, 200},
		{0, 5, 10, 5, 0, overloaded, 200}, // begins to count anew
		{0, 0, 0, 5, 0, sees, 200},
		{0, 0, 9, 5, 0, sees, 200},
		{0, 0, 0, 5, 0, blindNow, 503}, // whatever is lost: nothing comes through
		{0, 0, 0, 0, 0, sees, 503},     // said once
		{0, 9, 9, 9, 0, overloaded, 503},
		{1, 1, 1, 0, 0, seesAgain, 200},
		{1, 1, 1, 0, 0, sees, 200},
		// Behind, with events that come through: nothing is said of the calls.
		{0, 5, 9, 0, 10, behind, 200},
		{0, 5, 9, 0, 10, behind, 200},
		{0, 5, 9, 0, 10, behind, 200},
		{0, 5, 9, 0, 10, behind, 200},
		{1, 5, 9, 0, 10, sees, 200}, // the first of them
		{0, 5, 9, 0, 10, behind, 200},
		// Behind, and nothing comes through.
		{0, 0, 9, 0, 10, sees, 200},
		{0, 0, 9, 0, 10, sees, 200},
		{0, 0, 9, 0, 10, blindNow, 503},
		{0, 5, 9, 0, 10, behind, 503}, // no answer yet
		{1, 5, 9, 0, 1, seesAgain, 200},
		// The stream goes past the call, and its answer was not there.
		{0, 5, 9, 0, 3, behind, 200},
		{0, 5, 9, 0, 3, behind, 200},
		{0, 5, 9, 0, 3, sees, 200},
		{0, 5, 9, 0, 3, sees, 200},
		{0, 5, 9, 0, 3, blindNow, 503},
	} {
		c.heard.Add(step.heard)
		c.through.Add(step.through)
		produced, lost, now = produced+step.produced, lost+step.lost, now.Add(time.Second)
		c.reached.Store(uint64(now.Add(-time.Duration(step.behind) * time.Second).UnixNano()))
		if got := c.judge(produced, lost, now); got != step.want {
			t.Errorf("step %d: verdict %d, want %d", i, got, step.want)
		}
		if step.want == blindNow && (!c.made || now.Sub(c.since) != 3*time.Second) {
			t.Errorf("step %d: blind for %v, made %v", i, now.Sub(c.since), c.made)
		}
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/healthz", nil))
		if rec.Code != step.status {
			t.Errorf("step %d: /healthz says %d %s", i, rec.Code, rec.Body)
		}
		c.before(produced, lost, now)
	}
}
