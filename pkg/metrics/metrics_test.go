// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"regexp"
	"strings"
	"testing"
)

func sample() *Snapshot {
	return &Snapshot{TimeNs: 3e9, Hostname: "vm", Source: "syscall", Version: "1", Engine: "kmod", CPUs: 2, Events: 30, Alerts: 3,
		Rules: []Rule{{Name: "A \"rule\"\n", Source: "syscall", Priority: 4, Tags: []string{"T1.2", "t1_2", "T1.2"}, Matches: 3, Asked: 20, Cost: 0.0000123}, {Name: "Quiet"}},
		Outputs: []Output{{Name: "stdout", Dropped: 2}, {Name: "http", Accepted: 40, Sent: 20, Failed: 1, Dropped: 1, Queued: 2, Retried: 9,
			HasSpool: true, Backlog: 7, Spooled: 10, Capped: 8, Aged: 3, Damaged: 2, SpoolBytes: 4096}}, KernelModule: true, Seen: 300, Lost: 30,
		PerCPU: []CPU{{ID: 0, Events: 100}, {ID: 1, Events: 200, Drops: 30}},
		Prev:   &Snapshot{TimeNs: 1e9, Events: 10, Seen: 100, Lost: 10}}
}

func TestFields(t *testing.T) {
	all := Options{Rules: true, Resources: true, State: true, Kernel: true, PerCPU: true, Megabytes: true}
	got := map[string]any{}
	for _, f := range sample().Fields(all) {
		got[f.Key] = f.Value
	}
	for key, want := range map[string]any{
		"falco.outputs_queue_num_drops": uint64(3), "falco.num_evts_prev": uint64(10), "falco.evts_rate_sec": 10.0,
		"falco.rules.A_rule": uint64(3), "falco.rule_cost_us.A_rule": uint64(12), "falco.rule_events.A_rule": uint64(20), "scap.n_drops_perc": 10.0, "scap.n_evts_dev_1": uint64(200), "scap.evts_drop_rate_sec": 10.0,
	} {
		if got[key] != want {
			t.Errorf("%s is %v, want %v", key, got[key], want)
		}
	}
	for _, key := range []string{"falco.rules.Quiet", "falco.rule_cost_us.Quiet", "falco.rule_events.Quiet"} {
		if _, there := got[key]; there {
			t.Errorf("%s is told, which is 0", key)
		}
	}
	s := sample()
	s.Prev = nil
	got = map[string]any{}
	for _, f := range s.Fields(Options{Empty: true, Rules: true}) {
		got[f.Key] = f.Value
	}
	if got["falco.rules.Quiet"] != uint64(0) || got["scap.n_drops_perc"] != 0.0 || got["scap.n_evts"] != nil {
		t.Errorf("with empty values: %v", got)
	}
}

func TestSanitize(t *testing.T) {
	for in, want := range map[string]string{"single_rule.yaml": "single_rule_yaml", "a  b": "a_b", "x!!": "x", "é:1": "_:1", "": ""} {
		if got := Sanitize(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// Each family has one HELP and one TYPE before its samples, which stand together;
// no sample is there twice; every line is of the format.
func TestPrometheus(t *testing.T) {
	var b strings.Builder
	sample().Prometheus(&b, Options{Rules: true, Resources: true, State: true, Kernel: true, PerCPU: true, Empty: true})
	line := regexp.MustCompile(`^([a-z_]+)(\{[a-zA-Z_:0-9]+="(?:[^"\\\n]|\\.)*"(?:,[a-zA-Z_:0-9]+="(?:[^"\\\n]|\\.)*")*\})? [0-9.]+$`)
	families, seen, now := map[string]bool{}, map[string]bool{}, ""
	for _, l := range strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n") {
		if name, ok := strings.CutPrefix(l, "# HELP "); ok {
			now, _, _ = strings.Cut(name, " ")
			if families[now] {
				t.Errorf("%s begins twice", now)
			}
			families[now] = true
			continue
		}
		if strings.HasPrefix(l, "# TYPE ") {
			continue
		}
		m := line.FindStringSubmatch(l)
		if m == nil {
			t.Errorf("no sample: %q", l)
			continue
		}
		if m[1] != now {
			t.Errorf("%q stands among %s", l, now)
		}
		if key := m[1] + m[2]; seen[key] {
			t.Errorf("%s is there twice", key)
		} else {
			seen[key] = true
		}
	}
	for _, want := range []string{
		`falcosecurity_falco_rules_matches_total{priority="4",rule_name="A \"rule\"\n",source="syscall",tag_T1_2="true",tag_t1_2="true"} 3`,
		`falcosecurity_falco_rule_cost_seconds_total{rule_name="A \"rule\"\n",source="syscall"} 0.000012300`,
		`falcosecurity_falco_rule_events_total{rule_name="A \"rule\"\n",source="syscall"} 20`, `falcosecurity_falco_rule_events_total{rule_name="Quiet",source=""} 0`,
		`falcosecurity_scap_n_evts_cpu_total{cpu="1"} 200`, `falcosecurity_falco_memory_rss_bytes 0.000000`,
	} {
		if !strings.Contains(b.String(), want+"\n") {
			t.Errorf("no %s", want)
		}
	}
}

// The books of an output balance on the page: what was there and what came is in one of the others.
func TestOutputs(t *testing.T) {
	var b strings.Builder
	sample().Prometheus(&b, Options{})
	var got []string
	for l := range strings.Lines(b.String()) {
		if strings.Contains(l, `output="http"`) {
			got = append(got, strings.TrimSpace(strings.TrimPrefix(l, "falcosecurity_falco_output_")))
		}
	}
	want := `accepted_alerts_total{output="http"} 40
alerts_total{output="http",outcome="delivered"} 20
alerts_total{output="http",outcome="failed"} 1
alerts_total{output="http",outcome="dropped"} 1
alerts_total{output="http",outcome="capped"} 8
alerts_total{output="http",outcome="aged"} 3
alerts_total{output="http",outcome="damaged"} 2
queued_alerts{output="http"} 2
spooled_alerts{output="http"} 10
backlog_alerts{output="http"} 7
spool_bytes{output="http"} 4096
retries_total{output="http"} 9`
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("got\n%s", text)
	}
	if strings.Contains(b.String(), `spooled_alerts{output="stdout"}`) {
		t.Error("an output without a spool has figures of one")
	}
}
