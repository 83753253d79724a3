// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/falco-go/falco/tests/vm"
)

// What promtool reads it understands. It does not like some names of the original, which dashboards know; of ours it
// likes all.
func TestPromtool(t *testing.T) {
	s := sample()
	s.Resources.CgroupAvailable = true
	s.PerCPU[0].HasRingFill, s.PerCPU[0].RingSize = true, 1<<20
	s.RuleFiles, s.ConfigFiles = []File{{"a.yaml", "ff"}}, []File{{"falco.yaml", "00"}}
	s.Canary = &Canary{Calls: 3, Heard: 3, Latency: .01}
	s.Losses = []Loss{{"openat_x", "ring_full", 30}}
	var page bytes.Buffer
	s.Prometheus(&page, Options{Rules: true, Resources: true, State: true, Kernel: true, PerCPU: true, Empty: true})
	cmd := exec.Command(vm.Tool(t, "promtool", "prometheus"), "check", "metrics")
	cmd.Stdin = bytes.NewReader(page.Bytes())
	out, err := cmd.CombinedOutput()
	if exit, ok := err.(*exec.ExitError); err != nil && (!ok || exit.ExitCode() != 3) { // 3: understood, and not liked
		t.Errorf("%v\n%s\n%s", err, out, page.Bytes())
	}
	theirs := map[string]bool{}
	for _, name := range strings.Fields(`falco_host_num_cpus_total falco_host_open_fds_total falco_host_procs_running_total
		scap_n_fds_total scap_n_threads_total falco_host_boot_timestamp_nanoseconds falco_reload_timestamp_nanoseconds
		falco_start_timestamp_nanoseconds`) {
		theirs["falcosecurity_"+name] = true
	}
	for line := range strings.Lines(string(out)) {
		if name, _, _ := strings.Cut(line, " "); !theirs[name] {
			t.Errorf("promtool: %s", line)
		}
	}
	if !strings.Contains(page.String(), "canary") || !strings.Contains(page.String(), "lost_events") {
		t.Errorf("the page is not whole:\n%s", page.Bytes())
	}
}
