// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/falco-go/falco/pkg/metrics"
)

// hostPath is where a path of the machine is found from within a container.
func hostPath(path string) string { return os.Getenv("HOST_ROOT") + path }

func kernelRelease() string { return firstLine(hostPath("/proc/sys/kernel/osrelease")) }

// procLines calls f with the key and the value of each line of a file.
func procLines(path string, f func(key, value string)) {
	text, err := os.ReadFile(path)
	if err != nil {
		return
	}
	for sc := bufio.NewScanner(bytes.NewReader(text)); sc.Scan(); {
		key, value, _ := strings.Cut(sc.Text(), " ")
		f(strings.TrimSuffix(key, ":"), strings.TrimSpace(value))
	}
}

// kib reads "12 kB".
func kib(value string) uint64 {
	n, _, _ := strings.Cut(value, " ")
	v, _ := strconv.ParseUint(n, 10, 54)
	return v << 10
}

// bootTime returns when the machine started, in ns, 0 if it does not tell.
func bootTime() (ns uint64) {
	procLines(hostPath("/proc/stat"), func(key, value string) {
		if key == "btime" {
			s, _ := strconv.ParseUint(value, 10, 34)
			ns = s * 1e9
		}
	})
	return ns
}

// resources looks at what we and the machine use. What cannot be read is 0.
func resources(began time.Time) (r metrics.Resources) {
	var self syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &self) == nil {
		used := time.Duration(self.Utime.Nano() + self.Stime.Nano())
		if since := time.Since(began); since > 0 {
			r.CPU = 100 * used.Seconds() / since.Seconds()
		}
	}
	procLines("/proc/self/status", func(key, value string) {
		value = strings.TrimSpace(value)
		switch key, v, _ := strings.Cut(key+" "+value, "\t"); {
		case strings.HasPrefix(key, "VmRSS"):
			r.RSS = kib(strings.TrimSpace(v))
		case strings.HasPrefix(key, "VmSize"):
			r.VSZ = kib(strings.TrimSpace(v))
		}
	})
	procLines("/proc/self/smaps_rollup", func(key, value string) {
		if key == "Pss" {
			r.PSS = kib(value)
		}
	})
	procLines(hostPath("/proc/stat"), func(key, value string) {
		switch key {
		case "cpu":
			var all, idle float64
			for i, f := range strings.Fields(value) {
				n, _ := strconv.ParseFloat(f, 64)
				if i < 8 {
					all += n
				}
				if i == 3 || i == 4 { // idle, iowait
					idle += n
				}
			}
			if all > 0 {
				r.HostCPU = 100 * (all - idle) / all
			}
		case "procs_running":
			r.ProcsRunning, _ = strconv.ParseUint(value, 10, 64)
		}
	})
	var total, free uint64
	procLines(hostPath("/proc/meminfo"), func(key, value string) {
		switch key {
		case "MemTotal":
			total = kib(value)
		case "MemAvailable":
			free = kib(value)
		}
	})
	r.HostUsed = total - min(free, total)
	fmt.Sscan(firstLine(hostPath("/proc/sys/fs/file-nr")), &r.OpenFDs)
	for _, path := range []string{os.Getenv("FALCO_CGROUP_MEM_PATH"), "/sys/fs/cgroup/memory/memory.usage_in_bytes", "/sys/fs/cgroup/memory.current"} {
		if n, err := strconv.ParseUint(firstLine(path), 10, 64); path != "" && err == nil {
			r.Cgroup, r.CgroupAvailable = n, true
			break
		}
	}
	r.Goroutines = uint64(runtime.NumGoroutine())
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	r.HeapBytes = m.HeapAlloc
	return r
}
