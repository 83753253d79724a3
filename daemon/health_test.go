// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/alert"
	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/driver"
	"github.com/falco-go/falco/pkg/output"
)

func TestMetricsInterval(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1h30m10s": 5410 * time.Second, "1h 30m10s": 5410 * time.Second, "100ms": 100 * time.Millisecond, "1y": 365 * 24 * time.Hour,
		"50ms": 0, "5000": 0, "": 0, "1m1h": 0, "99999999999y": 0, "2147483647y": 0, "-1s": 0,
	} {
		c := &config.Config{Metrics: config.Metrics{Enabled: true, Interval: text, Rule: true}}
		got, err := metricsInterval(c)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	if _, err := metricsInterval(&config.Config{Metrics: config.Metrics{Enabled: true, Interval: "1h"}}); err == nil {
		t.Error("metrics that nobody gets are no error")
	}
}

func TestBucket(t *testing.T) {
	b := bucket{rate: 2, size: 3}
	const s = uint64(time.Second)
	for i, tc := range []struct {
		at   uint64
		want bool
	}{
		{s, true}, {s, true}, {s, true}, {s, false}, {s + s/2, true}, {s + s/2, false},
		{1, false}, // back in time gives nothing
		{100 * s, true}, {100 * s, true}, {100 * s, true}, {100 * s, false},
	} {
		if got := b.take(tc.at); got != tc.want {
			t.Errorf("call %d at %d: %v", i, tc.at, got)
		}
	}
}

// lossy is a source whose books a test writes.
type lossy struct {
	nothing
	books ledger
}

func (l *lossy) Ledger() (ledger, error) { return l.books, nil }

// kept collects alerts.
type kept struct{ lines []string }

func (k *kept) Name() string { return "kept" }
func (k *kept) Write(_ context.Context, l output.Line) error {
	k.lines = append(k.lines, string(l.Text))
	return nil
}
func (k *kept) Reopen() error { return nil }
func (k *kept) Close() error  { return nil }

// Losses are looked at once in a second of the events' time, and told as often as
// the bucket allows.
func TestDropActions(t *testing.T) {
	src, to := &lossy{}, &kept{}
	d := &daemon{log: newLogger(&watchedLog{more: make(chan struct{}, 1)}), stop: make(chan struct{}), cfg: &config.Config{}}
	d.cfg.Drops = config.Drops{Threshold: .1, Alert: true, Rate: .001, Burst: 2}
	d.pipe.source = src
	q := output.Start(to, output.Options{Style: alert.Style{Location: time.UTC}})
	d.pipe.outputs = []*output.Queue{q}
	const s = uint64(time.Second)
	d.clocked(10 * s)
	for i, step := range []struct{ seen, full uint64 }{{1000, 100}, {2000, 301}, {2000, 301}, {3000, 700}, {4000, 1400}} {
		src.books = ledger{Seen: step.seen, Lost: driver.Loss{Full: step.full}}
		now := (12 + 2*uint64(i)) * s
		d.clocked(now)
		d.clocked(now + 1) // too soon
	}
	if w := d.drops.watch; w.found != 3 || w.acted != 2 {
		t.Errorf("found %d, acted %d, want 3 and 2", w.found, w.acted)
	}
	q.Close(time.Minute)
	want := `00:00:14.000000000: Debug Falco internal: syscall event drop. 201 system calls dropped in last second. (ebpf_enabled="0" n_drops="201" n_drops_buffer_clone_fork_exit="0"`
	if len(to.lines) != 2 || to.lines[0][:len(want)] != want {
		t.Errorf("told %q", to.lines)
	}
	d.cfg.Drops = config.Drops{Exit: true, Simulate: true, Burst: 1}
	d.drops.watch.bucket = bucket{}
	d.clocked(100 * s)
	select {
	case <-d.stop:
	default:
		t.Error("the run goes on")
	}
	if d.failed == nil || d.failed.Error() != "Drop manager internal error" {
		t.Errorf("error %v", d.failed)
	}
}
