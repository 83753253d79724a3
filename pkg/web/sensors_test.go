// SPDX-License-Identifier: Apache-2.0

package web

import (
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/falco-go/falco/pkg/metrics"
)

// daemonNumbers are what a daemon tells of itself, by our own writer.
func daemonNumbers() *metrics.Snapshot {
	return &metrics.Snapshot{TimeNs: uint64(time.Now().UnixNano()), Hostname: "node-1", Source: "syscall", Version: "0.1.0", Engine: "kmod", Kernel: "6.1.0", CPUs: 2,
		DurationSec: 100, Events: 900, Alerts: 7, Seen: 1000, Lost: 30, LostFull: 30, KernelModule: true, Threads: 50, FDs: 600, Lag: 0.25,
		LostKinds: [len(metrics.Kinds)]uint64{3: 20, 6: 10}, Losses: []metrics.Loss{{Event: "openat_x", Cause: "full", Count: 20}, {Event: "close_x", Cause: "full", Count: 10}},
		PerCPU:    []metrics.CPU{{ID: 0, Events: 400, RingUsed: 512, RingSize: 1024, HasRingFill: true}, {ID: 1, Events: 600, Drops: 30, RingUsed: 1, RingSize: 1024, HasRingFill: true}},
		Resources: metrics.Resources{CPU: 2.5, RSS: 32 << 20},
		Rules: []metrics.Rule{{Name: "Read sensitive file (untrusted)", Source: "syscall", Priority: 4, Matches: 7, Asked: 100, Cost: 30e-6},
			{Name: "Never matches", Source: "syscall", Priority: 2, Asked: 300, Cost: 10e-6}}}
}

var everything = metrics.Options{Rules: true, Resources: true, State: true, Kernel: true, PerCPU: true, Megabytes: true}

func snapshotEvent(t *testing.T, s *metrics.Snapshot, o metrics.Options) string {
	t.Helper()
	fields := map[string]any{}
	for _, f := range s.Fields(o) {
		fields[f.Key] = f.Value
	}
	text, err := json.Marshal(map[string]any{"rule": snapshotRule, "priority": "Informational", "source": "internal", "hostname": s.Hostname,
		"time": time.Unix(0, int64(s.TimeNs)).UTC(), "output": "Falco metrics snapshot", "output_fields": fields})
	must(t, err)
	return string(text)
}

// sensorsOf waits until the page knows of a daemon.
func sensorsOf(t *testing.T, x *site) []Sensor {
	t.Helper()
	for {
		var got struct{ Items []Sensor }
		x.get("/api/v2/sensors", &got)
		if len(got.Items) > 0 {
			return got.Items
		}
		select {
		case <-t.Context().Done():
			t.Fatal("no daemon is known")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func rulesOf(t *testing.T, x *site) map[string]ruleV2 {
	t.Helper()
	var got rulesV2
	x.get("/api/v2/rules", &got)
	out := map[string]ruleV2{}
	for _, r := range got.Items {
		out[r.Name] = r
	}
	return out
}

// What a daemon writes as snapshots and what it has on its metrics page come out the
// same: rates, losses, rings, and what each rule costs.
func TestDaemonsNumbers(t *testing.T) {
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { daemonNumbers().Prometheus(w, everything) }))
	defer page.Close()
	for name, feed := range map[string]func(*Config) func(*site){
		"metrics page": func(cfg *Config) func(*site) {
			cfg.Sensors = []string{page.URL}
			return func(*site) {}
		},
		"snapshot": func(*Config) func(*site) {
			return func(x *site) {
				if res, text := x.do("POST", "/api/v2/events", snapshotEvent(t, daemonNumbers(), everything), bearer(ingestToken)...); res.StatusCode != 200 {
					t.Fatal(text)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := guarded()
			post := feed(&cfg)
			x := serve(t, cfg)
			post(x)
			got := sensorsOf(t, x)[0]
			if !got.Up || got.Host != "node-1" || got.Version != "0.1.0" || got.Kernel != "6.1.0" || got.Engine != "kmod" || got.CPUs != 2 || got.Uptime != 100 ||
				got.Events != 1000 || got.Lost != 30 || got.Alerts != 7 || got.Memory != 32<<20 || got.Threads != 50 || got.FDs != 600 || got.CPU != 2.5 {
				t.Errorf("%+v", got)
			}
			if diff := cmp.Diff([]Ring{{0, 512, 1024}, {1, 1, 1024}}, got.Rings); diff != "" {
				t.Error(diff)
			}
			losses := []Loss{{"openat_x", "full", 20}, {"close_x", "full", 10}}
			if name == "snapshot" {
				losses = []Loss{{"open", "full", 20}, {"close", "full", 10}}
			}
			if diff := cmp.Diff(losses, got.Losses); diff != "" {
				t.Error(diff)
			}
			if n := len(got.History); n != 1 || got.History[0].Fill != 0.5 {
				t.Errorf("history %+v", got.History)
			}
			rules := rulesOf(t, x)
			sensitive := "Read sensitive file (untrusted)"
			if name == "snapshot" {
				sensitive = "Read sensitive file untrusted" // no event has named it yet
			}
			for rule, want := range map[string]ruleV2{sensitive: {Loaded: true, CostNs: 300, CostShare: .75}, "Never matches": {Loaded: true, CostNs: 100 / 3., CostShare: .25}} {
				if diff := cmp.Diff(want, rules[rule], cmpopts.EquateApprox(0, 1e-6), cmpopts.IgnoreUnexported(ruleV2{}),
					cmpopts.IgnoreFields(ruleV2{}, "Name", "Priority", "Source", "Series")); diff != "" {
					t.Errorf("%s: %s", rule, diff)
				}
			}
		})
	}
}

// A rule has its whole name once an event has told it, and the costs of all daemons add up.
func TestCostsOfSeveralDaemons(t *testing.T) {
	x := serve(t, guarded())
	other := daemonNumbers()
	other.Hostname, other.Rules = "node-2", []metrics.Rule{{Name: "Read sensitive file (untrusted)", Asked: 100, Cost: 10e-6}}
	body := `{"rule":"Read sensitive file (untrusted)","priority":"Warning","time":"2026-05-17T15:31:56Z","output":"o","output_fields":{}}` + "\n" +
		snapshotEvent(t, daemonNumbers(), everything) + "\n" + snapshotEvent(t, other, everything)
	if res, text := x.do("POST", "/api/v2/events", body, bearer(ingestToken)...); res.StatusCode != 200 {
		t.Fatal(text)
	}
	for len(sensorsOf(t, x)) < 2 {
	}
	rules := rulesOf(t, x)
	if r := rules["Read sensitive file (untrusted)"]; !r.Loaded || math.Abs(r.CostNs-200) > 1e-6 || math.Abs(r.CostShare-.8) > 1e-6 {
		t.Errorf("%+v", r)
	}
	if _, there := rules["Read sensitive file untrusted"]; there {
		t.Error("a rule is there twice")
	}
}

// What no JSON can say is no number: one such snapshot would take the screen from everybody.
func TestNumbersAreFinite(t *testing.T) {
	x := serve(t, guarded())
	body := `{"rule":"` + snapshotRule + `","priority":"Informational","hostname":"h","time":"2026-05-17T15:31:56Z","output":"o","output_fields":
		{"scap.n_evts":"+Inf","falco.cpu_usage_perc":"NaN","falco.rule_cost_us.a":"1e308","falco.rule_cost_us.b":"1e308","falco.rule_events.a":"1e-300"}}`
	if res, text := x.do("POST", "/api/v2/events", "["+body+"]", bearer(ingestToken)...); res.StatusCode != 200 {
		t.Fatal(text)
	}
	if got := sensorsOf(t, x)[0]; got.Events != 0 || got.CPU != 0 {
		t.Errorf("%+v", got)
	}
	rulesOf(t, x)
}

// Hostile pages and snapshots cost no more than what is taken of them.
func FuzzMetricsPage(f *testing.F) {
	f.Add("falcosecurity_falco_rule_events_total{rule_name=\"a\\\"b\",source=\"syscall\"} 12\nfalcosecurity_falco_ring_used_bytes{cpu=\"x\"} NaN\n")
	f.Add("falcosecurity_falco_alerts_total +Inf\nfalcosecurity_falco_lag_seconds 1e308\n")
	f.Add("a{b=\"\\")
	f.Add("evt_hostname_info{hostname=\"h\",} 1e999")
	f.Fuzz(func(t *testing.T, text string) {
		n := &Sensor{}
		n.read(strings.NewReader(text))
		if len(n.Rules) > maxRules || len(n.Losses) > 100 {
			t.Errorf("%d rules, %d losses", len(n.Rules), len(n.Losses))
		}
		if _, err := json.Marshal(n); err != nil {
			t.Error(err)
		}
	})
}
