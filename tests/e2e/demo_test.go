// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/falco-go/falco/pkg/rules"
	"github.com/falco-go/falco/tests/vm"
)

const (
	stockRules = "../../rules/falco_rules.yaml"
	play       = "../demo/act.sh"
	stepRules  = "steps.yaml"
	stepRule   = "step"
)

// scene is a step of the play: what it is about, how often that must fire, and
// what did.
type scene struct {
	rule  string
	times int
	fired []vm.Alert
}

// scenes cuts the alerts at the steps' own. Alerts outside of any step end up in
// the last return value.
func scenes(alerts []vm.Alert) (all []*scene, between []vm.Alert) {
	var now *scene
	for _, alert := range alerts {
		if alert.Rule != stepRule {
			if now == nil {
				between = append(between, alert)
			} else {
				now.fired = append(now.fired, alert)
			}
			continue
		}
		name, _ := alert.Fields["fd.filename"].(string)
		times, rule, found := strings.Cut(name, " ")
		if now = nil; !found {
			continue
		}
		n, err := strconv.Atoi(times)
		if err != nil {
			continue
		}
		now = &scene{rule: rule, times: n}
		all = append(all, now)
	}
	return all, between
}

// fileName is a rule's name as a step's file has it.
func fileName(rule string) string { return strings.ReplaceAll(rule, "/", ":") }

// check says what is wrong with a scene, "" if nothing is.
func (s *scene) check() string {
	var wrong []string
	for _, alert := range s.fired {
		if s.times == 0 || fileName(alert.Rule) != s.rule {
			wrong = append(wrong, "not expected: "+alert.Output)
		}
	}
	if len(s.fired) != s.times {
		wrong = append(wrong, fmt.Sprintf("fired %d times, want %d", len(s.fired), s.times))
	}
	return strings.Join(wrong, "\n")
}

// Every act of the demo sets off its rule as often as it says and nothing else,
// its twins set off nothing, and no event is lost. A replay of it says the same. All of it is on the web page of make demo
// UI=1.
func TestDemo(t *testing.T) {
	_, helpers := actors(t)
	page := openPage(t)
	config := vm.Config{Rules: append(demoRules(t), stepRules), Act: play, Files: helpers, Capture: true, Alerts: page}
	result := vm.Run(t, config)
	balanced(t, result)
	onPage(t, page, result.Alerts)
	sameAgain(t, config, result)
	if result.ExitCode != 0 {
		t.Errorf("the play ended with %d:\n%s", result.ExitCode, result.Act)
	}
	steps, between := scenes(result.Alerts)
	for _, alert := range between {
		t.Errorf("between two steps: %s", alert.Output)
	}
	written := writtenSteps(t)
	if len(steps) != len(written) {
		t.Errorf("%d steps were seen, %d are written", len(steps), len(written))
	}
	for i, s := range steps {
		t.Run(fmt.Sprintf("%02d %d %s", i+1, s.times, s.rule), func(t *testing.T) {
			if i < len(written) && written[i] != fmt.Sprint(s.times, " ", s.rule) {
				t.Errorf("step is %q", written[i])
			}
			if wrong := s.check(); wrong != "" {
				t.Error(wrong)
			}
		})
	}
}

func openPage(t *testing.T) *vm.Page {
	t.Helper()
	if os.Getenv(vm.Enabled) == "" {
		t.Skip("needs a guest: " + vm.Enabled + "=1, or make test-vm")
	}
	page, err := vm.OpenPage(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := page.Close(); err != nil {
			t.Errorf("end the web page: %v", err)
		}
	})
	return page
}

// onPage compares what the page has with what the daemon printed, in its order.
func onPage(t *testing.T, page *vm.Page, alerts []vm.Alert) {
	t.Helper()
	if _, err := page.Shown(t.Context()); err != nil {
		t.Fatal(err)
	}
	events, err := page.Events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	line := func(a vm.Alert) string {
		return fmt.Sprintf("%s|%s|%s|%v", a.Time.UTC().Truncate(time.Microsecond), a.Rule, a.Priority, a.Fields["proc.cmdline"])
	}
	var want, got []string
	for _, a := range alerts {
		want = append(want, line(a))
	}
	for _, a := range events {
		got = append(got, line(a))
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
		t.Errorf("%d alerts, and on the page, +%d:\n%s", len(want), len(got), diff)
	}
}

var writtenStep = regexp.MustCompile(`(?m)^(?:act (\d+)|twin) '([^']+)'`)

// writtenSteps are the steps of the play in order, as their files are called.
func writtenSteps(t *testing.T) (steps []string) {
	t.Helper()
	text, err := os.ReadFile(play)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range writtenStep.FindAllStringSubmatch(string(text), -1) {
		if m[1] == "" {
			m[1] = "0"
		}
		steps = append(steps, m[1]+" "+fileName(m[2]))
	}
	return steps
}

// Whatever has an act has a twin, and is a rule of the demo's files. tests/attacks has acts for every rule of the stock
// file.
func TestDemoIsWhole(t *testing.T) {
	var files []rules.File
	for _, name := range demoRules(t) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, rules.File{Name: name, Content: text})
	}
	set, results := rules.Load(files, rules.Options{Priority: rules.Debug})
	if set == nil {
		t.Fatal(results[0].Text(true))
	}
	acts, twins := map[string]bool{}, map[string]bool{}
	for _, step := range writtenSteps(t) {
		times, rule, _ := strings.Cut(step, " ")
		if times == "0" {
			twins[rule] = true
		} else {
			acts[rule] = true
		}
	}
	if !maps.Equal(acts, twins) || len(acts) < 30 {
		t.Errorf("%d rules with an act, %d with a twin", len(acts), len(twins))
	}
	for _, r := range set.Rules {
		if r.Enabled {
			delete(acts, fileName(r.Name))
		}
	}
	for name := range acts {
		t.Errorf("an act for no rule: %s", name)
	}
}

// demoRules are the files that make demo loads.
func demoRules(t *testing.T) []string {
	t.Helper()
	names, err := vm.DemoRules()
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// A play that goes wrong is noticed, without a guest.
func TestScenes(t *testing.T) {
	step := func(name string) vm.Alert {
		return vm.Alert{Rule: stepRule, Fields: map[string]any{"fd.filename": name}}
	}
	alert := func(rule string) vm.Alert { return vm.Alert{Rule: rule} }
	for _, tc := range []struct {
		name    string
		alerts  []vm.Alert
		good    bool
		between int
	}{
		{"act", []vm.Alert{step("1 A"), alert("A"), step("end")}, true, 0},
		{"thrice", []vm.Alert{step("3 A:B"), alert("A/B"), alert("A/B"), alert("A/B"), step("end")}, true, 0},
		{"twin", []vm.Alert{step("0 A"), step("end")}, true, 0},
		{"silent", []vm.Alert{step("1 A"), step("end")}, false, 0},
		{"twice", []vm.Alert{step("1 A"), alert("A"), alert("A"), step("end")}, false, 0},
		{"another", []vm.Alert{step("1 A"), alert("B"), step("end")}, false, 0},
		{"one more", []vm.Alert{step("1 A"), alert("A"), alert("B"), step("end")}, false, 0},
		{"loud twin", []vm.Alert{step("0 A"), alert("A"), step("end")}, false, 0},
		{"late", []vm.Alert{step("0 A"), step("end"), alert("A")}, true, 1},
	} {
		all, between := scenes(tc.alerts)
		if len(all) != 1 {
			t.Fatalf("%s: %d scenes", tc.name, len(all))
		}
		if wrong := all[0].check(); (wrong == "") != tc.good || len(between) != tc.between {
			t.Errorf("%s: %q, %d between", tc.name, wrong, len(between))
		}
	}
}

// actors builds the programs of the demo.
func actors(t *testing.T) (script string, helpers []string) {
	t.Helper()
	if os.Getenv(vm.Enabled) == "" {
		t.Skip("needs a guest: " + vm.Enabled + "=1, or make test-vm")
	}
	script, helpers, err := vm.DemoScript(nil)
	if err != nil {
		t.Fatal(err)
	}
	return script, helpers
}

// balanced checks the daemon's ledger: nothing produced that was not delivered.
func balanced(t *testing.T, result *vm.Result) {
	t.Helper()
	l := result.Ledger
	if l.Produced <= 0 || l.Lost != 0 || l.Delivered != l.Produced {
		t.Errorf("produced %d, delivered %d, lost %d\n%s", l.Produced, l.Delivered, l.Lost, result.Log)
	}
	if l.Detected != int64(len(result.Alerts)) {
		t.Errorf("the daemon counts %d alerts, %d came", l.Detected, len(result.Alerts))
	}
	if result.FalcoCode != 0 || result.FalcoSignal != "" {
		t.Errorf("falco ended with %d %s", result.FalcoCode, result.FalcoSignal)
	}
}

// givenPath is the path of a rule file of a script: ours, or one of the given material.
func givenPath(t *testing.T, name string) string {
	t.Helper()
	rest, given := strings.CutPrefix(name, "$FALCO_SHARED/")
	if !given {
		return filepath.Join("../..", name)
	}
	dir := os.Getenv("FALCO_SHARED")
	if dir == "" {
		dir = "../../../shared"
	}
	path := filepath.Join(dir, rest)
	if _, err := os.Stat(path); err != nil {
		t.Skip("FALCO_SHARED not found")
	}
	return path
}
