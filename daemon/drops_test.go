// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/alert"
	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/driver"
	"github.com/falco-go/falco/pkg/output"
	"github.com/falco-go/falco/pkg/ring"
	"github.com/falco-go/falco/pkg/schema"
)

func TestDrops(t *testing.T) {
	var out bytes.Buffer
	log := newLogger(&out)
	log.to.SetOutput(&out)
	d := drops{log: log}
	now := time.Unix(1000, 0)
	d.check(now, ledger{Seen: 100})
	lost := func(n uint64) (causes [schema.ABILostCauses]uint64) {
		causes[schema.ABILostFull] = n
		return causes
	}
	d.gap(1, ring.Lost{From: 7, To: 10, FirstNs: 1e9, LastNs: 2e9, Causes: lost(4)}, 0)
	d.gap(0, ring.Lost{From: 1, To: 2, FirstNs: 5e8, LastNs: 6e8, Causes: lost(2)}, 0)
	where := fmt.Sprintf(" on CPU 0, 1 between %s and %s", clockTime(5e8), clockTime(2e9))
	d.check(now.Add(1*time.Second), ledger{Seen: 200, Lost: driver.Loss{Full: 5, Nested: 1}})
	d.check(now.Add(2*time.Second), ledger{Seen: 300, Lost: driver.Loss{Full: 9, Nested: 1}}) // too soon
	d.check(now.Add(3*time.Second), ledger{Seen: 300, Lost: driver.Loss{Full: 9, Nested: 1}})
	for i := range gapLooks + 1 { // the last loss has no record
		d.check(now.Add(time.Duration(20+i)*time.Second), ledger{Seen: 400, Lost: driver.Loss{Full: 9, Nested: 1}})
		if told := strings.Count(out.String(), "were lost"); told != 1+i/gapLooks {
			t.Errorf("look %d: %d lines", i, told)
		}
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.HasSuffix(lines[0], ": 6 of 200 events were lost (ring full: 5, nested: 1)"+where+". A larger engine.kmod.buf_size_preset holds more") ||
		!strings.HasSuffix(lines[1], ": 4 of 200 events were lost (ring full: 4). A larger engine.kmod.buf_size_preset holds more") {
		t.Errorf("told %q", lines)
	}
	out.Reset()
	d.watch.found, d.watch.acted = 2, 1
	d.summary(&out, ledger{Seen: 400, Delivered: 390, Lost: driver.Loss{Full: 9, Nested: 1}, Unread: 2}, 3)
	want := `Syscall event drop monitoring:
   - event drop detected: 2 occurrences
   - num times actions taken: 1
Events seen: 400, delivered: 390, lost: 10 (ring full: 9, too big: 0, nested: 1, no memory: 0, no ring: 0)
Gaps in the stream: 2, of 6 events` + where + `
Of those delivered: 2 not understood, 3 lost while seeding
`
	if out.String() != want {
		t.Errorf("got %s", out.String())
	}
}

// Gaps are told as alerts as often as the bucket allows, all of those since the last one in one, if losses are to be.
func TestTellGaps(t *testing.T) {
	to := &kept{}
	d := &daemon{log: newLogger(&bytes.Buffer{}), cfg: &config.Config{}}
	q := output.Start(to, output.Options{Style: alert.Style{Location: time.UTC}})
	d.pipe.outputs = []*output.Queue{q}
	var causes [schema.ABILostCauses]uint64
	causes[schema.ABILostFull], causes[schema.ABILostNested] = 3, 1
	now := time.Unix(1000, 0)
	d.drops.gap(0, ring.Lost{FirstNs: 1, LastNs: 2, Causes: causes}, 0)
	d.tellGaps(now) // nobody wants to know
	d.cfg.Drops = config.Drops{Alert: true, Rate: .125, Burst: 1}
	for i := range 10 { // one at once, one after eight seconds
		d.tellGaps(now.Add(time.Duration(i) * time.Second))
		d.drops.gap(i%2, ring.Lost{FirstNs: 5e9, LastNs: 6e9, Causes: causes}, int64(time.Hour))
	}
	q.Close(time.Minute)
	if len(to.lines) != 2 {
		t.Fatalf("told %q", to.lines)
	}
	for i, want := range []string{
		`: Warning Falco internal: gap in the stream. 4 events are missing on CPU 0 between `,
		`: Warning Falco internal: gap in the stream. 32 events are missing on CPU 0, 1 between `,
	} {
		if !strings.Contains(to.lines[i], want) {
			t.Errorf("told %q, want %q", to.lines[i], want)
		}
	}
	for _, want := range []string{`cpus="0, 1"`, `n_gaps="8"`, `n_lost_ring_full="24"`, `n_lost_nested="8"`, `first_time="3605000000000"`} {
		if !strings.Contains(to.lines[1], want) {
			t.Errorf("told %q without %s", to.lines[1], want)
		}
	}
}
