// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/tests/vm"
)

// live builds what acts in the guest, and the load of the chaos suite.
func live(t *testing.T) (files []string) {
	t.Helper()
	if os.Getenv(vm.Enabled) == "" {
		t.Skip("needs a guest: " + vm.Enabled + "=1, or make test-vm")
	}
	program, err := vm.BuildGo("./tests/e2e/guest", "live", nil)
	if err != nil {
		t.Fatal(err)
	}
	load, err := vm.BuildC("../chaos/acts/load.c", nil)
	if err != nil {
		t.Fatal(err)
	}
	return []string{program, load}
}

// write makes a file of the test's own.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

const quietRule = `
- rule: Seen
  desc: d
  condition: evt.type = openat and evt.arg.name = /tmp/seen
  output: seen
  priority: INFO
`

// Whoever takes the daemon's events away is told of: an alert, a red /healthz. The daemon asks for its events again and
// sees again, and says that too. No canary is to be seen anywhere else.
func TestCanary(t *testing.T) {
	result := vm.Run(t, vm.Config{
		Rules: []string{write(t, "quiet.yaml", quietRule+`
- rule: Canary in view
  desc: only when somebody else makes the call
  condition: evt.type = sched_get_priority_max
  output: "%proc.name %thread.tid"
  priority: INFO
`)},
		Files: live(t), Timeout: 3 * time.Minute,
		FalcoArgs: []string{"-o", "canary_interval=500", "-o", "webserver.enabled=true", "-o", "webserver.prometheus_metrics_enabled=true",
			"-o", "metrics.enabled=true", "-o", "metrics.interval=1h", "-o", "base_syscalls.all=true"},
		Script: `
			ask() { /files/live get http://127.0.0.1:8765/$1; }
			until_health() { for i in $(seq 300); do if ask healthz >/tmp/h; then [ $1 = green ] && return 0; else [ $1 = red ] && return 0; fi; usleep 100000; done; return 1; }
			until_health green || exit 3
			sleep 3
			ask healthz >/dev/null || exit 4
			/files/live blind $(pidof falco) || exit 5
			until_health red || exit 6
			cat /tmp/h
			until_health green || exit 7
			cat /tmp/seen
			sleep 2
			ask metrics | grep canary
			exit 0`,
	})
	if result.ExitCode != 0 {
		t.Fatalf("the script ended with %d:\n%s\n%s", result.ExitCode, result.Act, result.Log)
	}
	told := map[string]int{}
	for _, a := range result.Alerts {
		told[a.Rule+" "+a.Priority]++
	}
	if len(told) != 3 || told["Falco internal: canary Critical"] != 1 || told["Falco internal: canary Notice"] != 1 || told["Seen Informational"] != 1 {
		t.Errorf("alerts: %v\n%s", told, result.AlertText)
	}
	if !strings.Contains(result.Log, "no system call of our own has come back for") || !strings.Contains(result.Log, "(the module has not seen it)") {
		t.Errorf("the log does not tell:\n%s", result.Log)
	}
	for _, want := range []string{"falco_canary_heard_total", "falco_canary_unanswered 0", "falco_canary_latency_seconds 0."} {
		if !strings.Contains(result.Act, want) {
			t.Errorf("/metrics does not tell %s:\n%s", want, result.Act)
		}
	}
	t.Logf("%s", result.Act)
}

var marksLine = regexp.MustCompile(`marks=(\d+) reloads=(\d+)`)

// One reload after the other under load: each numbered event has one alert, of the rules that were in force, in order.
func TestReloads(t *testing.T) {
	reloads, timeout := 50, 15*time.Minute
	if os.Getenv("FALCO_LONG") != "" {
		reloads, timeout = 1000, 150*time.Minute // a tenth of it if nobody else is there
	}
	gen0 := write(t, "gen.yaml", `
- rule: Marker
  desc: a numbered event
  condition: evt.type = openat and evt.arg.name startswith /marker/
  output: "gen=0 %evt.arg.name"
  priority: INFO
`)
	result := vm.Run(t, vm.Config{
		Rules: []string{stockRules}, Files: append(live(t), gen0), Timeout: timeout, MemoryMB: 1024,
		FalcoArgs: []string{"-r", "/files/gen.yaml", "-o", "rules[].disable.rule=*", "-o", "rules[].enable.rule=Marker",
			"-o", "file_output.enabled=true", "-o", "file_output.filename=/tmp/alerts", "-o", "file_output.keep_alive=true",
			"-o", "json_include_output_fields_property=false", "-o", "json_include_tags_property=false", // hundreds of thousands will come
			"-o", "engine.kmod.buf_size_preset=6", "-o", "syscall_event_drops.actions=ignore"},
		Script: fmt.Sprintf(`
			/files/load mixed 1 10 &
			/files/live reloads %d
			code=$?
			kill %%1
			sleep 3
			echo file=$(grep -c /marker/ /tmp/alerts)
			exit $code`, reloads),
	})
	m := marksLine.FindStringSubmatch(result.Act)
	if result.ExitCode != 0 || m == nil {
		t.Fatalf("the script ended with %d:\n%s\n%s", result.ExitCode, result.Act, result.Log)
	}
	marks, _ := strconv.Atoi(m[1])
	if result.Ledger.Lost != 0 || result.Ledger.Produced != result.Ledger.Delivered {
		t.Errorf("the ledger: %+v", result.Ledger)
	}
	generation, next := 0, 1
	seen := make([]int, reloads+1)
	for _, a := range result.Alerts {
		var gen, mark int
		if _, err := fmt.Sscanf(a.Output[strings.Index(a.Output, "gen="):], "gen=%d /marker/%d", &gen, &mark); err != nil {
			t.Fatalf("%v: %s", err, a.Raw)
		}
		if mark != next {
			t.Fatalf("mark %d comes where %d should (generation %d)", mark, next, gen)
		}
		if gen < generation || gen > reloads {
			t.Fatalf("mark %d: generation %d after %d", mark, gen, generation)
		}
		generation, next = gen, mark+1
		seen[gen]++
	}
	if next != marks+1 {
		t.Errorf("%d marks were made, %d alerts have come", marks, next-1)
	}
	for gen, n := range seen {
		if n == 0 {
			t.Errorf("generation %d has no alert", gen)
		}
	}
	if want := fmt.Sprintf("file=%d\n", marks); !strings.Contains(result.Act, want) {
		t.Errorf("the file has not the same alerts: %s", result.Act)
	}
	restarts := strings.Count(result.Log, "SIGHUP received, restarting...")
	if restarts < reloads {
		t.Errorf("%d reloads in the log, not %d", restarts, reloads)
	}
	t.Logf("%d reloads (%d in the log), %d marks, %d events, %v", reloads, restarts, marks, result.Ledger.Delivered, result.Total.Round(time.Second))
}

// On a live module: a reload asks for calls that nobody wanted before, metrics tell of rings, and a daemon that is asked to end in
// the middle of a storm reads what is there, and says what became of each event.
func TestLive(t *testing.T) {
	rule := func(name, condition string) string {
		return fmt.Sprintf("\n- rule: %s\n  desc: d\n  condition: %s\n  output: \"%%evt.type %%proc.name\"\n  priority: INFO\n", name, condition)
	}
	now := rule("Now", "evt.type = openat and evt.arg.name = /tmp/now")
	more, next := write(t, "more.yaml", now), write(t, "next.yaml", now+rule("Next", "evt.type = sync"))
	result := vm.Run(t, vm.Config{
		Rules: []string{more}, Files: append(live(t), more, next), Timeout: 3 * time.Minute,
		FalcoArgs: []string{"-r", "/files/more.yaml", "-o", "webserver.enabled=true", "-o", "webserver.prometheus_metrics_enabled=true",
			"-o", "metrics.enabled=true", "-o", "metrics.interval=1h"},
		Script: `
			metrics() { /files/live get http://127.0.0.1:8765/metrics; }
			sync # nobody asks for it yet
			cat /tmp/now
			cp /files/next.yaml /files/more.yaml
			for i in $(seq 200); do usleep 100000; metrics | grep -q '^falcosecurity_falco_reloads_total 1' && break; done
			sync
			for i in $(seq 200); do usleep 100000; metrics | grep -q 'rule_name="Next"' && break; done
			metrics
			falco doctor || exit 4
			/files/load storm &
			sleep 2
			kill -TERM $(pidof falco)
			for i in $(seq 600); do pidof falco >/dev/null || break; usleep 100000; done
			kill %1
			! pidof falco`,
	})
	if result.ExitCode != 0 || result.FalcoCode != 0 || result.FalcoAsked {
		t.Errorf("the script ended with %d, falco with %d (asked: %v):\n%s", result.ExitCode, result.FalcoCode, result.FalcoAsked, result.Act)
	}
	told := result.Rules()
	delete(told, "Falco internal: gap in the stream") // a storm may have some
	delete(told, "Falco internal: syscall event drop")
	if len(told) != 2 || told["Now"] != 1 || told["Next"] != 1 {
		t.Errorf("alerts: %v", told)
	}
	for _, want := range []string{`falco_ring_size_bytes{cpu="1"} 8388608`, `falco_ring_used_bytes{cpu="0"} `, "falco_lag_seconds ", "falco_gaps_total 0",
		`falco_rules_matches_total{priority="6",rule_name="Next",source="syscall"} 1`, `falco_output_alerts_total{output="stdout",outcome="delivered"} `,
		`scap_engine_name_info{engine_name="kmod",evt_source="syscall"} 1`} {
		if !strings.Contains(result.Act, "falcosecurity_"+want) {
			t.Errorf("/metrics does not tell %s:\n%s", want, result.Act)
		}
	}
	for _, want := range []string{"look  headers ", "ok    module ", "ok    device ", "ok    daemon         process ", "Nothing keeps this machine from being watched; "} {
		if !strings.Contains(result.Act, "\n"+want) {
			t.Errorf("the doctor does not say %q:\n%s", want, result.Act)
		}
	}
	l := result.Ledger
	left := 0
	if m := regexp.MustCompile(`Left in the rings: (\d+)`).FindStringSubmatch(result.Log + result.Sums); m != nil {
		left, _ = strconv.Atoi(m[1])
	}
	if l.Produced != l.Delivered+l.Lost+int64(left) || l.Delivered < 1000 {
		t.Errorf("the ledger: %+v, %d left", l, left)
	}
	t.Logf("%d events, %d lost, %d left in the rings", l.Produced, l.Lost, left)
}
