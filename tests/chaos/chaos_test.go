// SPDX-License-Identifier: Apache-2.0

// Package chaos is unkind to the module: consumers come and go, hang, crash and lie, CPUs and the module itself disappear, all
// under load. Whatever happens, the kernel does not complain, the books balance for each CPU, type and cause, and memory is
// as it was.
//
// guest/ is what runs in the guest; acts/load.c makes system calls, acts/hostile.c does what only C can. The short form is for every day, the
// long one (FALCO_LONG=1) has the full counts. FALCO_CHAOS names scenarios to run alone, FALCO_SEED repeats a run.
package chaos

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/tests/vm"
)

// leakLimit is what may be missing after a scenario, in kB: less than two of its rings. Page tables of the kernel's own mappings
// stay where a mapping once was: that is what a million ioctls with rings of all sizes cost, once. The pages of rings are
// counted by the module itself, which complains at its unload if one is left. A debug kernel keeps what was freed for a while,
// and stacks of those who allocated for ever; there kmemleak knows better.
func leakLimit() int64 {
	if recipe, err := vm.FindRecipe(os.Getenv("FALCO_KERNEL")); err == nil && recipe.Debug() {
		return 16 << 10
	}
	if os.Getenv("FALCO_LONG") != "" {
		return 2 << 10
	}
	return 1 << 10
}

// groups share a guest each. In the long form they also share the time; whoever has more CPUs runs them side by side.
var groups = []group{
	{"readers", []string{"params", "refusals", "mappings", "openclose", "resize", "several", "storm", "nested", "kill", "fork", "unserved", "racing"}},
	{"machine", []string{"stop", "crash", "ioctls", "scribble", "hotplug", "unload", "lockdown"}},
}

type group struct {
	name      string
	scenarios []string
}

func TestChaos(t *testing.T) {
	if os.Getenv(vm.Enabled) == "" {
		t.Skip("needs a guest: " + vm.Enabled + "=1, or make test-vm")
	}
	files := build(t)
	only := strings.Fields(os.Getenv("FALCO_CHAOS"))
	for _, name := range only {
		if !slices.ContainsFunc(groups, func(g group) bool { return slices.Contains(g.scenarios, name) }) {
			t.Fatalf("FALCO_CHAOS: no scenario is called %q: names are parted by blanks", name)
		}
	}
	for _, g := range groups {
		scenarios := g.scenarios
		if len(only) > 0 {
			scenarios = slices.DeleteFunc(slices.Clone(scenarios), func(s string) bool { return !slices.Contains(only, s) })
		}
		if len(scenarios) == 0 {
			continue
		}
		t.Run(g.name, func(t *testing.T) { play(t, files, scenarios, vm.Config{}) })
	}
}

// Sleep of the whole machine has a guest of its own.
func TestSuspend(t *testing.T) {
	if os.Getenv(vm.Enabled) == "" {
		t.Skip("needs a guest: " + vm.Enabled + "=1, or make test-vm")
	}
	play(t, build(t), []string{"nap", "suspend"}, vm.Config{Timeout: time.Minute})
}

func build(t *testing.T) (files []string) {
	t.Helper()
	guest, err := vm.BuildGo("./tests/chaos/guest", "chaos", nil)
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, guest)
	for _, source := range []string{"acts/load.c", "acts/hostile.c"} {
		program, err := vm.BuildC(source, nil)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, program)
	}
	return files
}

// play runs scenarios in a guest, and makes a subtest of each.
func play(t *testing.T, files, scenarios []string, config vm.Config) {
	args := []string{"/files/chaos"}
	if config.Timeout == 0 {
		config.Timeout = 5 * time.Minute
	}
	if os.Getenv("FALCO_LONG") != "" {
		args = append(args, "-long")
		config.Timeout = 90 * time.Minute
	}
	if testing.Verbose() {
		config.ActOut = os.Stderr // who waits so long likes to know
	}
	if seed := os.Getenv("FALCO_SEED"); seed != "" {
		args = append(args, "-seed", seed)
	}
	config.NoDaemon, config.DebugModule, config.Files = true, true, files
	config.Kernel = os.Getenv("FALCO_KERNEL")
	config.Script = strings.Join(append(append([]string{"exec"}, args...), scenarios...), " ") + "\n"
	result := vm.Try(t, config)
	if err := result.Err(); err != nil {
		t.Errorf("%v", err)
		for _, splat := range result.Splats {
			t.Log(splat.Text)
		}
	}
	told := parse(result.Act)
	for _, name := range scenarios {
		t.Run(name, func(t *testing.T) { told[name].judge(t, name != "nap") })
	}
	if !strings.Contains(result.Act, "chaos: done") {
		t.Errorf("the guest did not come to its end:\n%s\n%s", result.Act, result.Console)
	}
	t.Logf("%v in the guest", result.Total.Round(time.Second))
}

// story is what the guest told of a scenario.
type story struct {
	ok      bool
	verdict string
	memory  map[string][2]int64 // kB before and after
}

func parse(text string) map[string]story {
	stories := map[string]story{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 3 || f[0] != "chaos:" {
			continue
		}
		s := stories[f[1]]
		switch f[2] {
		case "ok", "FAIL":
			s.ok, s.verdict = f[2] == "ok", strings.Join(f[3:], " ")
		case "memory":
			before, err1 := strconv.ParseInt(f[4], 10, 64)
			after, err2 := strconv.ParseInt(f[5], 10, 64)
			if err1 != nil || err2 != nil {
				continue // judge misses it
			}
			if s.memory == nil {
				s.memory = map[string][2]int64{}
			}
			s.memory[f[3]] = [2]int64{before, after}
		}
		stories[f[1]] = s
	}
	return stories
}

// judge fails t for a story that did not end well. Whether memory was lost is asked of all but those who warm up.
func (s story) judge(t *testing.T, leaks bool) {
	t.Log(s.verdict)
	if !s.ok {
		t.Errorf("failed: %s", s.verdict)
		return
	}
	if _, why, skipped := strings.Cut(s.verdict, "skipped: "); skipped {
		t.Skip(why)
	}
	if len(s.memory) != 6 {
		t.Errorf("memory was not compared: %v", s.memory)
	}
	for name, m := range s.memory {
		more := m[1] - m[0]
		if name == "Free" {
			more = -more
		}
		if leaks && more > leakLimit() {
			t.Errorf("%s: %d kB before, %d kB after", name, m[0], m[1])
		}
	}
}

// What a guest says must be able to fail the test.
func TestParse(t *testing.T) {
	told := parse("chaos: a begins\nchaos: a memory Free 10 9\nchaos: a ok x=1 y=2\nchaos: b FAIL no such thing\nnoise\n")
	if !told["a"].ok || told["a"].verdict != "x=1 y=2" || told["a"].memory["Free"] != [2]int64{10, 9} {
		t.Errorf("a: %+v", told["a"])
	}
	if told["b"].ok || told["b"].verdict != "no such thing" || told["c"].ok {
		t.Errorf("b: %+v", told["b"])
	}
}
