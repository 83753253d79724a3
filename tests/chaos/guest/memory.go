// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// compared is the memory that must not become less, in kB. Free is what nobody has, with what comes and goes without
// being lost: pages that CPUs hold back for themselves, and those of the processes that live, which are init and we.
var compared = []string{"Free", "Slab", "SUnreclaim", "VmallocUsed", "Percpu", "KernelStack"}

// settle waits until nothing of a consumer is left, and reads the memory then. A consumer is freed a grace period after its
// last descriptor was closed, and so is what belonged to processes that were killed: memory that seems to be missing is given
// ten seconds to come back. What leaked does not.
func settle(before map[string]int64) (map[string]int64, error) {
	var left string
	for range 600 { // a kernel that looks for bugs takes its time
		if left = ringsLeft(); left == "" {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if left != "" {
		return memory(), fmt.Errorf("rings that nobody has: %s", left)
	}
	after := memory()
	for end := time.Now().Add(10 * time.Second); missing(before, after) > settled && time.Now().Before(end); {
		after = memory()
	}
	return after, nil
}

// settled is how much may be missing, in kB, without a closer look: what the test outside allows a short scenario.
const settled = 1 << 10

// missing is how much less there is of what became less most, in kB.
func missing(before, after map[string]int64) (most int64) {
	for _, name := range compared {
		less := after[name] - before[name]
		if name == "Free" {
			less = -less
		}
		most = max(most, less)
	}
	return most
}

// ringsLeft is a line of /proc/vmallocinfo about a ring, if there is one.
func ringsLeft() string {
	text, err := os.ReadFile("/proc/vmallocinfo")
	if err != nil {
		return err.Error()
	}
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "falco_ring") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// memory reads /proc/meminfo when what can be let go of is gone.
func memory() map[string]int64 {
	time.Sleep(100 * time.Millisecond)
	os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0)
	m := map[string]int64{}
	text, _ := os.ReadFile("/proc/meminfo")
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 {
			m[strings.TrimSuffix(f[0], ":")], _ = strconv.ParseInt(f[1], 10, 64)
		}
	}
	// RSS is counted in batches, per task: what is in the processes is taken from them.
	m["Free"] = m["MemFree"] + heldBack() + m["AnonPages"] + m["PageTables"] + m["Shmem"] + m["Slab"] + m["KernelStack"]
	return m
}

// heldBack is what is in the CPUs' own lists of free pages.
func heldBack() int64 {
	text, _ := os.ReadFile("/proc/zoneinfo")
	var pages int64
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == "count:" {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			pages += n
		}
	}
	return pages * int64(os.Getpagesize()) >> 10
}
