// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/procfs"
	"github.com/falco-go/falco/pkg/rules"
	"github.com/falco-go/falco/pkg/state"
)

// fill puts that many threads into the tables of s, in processes of a hundred, with the descriptors divided among the
// processes.
func fill(s *state.State, threads, descriptors int) {
	const team = 100
	processes := threads / team
	for i := range threads {
		tid := int64(100_000 + i)
		pid := tid - int64(i%team)
		task := &procfs.Task{ReadAt: 1, Tid: tid, Pid: pid, PPid: 1, NSTid: tid, NSPid: pid, NSPgid: pid, Pgid: pid, Sid: 1, Threads: team,
			Comm: "worker", Exe: "worker", ExePath: "/usr/bin/worker", Cwd: "/", Root: "/", FDLimit: 1 << 20, Start: epoch - 60e9,
			Args: []string{fmt.Sprint("--shard=", pid)}, Env: []string{"PATH=/usr/bin:/bin"}, Cgroups: []string{"cpu=/system.slice"}}
		if task.IsMain() {
			for fd := range descriptors / processes {
				task.FDs = append(task.FDs, procfs.FD{Num: int64(fd), Kind: procfs.File, Name: fmt.Sprintf("/srv/shard-%d/%d", pid, fd)})
			}
		}
		s.Seed(task)
	}
}

// TestPauses prints how long the collector stops everything while the tables are as full as those of a very large
// machine, and events pass.
func TestPauses(t *testing.T) {
	if os.Getenv("FALCO_BENCH") == "" {
		t.Skip("FALCO_BENCH=1 prints the pauses")
	}
	const threads, descriptors = 100_000, 1_000_000
	d := newDayWith(state.Limits{Bytes: 1 << 30})
	fill(d.state, threads, descriptors)
	if n := d.state.Stats(); n.Threads < threads || n.FDs < descriptors {
		t.Fatalf("the tables hold %d threads and %d descriptors", n.Threads, n.FDs)
	}
	set := load(t, generate(t, 100, literals))
	stop, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	}()
	held := heap()
	before, cycles := pauses(), collections()
	matched := make([]*rules.Rule, 0, 16)
	for collections()-cycles < 100 {
		if err := d.round(func(_ *state.State, s *state.Scene) { matched = set.Match(s, matched[:0]) }); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	<-gone
	after := pauses()
	for i := range after.Counts {
		after.Counts[i] -= before.Counts[i]
	}
	fmt.Printf("Collector: %d threads and %d descriptors are %.0f MB; %d collections, pauses of %s in the middle, %s at 99.9 %%, %s at most.\n", threads, descriptors,
		float64(held)/1e6, collections()-cycles, quantile(after, 0.5), quantile(after, 0.999), quantile(after, 1))
}

func pauses() *metrics.Float64Histogram {
	sample := []metrics.Sample{{Name: "/sched/pauses/total/gc:seconds"}}
	metrics.Read(sample)
	h := *sample[0].Value.Float64Histogram()
	h.Counts = append([]uint64(nil), h.Counts...)
	return &h
}

func collections() uint64 {
	sample := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// quantile returns the upper end of the bucket that holds that share of h.
func quantile(h *metrics.Float64Histogram, share float64) string {
	var all, sum uint64
	for _, n := range h.Counts {
		all += n
	}
	for i, n := range h.Counts {
		if sum += n; n > 0 && float64(sum) >= share*float64(all) {
			return fmt.Sprintf("%.0f µs", 1e6*h.Buckets[i+1])
		}
	}
	return "nothing"
}

// traced finds what the collector's helpers had of the processors, in the form that package runtime documents for
// gctrace: assists, and workers of its own. What idle processors do costs nobody, and in the phases before and after
// everything waits: on a busy machine mostly for others.
var traced = regexp.MustCompile(`(?m)^gc \d+ @.* clock, [0-9.]+\+([0-9.]+)/([0-9.]+)/[0-9.]+\+[0-9.]+ ms cpu`)

// TestCollectorShare holds what the collector may take of the processors during a replay.
func TestCollectorShare(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	c := newRace(t, []replay{{capture: large, rules: stock1}})
	const most = 0.02
	share := 1.0
	for n := 0; n < 5 && share > most; n++ { // a busy machine needs more rounds for a quiet one
		cmd := exec.Command(c.command[0][0], c.command[0][1:]...)
		cmd.Env = append(os.Environ(), "GODEBUG=gctrace=1")
		var stderr strings.Builder
		cmd.Stderr = &stderr
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		found := traced.FindAllStringSubmatch(stderr.String(), -1)
		if len(found) == 0 {
			t.Fatalf("no collection in\n%s", &stderr)
		}
		sum := 0.0
		for _, m := range found {
			for _, text := range m[1:] {
				ms, err := strconv.ParseFloat(text, 64)
				if err != nil {
					t.Fatalf("%q: %v", m[0], err)
				}
				sum += ms
			}
		}
		all := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		share = min(share, sum/1e3/all.Seconds())
		t.Logf("%d collections, %.1f ms of %s", len(found), sum, all)
	}
	if share > most {
		t.Errorf("the collector takes %.1f %% of a replay, not %.0f %%", 100*share, 100*most)
	}
}
