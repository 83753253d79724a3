// SPDX-License-Identifier: Apache-2.0

package state

import (
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/falco-go/falco/tests/vm"
)

// TestFlood lets a guest make more processes, threads and descriptors than the
// tables hold, and asserts what the daemon takes: at the peak, and afterwards.
func TestFlood(t *testing.T) {
	if !guests() {
		t.Skip("needs a guest: " + vm.Enabled + "=1, or make test-vm")
	}
	processes, opens, limit := 5_000, 80_000, 4*time.Minute
	if long() {
		processes, opens, limit = 50_000, 1_000_000, 40*time.Minute
	}
	flood, err := vm.BuildC("acts/flood.c", nil)
	if err != nil {
		t.Fatal(err)
	}
	const records = 1024 // so many threads, so many KiB
	result := vm.Run(t, vm.Config{
		Rules: []string{"families.yaml"}, Files: []string{flood}, Timeout: limit, MemoryMB: 1536,
		FalcoArgs: []string{"-o", fmt.Sprintf("falco_libs.thread_table_size=%d", records), "-o", "log_level=debug"},
		Script:    fmt.Sprintf("exec /files/flood %d %d\n", processes, opens),
	})
	m := regexp.MustCompile(`flood before=(\d+) peak=(\d+) after=(\d+)`).FindStringSubmatch(result.Act)
	if m == nil {
		t.Fatalf("exit code %d:\n%s", result.ExitCode, result.Act)
	}
	kb := func(s string) int { n, _ := strconv.Atoi(s); return n }
	before, peak, after := kb(m[1]), kb(m[2]), kb(m[3])
	st := regexp.MustCompile(`state: .*`).FindString(result.Log)
	t.Logf("%d processes, %d threads, %d opens: anonymous memory %d kB before, %d kB at the peak, %d kB afterwards\n%s",
		processes, processes/4, opens, before, peak, after, st)
	// The tables may take 4 MiB, the least that there is; garbage doubles them, and
	// events wait where the guest is slow.
	if peak > before+48<<10 {
		t.Errorf("the peak lies %d kB above the start", peak-before)
	}
	if after > before+16<<10 {
		t.Errorf("%d kB stay", after-before)
	}
	for _, counter := range []string{"ThreadsEvicted", "FDsEvicted"} {
		if !regexp.MustCompile(counter + `:[1-9]`).MatchString(st) {
			t.Errorf("%s does not count", counter)
		}
	}
}
