// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/falco-go/falco/pkg/metrics"
)

// silent are rules that daemons have and that never match here.
var silent = []string{"Adding ssh keys to authorized_keys", "BPF Program Not Profiled", "Change thread namespace", "Create Hardlink Over Sensitive Files",
	"Create Symlink Over Sensitive Files", "Debugfs Launched in Privileged Container", "Directory traversal monitored file read", "Disallowed SSH Connection Non Standard Port",
	"Execution from /dev/shm", "Find AWS Credentials", "Modify Shell Configuration File", "Netcat Remote Code Execution in Container", "PTRACE anti-debug attempt",
	"Remove Bulk Data from Disk", "Run shell untrusted", "Schedule Cron Jobs", "Search Private Keys or Passwords", "System user interactive", "User mgmt binaries"}

// daemons serves the metrics pages of so many made-up daemons, and returns where they are.
func daemons(n int) (urls []string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for i, host := range hosts[:min(n, len(hosts))] {
		began := time.Now().Add(-time.Duration(30+i) * time.Hour)
		mux.HandleFunc("/"+host, func(w http.ResponseWriter, _ *http.Request) {
			daemon(i, host, time.Since(began)).Prometheus(w, everything)
		})
		urls = append(urls, "http://"+l.Addr().String()+"/"+host)
	}
	go http.Serve(l, mux)
	return urls, nil
}

var everything = metrics.Options{Rules: true, Resources: true, State: true, Kernel: true, PerCPU: true, Empty: true}

// daemon is what the i-th one tells after it has run for so long.
func daemon(i int, host string, ran time.Duration) *metrics.Snapshot {
	t, load := ran.Seconds(), float64(1200+900*i)
	events := uint64(load * (t + 40*math.Sin(t/60)))
	s := &metrics.Snapshot{Hostname: host, Source: "syscall", Version: "0.1.0", Engine: "kmod", Kernel: "6.1.0-51-amd64", CPUs: 4, DurationSec: uint64(t),
		Events: events, Seen: events, KernelModule: true, Threads: uint64(340 + 70*i), FDs: uint64(4100 + 900*i),
		Resources: metrics.Resources{CPU: 1.1 + 0.8*float64(i), RSS: uint64(31+3*i) << 20}}
	if i == 3 {
		s.Lost, s.LostFull, s.Lag = 18231, 18231, 1.7
		s.Losses = []metrics.Loss{{Event: "openat_x", Cause: "full", Count: 11020}, {Event: "close_x", Cause: "full", Count: 6903}, {Event: "execve_x", Cause: "full", Count: 308}}
	}
	for cpu := range 4 {
		fill := 0.004 * float64(1+cpu) * (2 + math.Sin(t/9+float64(cpu)))
		if i == 3 {
			fill *= 20
		}
		s.PerCPU = append(s.PerCPU, metrics.CPU{ID: cpu, Events: events / 4, RingSize: 8 << 20, RingUsed: uint64(fill * (8 << 20)), HasRingFill: true})
	}
	rule := func(j int, name string, matches uint64) {
		asked := events / uint64(2+j%7)
		ns := float64(60 + 37*j*j%900)
		if strings.HasPrefix(name, "Contact K8S") {
			ns = 2300
		}
		s.Alerts += matches
		s.Rules = append(s.Rules, metrics.Rule{Name: name, Source: "syscall", Priority: 5, Matches: matches, Asked: asked, Cost: float64(asked) * ns / 1e9})
	}
	for j, x := range scenes {
		rule(j, x.rule, uint64(x.weight)*uint64(t)/3600)
	}
	for j, name := range silent {
		rule(j+3, name, 0)
	}
	return s
}
