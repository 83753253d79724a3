// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/procfs"
	"github.com/falco-go/falco/pkg/rules"
	"github.com/falco-go/falco/pkg/state"
	"github.com/falco-go/falco/tests/state/herd"
)

// A figure is a line of the page below the replays. Its value is the same on every machine: a count, or a time as a share of
// the yardstick's.
type figure struct {
	value float64
	text  string
}

type figures map[string]figure

// measureFigures takes all figures that are no replay.
func measureFigures(t *testing.T, c *race) figures {
	t.Helper()
	f := figures{}
	times := func(name string, took time.Duration, text string) {
		f[name] = figure{took.Seconds() / c.yard.cpu.Seconds(), text}
	}
	for name, files := range ruleFiles(t) {
		took := time.Hour
		for range 3 {
			took = min(took, loadTime(t, files))
		}
		times("load, "+name, took, fmt.Sprintf("%.0f ms of CPU", 1e3*took.Seconds()))
	}
	const processes, descriptors = 10_000, 20
	took, tasks, fds := startUp(t, processes, descriptors)
	times("start-up", took, fmt.Sprintf("%.2f s of CPU to read %d processes with %d descriptors from /proc", took.Seconds(), tasks, fds))
	count, bytes := allocations(t)
	f["allocations an event"] = figure{count, fmt.Sprintf("%.4f of %.1f bytes in all: what processes keep that begin", count, bytes)}
	for i, r := range c.rows {
		if r.mb > 0 {
			f["anonymous MB"] = figure{float64(c.took[i].anon) / 1000, fmt.Sprintf("%.1f MB, and %.1f MB of all memory, at the most in %s", float64(c.took[i].anon)/1000,
				float64(c.took[i].peak)/1000, r.name())}
		}
	}
	return f
}

// loadTime is what reading and compiling rules takes of the processors.
func loadTime(t *testing.T, paths []string) time.Duration {
	t.Helper()
	var in []rules.File
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		in = append(in, rules.File{Name: path, Content: text})
	}
	begin := processorTime()
	if set, results := rules.Load(in, rules.Options{Priority: rules.Debug}); set == nil {
		t.Fatal(results[0].Text(true))
	}
	return processorTime() - begin
}

// startUp lets many processes live, real ones, and returns what reading them all into tables takes of the processors.
func startUp(t *testing.T, processes, descriptors int) (took time.Duration, tasks, fds int) {
	t.Helper()
	defer herd.Live(t, filepath.Join("..", "state", "acts", "herd.c"), processes, descriptors)()
	proc, err := procfs.New("/proc")
	if err != nil {
		t.Fatal(err)
	}
	took = time.Hour
	for range 3 {
		st := state.New(state.Options{})
		begin := processorTime()
		stats, err := proc.Scan(t.Context(), st.Seed)
		if err != nil {
			t.Fatal(err)
		}
		st.Seeded()
		took = min(took, processorTime()-begin)
		tasks, fds = stats.Tasks, stats.FDs
	}
	return took, tasks, fds
}

// allocations returns how many an event makes of the large recording, and their bytes, after the first million.
func allocations(t *testing.T) (count, bytes float64) {
	t.Helper()
	s := newLargeStream(t)
	var before, after runtime.MemStats
	var from uint64
	s.round(t, 0, func(n uint64) {
		if from == 0 && n >= 1_000_000 {
			from = s.events
			runtime.ReadMemStats(&before)
		}
	})
	runtime.ReadMemStats(&after)
	events := float64(s.events - from)
	return float64(after.Mallocs-before.Mallocs) / events, float64(after.TotalAlloc-before.TotalAlloc) / events
}

func (f figures) print(w io.Writer, before map[string]float64) {
	for _, name := range slices.Sorted(maps.Keys(f)) {
		was := ""
		if b := before[name]; b > 0 {
			was = fmt.Sprintf(" (%+.0f%%)", 100*(f[name].value/b-1))
		}
		fmt.Fprintf(w, "%-22s %s%s\n", name, f[name].text, was)
	}
}

// keep writes baseline.json.
func (f figures) keep() error {
	kept := map[string]float64{}
	for name, fig := range f {
		kept[name] = math.Round(fig.value*1000) / 1000
	}
	text, err := json.MarshalIndent(kept, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(baselineFile, append(text, '\n'), 0o644)
}
