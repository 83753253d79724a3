// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
)

// fake is an output that does what a test says.
type fake struct {
	mu   sync.Mutex
	got  []string
	send func(batch []*event.Event) error
}

func (f *fake) Send(_ context.Context, batch []*event.Event) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := error(nil)
	if f.send != nil {
		err = f.send(batch)
	}
	p, _ := errors.AsType[*output.Partial](err)
	for i, e := range batch {
		if err == nil || p != nil && p.Errs[i] == nil {
			f.got = append(f.got, e.UUID)
		}
	}
	return err
}

func (f *fake) Close() error { return nil }

func (f *fake) uuids() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.got)
}

// withFake starts a forwarder with f as its output.
func withFake(t *testing.T, f output.Output, k output.Kind) *rig {
	t.Helper()
	k.Name, k.Title, k.Section = "fake", "Fake", "fake"
	cfg := config(t, quick+"state_dir: "+t.TempDir()+"\n")
	cfg.Add(output.Define(k, func(*struct{}, *output.Env) (output.Output, error) { return f, nil }), "fake")
	log := &testLog{t: t}
	fw, err := New(cfg, Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fw.Close() })
	fw.Start()
	return &rig{Forwarder: fw, t: t, log: log, cfg: cfg}
}

// take gives events from to to-1 to the forwarder.
func (r *rig) take(from, to int) {
	r.t.Helper()
	for n := from; n < to; n++ {
		if res, _ := r.Take(line(n), ""); res.Err != nil || res.Accepted != 1 {
			r.t.Fatalf("%+v", res)
		}
	}
}

// An output that panics over one event loses that one alone.
func TestPanic(t *testing.T) {
	f := &fake{send: func(batch []*event.Event) error {
		if slices.ContainsFunc(batch, func(e *event.Event) bool { return e.UUID == uuid(5) }) {
			panic("at the disco")
		}
		return nil
	}}
	r := withFake(t, f, output.Kind{Batch: output.Batch{Events: 8, Wait: 20 * time.Millisecond}})
	r.take(0, 20)
	r.idle()
	if got := f.uuids(); len(got) != 19 || slices.Contains(got, uuid(5)) {
		t.Errorf("%d events: %v", len(got), got)
	}
	b := r.Books()["fake"]
	letters, err := r.DeadLetters("fake", 10)
	if b.Dead != 1 || b.Panics < maxPanics || err != nil || len(letters) != 1 || !strings.Contains(letters[0].Error, "panic: at the disco") {
		t.Errorf("%+v %v %v", b, letters, err)
	}
}

// With one worker the order is kept, whatever fails.
func TestOrder(t *testing.T) {
	n := 0
	f := &fake{send: func([]*event.Event) error {
		if n++; n%3 == 0 {
			return errors.New("not now")
		}
		return nil
	}}
	r := withFake(t, f, output.Kind{})
	r.take(0, 200)
	r.idle()
	if got := f.uuids(); len(got) != 200 || !slices.IsSorted(got) {
		t.Errorf("%d events, in order: %v", len(got), slices.IsSorted(got))
	}
}

// Of a batch each event has the result that it has.
func TestPartial(t *testing.T) {
	tries := map[string]int{}
	f := &fake{send: func(batch []*event.Event) error {
		errs := make([]error, len(batch))
		for i, e := range batch {
			tries[e.UUID]++
			switch {
			case e.UUID == uuid(3):
				errs[i] = output.Permanentf("no")
			case e.UUID == uuid(4) && tries[e.UUID] < 4:
				errs[i] = output.Retry(errors.New("later"), 0)
			}
		}
		return output.Results(errs)
	}}
	r := withFake(t, f, output.Kind{Batch: output.Batch{Events: 10, Wait: 20 * time.Millisecond}})
	r.take(0, 10)
	r.idle()
	got := f.uuids()
	slices.Sort(got)
	if len(got) != 9 || len(slices.Compact(got)) != 9 || slices.Contains(got, uuid(3)) || tries[uuid(4)] != 4 {
		t.Errorf("%v %v", got, tries)
	}
	if b := r.Books()["fake"]; b.Dead != 1 || b.Retries != 3 {
		t.Errorf("%+v", b)
	}
}

// A batch that is too long is sent in halves; one event that is, is a dead letter.
func TestTooBig(t *testing.T) {
	var sizes []int
	f := &fake{send: func(batch []*event.Event) error {
		sizes = append(sizes, len(batch))
		if len(batch) > 3 || slices.ContainsFunc(batch, func(e *event.Event) bool { return e.UUID == uuid(9) }) {
			return output.TooBig(errors.New("too long"))
		}
		return nil
	}}
	r := withFake(t, f, output.Kind{Batch: output.Batch{Events: 16, Wait: 50 * time.Millisecond}})
	r.take(0, 16)
	r.idle()
	if got := f.uuids(); len(got) != 15 {
		t.Errorf("%d events: %v, sizes %v", len(got), got, sizes)
	}
	if b := r.Books()["fake"]; b.Dead != 1 {
		t.Errorf("%+v", b)
	}
}

// After five failures one event is tried, alone.
func TestBreaker(t *testing.T) {
	var sizes []int
	f := &fake{}
	f.send = func(batch []*event.Event) error {
		if sizes = append(sizes, len(batch)); len(sizes) <= 8 {
			return errors.New("away")
		}
		return nil
	}
	r := withFake(t, f, output.Kind{Batch: output.Batch{Events: 10, Wait: 50 * time.Millisecond}})
	r.take(0, 10)
	until(t, "the breaker opens", func() bool { s := r.Books()["fake"].State; return s == stateOpen || s == stateOK && len(f.uuids()) > 0 })
	r.idle()
	f.mu.Lock()
	defer f.mu.Unlock()
	first := sizes[0]
	for i, n := range sizes {
		switch {
		case i < openAfter && n != first, i >= openAfter && i <= 8 && n != 1:
			t.Errorf("attempt %d has %d events: %v", i, n, sizes)
		}
	}
	if !slices.IsSorted(f.got) || len(f.got) != 10 {
		t.Errorf("%v", f.got)
	}
}

// Nothing that an event holds stops the forwarder, or changes on the way.
func TestHostileEvents(t *testing.T) {
	f := &fake{}
	texts := map[string]string{}
	f.send = func(batch []*event.Event) error {
		for _, e := range batch {
			texts[e.UUID] = string(e.JSON())
		}
		return nil
	}
	r := withFake(t, f, output.Kind{})
	sent := map[string]string{}
	for i, e := range outputtest.HostileEvents() {
		e = e.Clone()
		e.UUID = uuid(i)
		body := e.AppendJSON(nil)
		res, _ := r.Take(body, "")
		switch {
		case res.Accepted == 1:
			if e.Source == "" {
				e.Source = "syscalls"
			}
			slices.Sort(e.Tags)
			sent[e.UUID] = string(e.AppendJSON(nil))
		case e.Check() == nil:
			t.Errorf("%.200s is refused: %v", body, res)
		}
	}
	r.idle()
	if len(texts) != len(sent) || len(sent) < 100 {
		t.Errorf("%d events were taken, %d came", len(sent), len(texts))
	}
	for u, want := range sent {
		if texts[u] != want {
			t.Errorf("sent\n%.300s\ncame\n%.300s", want, texts[u])
		}
	}
}

// counter is a Meter.
type counter struct {
	fake
	counts map[string]int
}

func (c *counter) Count(name string, n int, tags ...output.Tag) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range tags {
		name += " " + t.Key + "=" + t.Value
	}
	c.counts[name] += n
}

// Meters are told what is counted, and are no outputs otherwise.
func TestMeters(t *testing.T) {
	c := &counter{counts: map[string]int{}}
	r := withFake(t, c, output.Kind{})
	r.take(0, 3)
	r.Take([]byte("{"), "")
	r.Take(nil, "")
	if len(r.Books()) != 0 {
		t.Error("a meter has books")
	}
	want := map[string]int{"total": 5, "inputs.requests.accepted": 3, "inputs.requests.rejected error=invalidjson": 1, "inputs.requests.rejected error=nobody": 1,
		"falco.accepted priority=Warning": 3}
	c.mu.Lock()
	defer c.mu.Unlock()
	if fmt.Sprint(c.counts) != fmt.Sprint(want) {
		t.Errorf("%v\nwant %v", c.counts, want)
	}
}
