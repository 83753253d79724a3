// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/tests/vm"
)

// whole is a snapshot with something of everything.
func whole() *Snapshot {
	s := sample()
	s.Resources.CgroupAvailable = true
	s.PerCPU[0].HasRingFill, s.PerCPU[0].RingSize = true, 1<<20
	s.RuleFiles, s.ConfigFiles = []File{{"a.yaml", "ff"}}, []File{{"falco.yaml", "00"}}
	s.Canary = &Canary{Calls: 3, Heard: 3, Latency: .01}
	s.Losses = []Loss{{"openat_x", "ring_full", 30}}
	for _, name := range stateNames {
		s.State = append(s.State, Count{name, 7})
	}
	return s
}

var stateNames = strings.Fields(`noncached_fd_lookups cached_fd_lookups failed_fd_lookups added_fds removed_fds stored_evts store_evts_drops
	retrieved_evts retrieve_evts_drops noncached_thread_lookups cached_thread_lookups failed_thread_lookups added_threads removed_threads
	drops_full_threadtable`)

// originals are the names that dashboards ask for.
var originals = func() (out []string) {
	names := strings.Fields(`falco_version_info falco_sha256_rules_files_info falco_sha256_config_files_info falco_kernel_release_info
		evt_hostname_info scap_engine_name_info falco_outputs_queue_num_drops_total falco_reload_timestamp_nanoseconds
		falco_start_timestamp_nanoseconds falco_duration_seconds_total falco_host_boot_timestamp_nanoseconds falco_host_num_cpus_total
		falco_rules_matches_total falco_cpu_usage_ratio falco_memory_rss_bytes falco_memory_vsz_bytes falco_memory_pss_bytes
		falco_container_memory_used_bytes falco_host_cpu_usage_ratio falco_host_memory_used_bytes falco_host_procs_running_total
		falco_host_open_fds_total scap_n_threads_total scap_n_fds_total scap_n_evts_total scap_n_drops_total scap_n_evts_cpu_total
		scap_n_drops_cpu_total scap_n_drops_buffer_total scap_n_drops_page_faults_total scap_n_drops_bug_total scap_n_preemptions_total`)
	for _, name := range stateNames {
		names = append(names, "scap_n_"+name+"_total")
	}
	for _, name := range names {
		out = append(out, "falcosecurity_"+name)
	}
	return out
}()

var everything = Options{Rules: true, Resources: true, State: true, Kernel: true, PerCPU: true, Empty: true}

// promtool accepts the page that everybody gets who asks without ceremony. Of the one for scrapers it understands
// all, and objects to eight names of the original, and to nothing of ours.
func TestPromtool(t *testing.T) {
	promtool := vm.Tool(t, "promtool", "prometheus")
	check := func(o Options) (page, said string, code int) {
		var b bytes.Buffer
		whole().Prometheus(&b, o)
		cmd := exec.Command(promtool, "check", "metrics")
		cmd.Stdin = bytes.NewReader(b.Bytes())
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return b.String(), string(out), cmd.ProcessState.ExitCode()
	}
	page, said, code := check(everything)
	if code != 0 || said != "" {
		t.Errorf("exit code %d: %s", code, said)
	}
	for _, name := range originals {
		missing := !strings.Contains(page, "\n"+name+" ") && !strings.Contains(page, "\n"+name+"{")
		if missing != strings.HasSuffix(name, "_nanoseconds") {
			t.Errorf("%s is missing: %v", name, missing)
		}
	}

	o := everything
	o.Original = true
	_, said, code = check(o)
	var disliked []string
	for line := range strings.Lines(said) {
		name, _, _ := strings.Cut(line, " ")
		disliked = append(disliked, strings.TrimPrefix(name, "falcosecurity_"))
	}
	slices.Sort(disliked)
	want := strings.Fields(`falco_host_boot_timestamp_nanoseconds falco_host_num_cpus_total falco_host_open_fds_total falco_host_procs_running_total
		falco_reload_timestamp_nanoseconds falco_start_timestamp_nanoseconds scap_n_fds_total scap_n_threads_total`)
	if code != 3 || !slices.Equal(disliked, want) { // 3: understood, and not liked
		t.Errorf("exit code %d: %s", code, said)
	}
}

// A Prometheus that scrapes the page knows every name of the original afterwards.
func TestPrometheusScrapes(t *testing.T) {
	prometheus := vm.Tool(t, "prometheus", "prometheus")
	accept := make(chan string, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case accept <- r.Header.Get("Accept"):
		default:
		}
		w.Header().Set("Content-Type", ContentType)
		o := everything
		o.Original = Scrapes(r.Header)
		whole().Prometheus(w, o)
	}))
	defer srv.Close()
	dir := t.TempDir()
	conf := filepath.Join(dir, "conf.yml")
	if err := os.WriteFile(conf, fmt.Appendf(nil, "scrape_configs: [{job_name: falco, scrape_interval: 1s, static_configs: [{targets: [%q]}]}]\n",
		strings.TrimPrefix(srv.URL, "http://")), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	cmd := exec.Command(prometheus, "--config.file="+conf, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr)
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("Accept: %s\n%s", <-accept, &log)
		}
	}()
	var missing []string
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		var known struct{ Data []string }
		if r, err := http.Get("http://" + addr + "/api/v1/label/__name__/values"); err == nil {
			json.NewDecoder(r.Body).Decode(&known)
			r.Body.Close()
		}
		missing = slices.DeleteFunc(slices.Clone(originals), func(name string) bool { return slices.Contains(known.Data, name) })
		if len(missing) == 0 {
			return
		}
	}
	t.Errorf("it does not know %q", missing)
}
