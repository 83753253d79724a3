// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/tests/vm"
)

var (
	lostLine = regexp.MustCompile(`(\d+) of \d+ events were lost \(ring full: \d+\) on CPU [01, ]+ between [0-9:.]+ and [0-9:.]+\.`)
	gapsLine = regexp.MustCompile(`(?m)^Gaps in the stream: (\d+), of (\d+) events on CPU`)
)

// A daemon that stands still for a while tells what it has missed, how much, where and when; and its ledger balances.
func TestDaemonTellsLosses(t *testing.T) {
	if os.Getenv(vm.Enabled) == "" {
		t.Skip("needs a guest: " + vm.Enabled + "=1, or make test-vm")
	}
	kernel, still := os.Getenv("FALCO_KERNEL"), 2
	if recipe, err := vm.FindRecipe(kernel); err == nil && recipe.Debug() {
		still = 40 // it takes so long to fill a ring
	}
	result := vm.Run(t, vm.Config{
		Kernel: kernel,
		Rules:  []string{rule(t, "evt.type = openat and fd.name = /tmp/after")}, Files: build(t), Timeout: 3 * time.Minute,
		FalcoArgs: []string{"-o", "engine.kmod.buf_size_preset=1"}, Env: []string{fmt.Sprint("STILL=", still)},
		Script: `
			/files/load storm &
			kill -STOP $(pidof falco); sleep $STILL; kill -CONT $(pidof falco)
			sleep 1
			kill %1; wait
			sleep 2
			for cpu in 0 1; do taskset -c $cpu cat /tmp/after; done 2>/dev/null
			true`,
	})
	l := result.Ledger
	if l.Lost <= 0 || l.Produced != l.Delivered+l.Lost {
		t.Errorf("the ledger: %+v", l)
	}
	if !lostLine.MatchString(result.Log) {
		t.Errorf("the log does not tell:\n%s", result.Log)
	}
	gaps := gapsLine.FindStringSubmatch(result.Log + result.Sums)
	if gaps == nil || gaps[2] != fmt.Sprint(l.Lost) {
		t.Errorf("%d events were lost; the gap records say %q", l.Lost, gaps)
	}
	if n := result.Rules()["Chaos"]; n != 2 {
		t.Errorf("the rule has fired %d times afterwards", n)
	}
	t.Logf("%+v %q", l, gaps)
}

// A CPU that comes up under load has a ring, and a daemon that never rests reads it.
func TestDaemonSeesNewCPU(t *testing.T) {
	if os.Getenv(vm.Enabled) == "" {
		t.Skip("needs a guest: " + vm.Enabled + "=1, or make test-vm")
	}
	result := vm.Run(t, vm.Config{
		Kernel: os.Getenv("FALCO_KERNEL"),
		Rules:  []string{rule(t, "evt.type = openat and evt.cpu = 1 and fd.name = /tmp/on-the-new-one")}, Files: build(t),
		KernelArgs: []string{"maxcpus=1"}, Timeout: 3 * time.Minute,
		Script: `
			/files/load mixed &
			sleep 1
			[ $(cat /sys/devices/system/cpu/online) = 0 ] || exit 3
			echo 1 >/sys/devices/system/cpu/cpu1/online || exit 4
			for i in 1 2 3; do taskset -c 1 cat /tmp/on-the-new-one; done 2>/dev/null
			echo 0 >/sys/devices/system/cpu/cpu1/online || exit 5
			echo 1 >/sys/devices/system/cpu/cpu1/online || exit 6
			for i in 1 2; do taskset -c 1 cat /tmp/on-the-new-one; done 2>/dev/null
			sleep 1
			kill %1`,
	})
	if result.ExitCode != 0 {
		t.Errorf("the script ended with %d: %s", result.ExitCode, result.Act)
	}
	if n := result.Rules()["Chaos"]; n != 5 {
		t.Errorf("the rule has fired %d times, not 5", n)
	}
	l := result.Ledger
	if l.Produced != l.Delivered+l.Lost || strings.Contains(result.Log+result.Sums, "no ring: 1") {
		t.Errorf("the ledger: %+v\n%s", l, result.Log+result.Sums)
	}
	t.Logf("%+v", l)
}

// rule writes a file with one.
func rule(t *testing.T, condition string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "chaos.yaml")
	text := "- rule: Chaos\n  desc: d\n  condition: " + condition + "\n  output: it happened on %evt.cpu\n  priority: INFO\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
