// SPDX-License-Identifier: Apache-2.0

// Package state holds the tables against a machine that is busy: what it costs
// to read /proc, what stays of a flood, and, in a guest, what the tables say of
// programs that know about themselves.
package state

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/procfs"
	"github.com/falco-go/falco/pkg/state"
	"github.com/falco-go/falco/tests/state/herd"
	"github.com/falco-go/falco/tests/vm"
)

// long reports whether tests run at full length.
func long() bool { return os.Getenv("FALCO_LONG") != "" }

// guests reports whether tests may boot some.
func guests() bool { return os.Getenv(vm.Enabled) != "" }

// TestMain makes this program the scanner of TestSeedCost when it is traced.
func TestMain(m *testing.M) {
	if os.Getenv("SEED_SCAN") != "" {
		proc, err := procfs.New("/proc")
		if err == nil {
			_, err = proc.Scan(context.Background(), func(*procfs.Task) {})
		}
		if err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// TestSeedCost reads a /proc of many processes, and asserts what it costs in
// system calls: as we count them, and as strace does where it is there.
func TestSeedCost(t *testing.T) {
	const descriptors = 20
	processes := 500
	if long() {
		processes = 10_000
	}
	scan := func() (procfs.ScanStats, *state.State, time.Duration) {
		proc, err := procfs.New("/proc")
		if err != nil {
			t.Fatal(err)
		}
		st := state.New(state.Options{})
		began := time.Now()
		stats, err := proc.Scan(t.Context(), st.Seed)
		if err != nil {
			t.Fatal(err)
		}
		st.Seeded()
		return stats, st, time.Since(began)
	}
	traced := func() int {
		strace, err := exec.LookPath("strace")
		if err != nil || long() {
			return 0
		}
		cmd := exec.Command(strace, "-f", "-c", "-o", "/dev/stdout", "-e", "trace=file,desc", os.Args[0])
		cmd.Env = append(os.Environ(), "SEED_SCAN=1", "GOMAXPROCS=1")
		out, err := cmd.Output()
		if err != nil {
			t.Logf("strace: %v", err)
			return 0
		}
		m := regexp.MustCompile(`(?m)^100\.00\s+\S+\s+(?:\S+\s+)??(\d+)\s+(?:\d+\s+)?total$`).FindStringSubmatch(string(out))
		if m == nil {
			t.Logf("strace says\n%s", out)
			return 0
		}
		n, _ := strconv.Atoi(m[1])
		return n
	}
	before, _, _ := scan()
	beforeTraced := traced()
	t.Cleanup(herd.Live(t, "acts/herd.c", processes, descriptors))
	runtime.GC()
	after, st, took := scan()
	afterTraced := traced()

	tasks, fds := after.Tasks-before.Tasks, after.FDs-before.FDs
	// Others come and go meanwhile, a compiler's threads by the dozen.
	if tasks < processes*9/10 || fds < processes*descriptors*9/10 {
		t.Fatalf("%d tasks and %d descriptors more, want %d and %d", tasks, fds, processes, processes*descriptors)
	}
	calls := int(after.Calls - before.Calls)
	t.Logf("%d processes with %d descriptors each, real ones: read in %v (aim for 10,000: 2s) with %d system calls, %.1f a process and its descriptors",
		processes, descriptors, took.Round(time.Millisecond), calls, float64(calls)/float64(tasks))
	// Were a descriptor to cost 12, what is left for a process would be negative: the
	// two bounds are held apart by pkg/procfs. Together they must hold here.
	if limit := 30*tasks + 12*fds; calls > limit {
		t.Errorf("%d system calls, may be %d", calls, limit)
	}
	if perFD := float64(calls-30*tasks) / float64(fds); perFD > 5.5 {
		t.Errorf("%.2f system calls a descriptor, if a process takes 30", perFD)
	}
	if afterTraced > 0 && beforeTraced > 0 {
		diff := afterTraced - beforeTraced
		t.Logf("strace counts %d", diff)
		if diff > calls*11/10 || diff < calls*9/10 {
			t.Errorf("strace counts %d system calls, we %d", diff, calls)
		}
	}
	if s := st.Stats(); s.Threads < after.Tasks*99/100 || s.FDs < after.FDs*99/100 {
		t.Errorf("the tables hold %+v", s)
	}
}
