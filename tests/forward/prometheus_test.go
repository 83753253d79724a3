// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/falco-go/falco/tests/vm"
)

// What dashboards ask for: the original's names, and ours.
var metricNames = strings.Fields(`inputs_total outputs_total falco_events_total
	output_queue_events output_queue_bytes output_oldest_event_age_seconds output_retries_total output_dead_letter_total output_dropped_total
	output_send_duration_seconds_bucket output_batch_events_bucket output_state spool_bytes spool_fsync_seconds_sum spool_fsync_seconds_count input_duplicates_total build_info`)

// Debian's promtool likes the page, and its Prometheus, which scrapes it, knows each name afterwards, with the labels that
// rules and dashboards select by.
func TestPrometheus(t *testing.T) {
	promtool, prometheus := vm.Tool(t, "promtool", "prometheus"), vm.Tool(t, "prometheus", "prometheus")
	r := receiverAt(t, "")
	s := start(t, t.TempDir(), "webhook: {address: '"+r.URL+"', format: ndjson}\nslack: {webhookurl: 'http://"+freeAddr(t)+"'}\nprometheus: {extralabels: 'proc.name,nosuch'}\ncustomfields: {cluster: lab}\n")
	s.must(0, 300)
	if code, err := s.post([]byte("{")); code != 400 || err != nil {
		t.Fatal(code, err)
	}
	until(t, "all are delivered", func() bool { return r.different() == 300 })

	res, err := http.Get("http://" + s.addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(promtool, "check", "metrics")
	cmd.Stdin = bytes.NewReader(page)
	if said, err := cmd.CombinedOutput(); err != nil || len(said) != 0 {
		t.Errorf("promtool: %v\n%s", err, said)
	}

	dir, addr := t.TempDir(), freeAddr(t)
	conf := filepath.Join(dir, "conf.yml")
	if err := os.WriteFile(conf, fmt.Appendf(nil, "scrape_configs: [{job_name: sidekick, scrape_interval: 1s, static_configs: [{targets: [%q]}]}]\n", s.addr), 0o600); err != nil {
		t.Fatal(err)
	}
	server := exec.Command(prometheus, "--config.file="+conf, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr)
	log := &lockedBuffer{}
	server.Stderr = log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
		if t.Failed() {
			t.Log(log)
		}
	})
	ask := func(path string, q url.Values, v any) {
		if res, err := http.Get("http://" + addr + path + "?" + q.Encode()); err == nil {
			json.NewDecoder(res.Body).Decode(v)
			res.Body.Close()
		}
	}
	var missing []string
	until(t, "Prometheus has scraped", func() bool {
		var known struct{ Data []string }
		ask("/api/v1/label/__name__/values", nil, &known)
		missing = slices.DeleteFunc(slices.Clone(metricNames), func(name string) bool {
			return slices.Contains(known.Data, "falcosecurity_falcosidekick_"+name)
		})
		return len(known.Data) > 20
	})
	if len(missing) > 0 {
		t.Errorf("Prometheus does not know %q", missing)
	}
	for query, want := range map[string]string{
		`inputs_total{source="requests", status="accepted"}`:             "300",
		`inputs_total{source="requests", status="rejected"}`:             "1",
		`outputs_total{destination="webhook", status="ok"}`:              "300",
		`output_dropped_total{destination="slack", reason="spool_full"}`: "0",
		`output_queue_events{destination="slack"}`:                       "300",
		`falco_events_total{hostname="node-1", rule="Terminal shell in container", priority="4", priority_raw="warning", source="syscall", k8s_ns_name="some value of k8s.ns.name",
			k8s_pod_name="some value of k8s.pod.name", cluster="lab", proc_name="some value of proc.name"}`: "300",
	} {
		var v struct {
			Data struct {
				Result []struct{ Value []any }
			}
		}
		ask("/api/v1/query", url.Values{"query": {"falcosecurity_falcosidekick_" + query}}, &v)
		if len(v.Data.Result) != 1 || fmt.Sprint(v.Data.Result[0].Value[1]) != want {
			t.Errorf("%s: %v, want %s", query, v.Data.Result, want)
		}
	}
}
