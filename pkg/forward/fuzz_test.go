// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/forward/output"
)

// FuzzTake gives the intake whatever somebody may send: each event is accepted, rejected or a
// duplicate, and what is accepted can be read again.
func FuzzTake(f *testing.F) {
	f.Add(line(1))
	f.Add(append(append(line(1), '\n'), line(2)...))
	f.Add([]byte("[{},[],null]"))
	f.Add([]byte("{}\n{\"rule\":1}\n\n"))
	dir, err := os.MkdirTemp("", "fuzz-")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { os.RemoveAll(dir) })
	cfg, err := Parse("state_dir: "+filepath.Join(dir, "state")+"\nwebhook: {address: 'http://127.0.0.1:1'}\ncustomfields: {a: b}\nbracketreplacer: _\n"+
		"templatedfields: {t: '{{ index . \"proc.name\" }}'}\noutputFieldFormat: '<timestamp> <output> <tags>'\nspool: {sync: interval, max_bytes: 1048576}\n"+
		"delivery: {retry_min: 1h}\n", nil)
	if err != nil {
		f.Fatal(err)
	}
	fw, err := New(cfg, Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { fw.Close() })
	r := fw.live.Load().outs[0].r
	f.Fuzz(func(t *testing.T, body []byte) {
		res, _ := fw.Take(body, "")
		if res.Err != nil {
			t.Fatal(res.Err)
		}
		for range res.Accepted {
			rec, ok, err := r.TryNext()
			if err != nil || !ok {
				return // the spool has dropped it to make room
			}
			r.Ack(rec.Seq)
			if e, _, err := fw.open(&rec); err != nil || e.Check() != nil {
				t.Errorf("%q: %v", rec.Payload, err)
			}
		}
	})
}

// The pauses between attempts grow, stay within their limits, and are no shorter than asked for.
func TestGate(t *testing.T) {
	g := newGate(&Delivery{RetryMin: time.Millisecond, RetryMax: 4 * time.Millisecond, SlowRetry: time.Hour})
	for n := range 20 {
		state := g.fail(false, 0, 0, true)
		if want := map[bool]string{true: stateOpen, false: stateRetrying}[n+1 >= openAfter]; state != want {
			t.Errorf("failure %d: %s, want %s", n, state, want)
		}
		if wait := time.Until(g.until); wait > 5*time.Millisecond {
			t.Errorf("failure %d: a pause of %v", n, wait)
		}
	}
	if probe, err := g.enter(t.Context()); !probe || err != nil {
		t.Errorf("probe %v, %v", probe, err)
	}
	entered := make(chan bool)
	go func() {
		probe, _ := g.enter(t.Context())
		entered <- probe
	}()
	g.pass(true)
	if <-entered {
		t.Error("a second probe after the first has been answered")
	}
	g.fail(false, 0, time.Hour, true)
	if wait := time.Until(g.until); wait < 59*time.Minute || wait > 67*time.Minute {
		t.Errorf("asked for an hour, pauses %v", wait)
	}
	if state := g.fail(false, 2, 0, true); state != stateMisconfigured {
		t.Errorf("state %s", state)
	}
}

// A bucket lets as many pass as it says, and then one at a time.
func TestBucket(t *testing.T) {
	if newBucket(output.Rate{}) != nil {
		t.Error("a rate of 0 is a limit")
	}
	b := newBucket(output.Rate{N: 5, Per: time.Second})
	b.each = time.Hour // nothing comes in
	for range 5 {
		if err := b.take(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- b.take(ctx) }()
	select {
	case <-done:
		t.Error("the sixth passes")
	case <-time.After(20 * time.Millisecond):
	}
	cancel()
	if <-done == nil {
		t.Error("a wait that was ended is no error")
	}
}
