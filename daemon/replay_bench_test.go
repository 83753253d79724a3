// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/rules"
	"github.com/falco-go/falco/pkg/state"
)

// given returns the path of something of the given material.
func given(b testing.TB, name string) string {
	dir := os.Getenv("FALCO_SHARED")
	if dir == "" {
		dir = "../../shared"
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		b.Skip("FALCO_SHARED not found")
	}
	return path
}

// One iteration replays a whole capture, from opening it to its last event, with
// the rules loaded before and alerts that go nowhere.
func BenchmarkReplay(b *testing.B) {
	for _, bc := range []struct{ name, capture, rules string }{
		{"large/none", "libs0254-large", ""},
		{"large/stock", "libs0254-large", "falco_rules-5.1.0.yaml"},
		{"adaptive/none", "libs0254-adaptive", ""},
		{"adaptive/stock", "libs0254-adaptive", "falco_rules-5.1.0.yaml"},
		{"old/stock", "sysdig029-b-files", "falco_rules-5.1.0.yaml"},
	} {
		b.Run(bc.name, func(b *testing.B) {
			capture := given(b, "data/captures/"+bc.capture+".scap")
			files := []rules.File{{Name: "none"}}
			if bc.rules != "" {
				text, err := os.ReadFile(given(b, "data/rules/"+bc.rules))
				if err != nil {
					b.Fatal(err)
				}
				files[0] = rules.File{Name: bc.rules, Content: text}
			}
			set, _ := rules.Load(files, rules.Options{Priority: rules.Debug})
			if set == nil {
				b.Fatal("the rules do not load")
			}
			var sum, peak replayed
			for b.Loop() {
				r := benchReplay(b, capture, set)
				sum.events, sum.bytes, sum.mallocs, sum.took = sum.events+r.events, sum.bytes+r.bytes, sum.mallocs+r.mallocs, sum.took+r.took
				peak.anon = max(peak.anon, r.anon)
			}
			b.ReportMetric(float64(sum.events)/sum.took.Seconds(), "events/s")
			b.ReportMetric(float64(sum.bytes)/sum.took.Seconds()/1e6, "MB/s")
			b.ReportMetric(float64(sum.mallocs)/float64(sum.events), "allocs/event")
			b.ReportMetric(float64(peak.anon)/1000, "MB-anon")
		})
	}
}

// replayed is what a replay has cost.
type replayed struct {
	events, bytes, mallocs uint64
	anon                   int // kB of anonymous memory at the peak, the rules and the test included
	took                   time.Duration
}

// anonymous returns how many kB of memory this process has that no file backs.
func anonymous() (kB int) {
	text, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(text), "RssAnon:")
	fmt.Sscan(rest, &kB)
	return kB
}

func benchReplay(b *testing.B, name string, set *rules.Set) (c replayed) {
	r, err := openReplay(name, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	p := pipeline{source: r, rules: set, counts: make([]uint64, len(set.Rules)), state: state.New(state.Options{})}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	if err := r.begin(p.state); err != nil {
		b.Fatal(err)
	}
	for err == nil {
		if err = next(r, &p.ev); err == nil {
			p.turn(&p.ev)
		}
		if p.num%(1<<19) == 0 {
			c.anon = max(c.anon, anonymous())
		}
	}
	c.took = time.Since(began)
	if err != io.EOF {
		b.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	r.stop()
	c.anon = max(c.anon, anonymous())
	c.events, c.bytes, c.mallocs = p.num, uint64(r.reader.Stats().Bytes), after.Mallocs-before.Mallocs
	return c
}
