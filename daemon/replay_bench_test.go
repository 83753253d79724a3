// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/rules"
	"github.com/falco-go/falco/pkg/state"
)

// given returns the path of something of the given material.
func given(b *testing.B, name string) string {
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
			var events, bytes, mallocs uint64
			var took time.Duration
			for b.Loop() {
				e, n, m, t := benchReplay(b, capture, set)
				events, bytes, mallocs, took = events+e, bytes+n, mallocs+m, took+t
			}
			b.ReportMetric(float64(events)/took.Seconds(), "events/s")
			b.ReportMetric(float64(bytes)/took.Seconds()/1e6, "MB/s")
			b.ReportMetric(float64(mallocs)/float64(events), "allocs/event")
		})
	}
}

func benchReplay(b *testing.B, name string, set *rules.Set) (events, bytes, mallocs uint64, took time.Duration) {
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
	}
	took = time.Since(began)
	if err != io.EOF {
		b.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	r.stop()
	return p.num, uint64(r.reader.Stats().Bytes), after.Mallocs - before.Mallocs, took
}
