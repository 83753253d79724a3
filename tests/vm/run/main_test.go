// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falco-go/falco/tests/vm"
)

func TestSplitWords(t *testing.T) {
	for line, want := range map[string][]string{
		"":                               nil,
		"  ":                             nil,
		"-o a=b  -A":                     {"-o", "a=b", "-A"},
		`-o "a=b c" -o 'd="e" f'`:        {"-o", "a=b c", "-o", `d="e" f`},
		`a\ b \"c "x\"y" 'no\escape' ""`: {"a b", `"c`, `x"y`, `no\escape`, ""},
	} {
		got, err := splitWords(line)
		if err != nil {
			t.Errorf("%q: %v", line, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", line, diff)
		}
	}
	for _, line := range []string{`"open`, `'open`, `end\`} {
		if words, err := splitWords(line); err == nil {
			t.Errorf("%q gave %q", line, words)
		}
	}
}

// What a run's end means for the exit code. 0 leaves it to the script.
func TestJudge(t *testing.T) {
	fine := vm.Result{Ready: true, Complete: true, ActEnded: true, FalcoAsked: true, ExitCode: 7}
	for name, c := range map[string]struct {
		change func(*vm.Result)
		want   int
	}{
		"fine":             {func(*vm.Result) {}, 0},
		"falco was killed": {func(r *vm.Result) { r.FalcoAsked, r.FalcoCode, r.FalcoSignal = false, 137, "killed" }, 0},
		"bad rules":        {func(r *vm.Result) { r.Ready, r.ActEnded, r.FalcoCode = false, false, 1 }, vm.ExitHarness},
		"splat":            {func(r *vm.Result) { r.Splats = []vm.Splat{{Title: "BUG"}} }, vm.ExitGuest},
		"gone early":       {func(r *vm.Result) { r.Complete = false }, vm.ExitGuest},
		"never ready":      {func(r *vm.Result) { r.Ready, r.ActEnded = false, false }, vm.ExitGuest},
		"script hung":      {func(r *vm.Result) { r.ActEnded, r.ActLimit = false, true }, vm.ExitGuest},
		"module stays":     {func(r *vm.Result) { r.Unload = "device busy" }, vm.ExitGuest},
	} {
		result := fine
		c.change(&result)
		if got := judge(&result, vm.Config{}); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
