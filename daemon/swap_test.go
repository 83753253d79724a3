// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/rules"
	"github.com/falco-go/falco/pkg/schema"
)

// Rules are swapped under load, one set after the other, each loaded beside the
// loop: every event meets exactly one set, none is lost and none is told twice.
func TestSwapUnderLoad(t *testing.T) {
	const total, step = 60_000, 3_000
	src := &script{c: make(chan struct{}, 1)}
	p, text := newPipeline(t, src)
	stop, mail := make(chan struct{}), make(chan func())
	end := sync.OnceFunc(func() { close(stop) })
	p.stop, p.mail = stop, mail
	p.state.Seed(task(100, "cat"))
	p.state.Seeded()
	records := make([][]byte, 64)
	for i := range records {
		records[i] = openat(100, second, fmt.Sprintf("/etc/shadow%d", i), schema.ORdonly).Bytes()
	}
	given, swaps := 0, 0
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; ; n++ {
			text := fmt.Sprintf("- macro: m\n  condition: fd.name startswith /etc/shadow and proc.name in (cat, x%d)\n"+
				"- rule: r\n  desc: d\n  condition: evt.type = openat and m\n  output: %d num=%%evt.num\n  priority: INFO\n", n, n)
			set, results := rules.Load([]rules.File{{Name: "r.yaml", Content: []byte(text)}}, rules.Options{Priority: rules.Debug})
			if set == nil {
				t.Error(results[0].Text(true))
				end()
				return
			}
			next := func() {
				p.swap(set)
				swaps++
				for given < total && len(src.live) < step {
					src.live = append(src.live, records[given%len(records)])
					given++
				}
				if len(src.live) == 0 {
					end()
				}
			}
			select {
			case mail <- next:
			case <-stop:
				return
			}
		}
	}()
	if err := p.run(time.Minute); err != nil {
		t.Fatal(err)
	}
	<-done
	lines := strings.Split(strings.TrimSuffix(text(), "\n"), "\n")
	if len(lines) != total {
		t.Errorf("%d alerts for %d events", len(lines), total)
	}
	sets, generation := map[int]bool{}, -1
	for i, line := range lines {
		var g, num int
		_, rest, _ := strings.Cut(line, "Informational ")
		if _, err := fmt.Sscanf(rest, "%d num=%d", &g, &num); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if num != i+1 || g < generation {
			t.Fatalf("line %d is about event %d, by set %d after %d", i+1, num, g, generation)
		}
		generation, sets[g] = g, true
	}
	if len(sets) < total/step || swaps < len(sets) {
		t.Errorf("only %d sets saw events, of %d", len(sets), swaps)
	}
	t.Logf("%d swaps, %d sets saw events", swaps, len(sets))
}
