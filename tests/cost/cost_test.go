// SPDX-License-Identifier: Apache-2.0

// Package cost counts what the module adds to a system call, in instructions:
// in a guest whose clock is a count of them, which makes the same figures on
// every machine, however busy.
//
// guest/cost.c makes the calls, this package holds what they took against three
// things: fixed limits, a third of what the original adds, and the figures in
// figures.txt, which are kept for each kernel and compiler. To keep new ones:
//
//	FALCO_VM=1 go test ./tests/cost -run TestCost -record
package cost

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/tests/vm"
)

var record = flag.Bool("record", false, "keep what was counted in figures.txt")

// A row is a call, or a few: what they take, and what the original adds.
type row struct {
	name  string // guest/cost.c's
	phase string // in which it is captured; the first row is not wanted in its
	text  string
	bare  int // on 6.1.0-50-cloud
	adds  int // and what the original adds there: a third of it is ours to spend
}

var rows = []row{
	{"getpid", "unwanted", "uninteresting getpid", 321, 321},
	{"getpid", "all", "captured getpid", 321, 645},
	{"read", "all", "read 1 byte of /dev/zero", 665, 935},
	{"write", "all", "write 1 byte to /dev/null", 590, 937},
	{"dup+close", "all", "dup+close", 951, 1282},
	{"open+close", "all", "open+close of a file", 5454, 4084},
	{"open-enoent", "all", "open that fails with ENOENT", 5530, 3689},
	{"fstatat", "all", "fstatat", 3113, 1579},
	{"send+recv", "all", "unix send+recv of 1 byte", 3830, 3058},
	{"fork+exit+wait", "all", "fork+exit+wait", 153194, 21446},
	{"fork+exec+wait", "all", "fork+exec+wait", 506576, 56928},
}

// limits are instructions added, whatever the original does. They are hard, as the thirds are.
var limits = []struct {
	phase, row string
	most       int
}{
	{"idle", "getpid", 0},
	{"idle", "read", 0},
	{"idle", "send+recv", 0},
	{"unwanted", "getpid", 70},
	{"unwanted-enter", "getpid", 95},
	{"failed", "open-enoent", 150},
	{"failed", "close-ebadf", 150},
	{"failed-enter", "close-ebadf", 150},
	{"all-data", "read", 311}, // a large snaplen alone costs nothing: the same thirds
	{"all-data", "write", 312},
	{"all-data", "send+recv", 1019},
}

// noise is by how many instructions two counts of the same differ: the kernel's own ways to open a file depend on
// what lies where, and those of a process on a thousand things.
func noise(row string) float64 {
	switch {
	case strings.HasPrefix(row, "fork"):
		return 0.05
	case strings.HasPrefix(row, "open"):
		return 0.01
	}
	return 0.002
}

// slack is for the phase in which nothing runs that could count: two counts of one call, of which each is rounded.
func slack(phase string, bare int) int {
	if phase == "idle" {
		return 1 + bare/1000
	}
	return 0
}

// overspent says which limits do not hold.
func overspent(counted counts) (wrong []string) {
	for _, l := range limits {
		if adds := counted.adds(l.phase, l.row); adds > l.most+slack(l.phase, counted["bare"][l.row]) {
			wrong = append(wrong, fmt.Sprintf("%s, %s: %d instructions added, %d allowed", l.row, l.phase, adds, l.most))
		}
	}
	for _, r := range rows {
		if adds := counted.adds(r.phase, r.name); 3*adds > r.adds {
			wrong = append(wrong, fmt.Sprintf("%s, %s: %d instructions added, more than a third of the original's %d", r.name, r.phase, adds, r.adds))
		}
	}
	return wrong
}

func TestCost(t *testing.T) {
	if os.Getenv(vm.Enabled) == "" {
		t.Skip("needs a guest: " + vm.Enabled + "=1, or make test-vm")
	}
	kernel, module, compiler := built(t)
	counted := count(t, module)
	fmt.Print(table(kernel.ABI, compiler, counted))
	for _, wrong := range overspent(counted) {
		t.Error(wrong)
	}
	if *record {
		if err := keep(kernel.ABI, compiler, counted); err != nil {
			t.Fatal(err)
		}
		return
	}
	kept, err := readFigures()
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range kept.compare(kernel.ABI, compiler, counted) {
		t.Error(wrong)
	}
}

// built returns the default kernel, the module for it, and what compiled that.
func built(t *testing.T) (kernel *vm.Kernel, module, compiler string) {
	t.Helper()
	kernel, err := vm.GetKernel(vm.DefaultKernel, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	module, err = vm.BuildModule(kernel, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	compiler, err = compilerOf(module)
	if err != nil {
		t.Fatal(err)
	}
	return kernel, module, compiler
}

// A guest that counts: one nanosecond an instruction. Without the features that are cleared a "rep movs" is a loop and
// counts as one.
var (
	icount   = []string{"-icount", "shift=0,sleep=off"}
	counting = []string{"mitigations=off", "init_on_alloc=0", "clearcpuid=112,297,580", "nokaslr", "norandmaps"}
)

// count boots the guest, with one CPU.
func count(t *testing.T, module string) counts {
	t.Helper()
	program, err := vm.BuildC("guest/cost.c", nil)
	if err != nil {
		t.Fatal(err)
	}
	result := vm.Run(t, vm.Config{
		NoDaemon: true, Module: module, CPUs: 1, MemoryMB: 1024, Accel: "tcg", Files: []string{program}, Timeout: 8 * time.Minute,
		KernelArgs: counting, QEMUArgs: icount,
		Script: `rmmod falco && /files/cost bare && insmod /lib/modules/$(uname -r)/extra/falco.ko || exit
			for phase in idle unwanted unwanted-enter failed failed-enter all all-enter all-data; do
				/files/cost $phase || exit
			done`,
	})
	if result.ExitCode != 0 {
		t.Fatalf("exit code %d:\n%s", result.ExitCode, result.Act)
	}
	counted, err := parse(result.Act)
	if err != nil {
		t.Fatal(err)
	}
	return counted
}

// table is what "make bench" shows.
func table(abi, compiler string, c counts) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Instructions added to a system call, in a guest with %s (%s)\n", abi, compiler)
	fmt.Fprintf(&b, "%-30s %9s %9s %9s %7s   %9s %9s\n", "", "bare", "+ ours", "+ enter", "a third", "bare", "+ original")
	fmt.Fprintf(&b, "%-30s %9s %9s %9s %7s   %9s %9s\n", "", "", "", "hook on", "is", "6.1.0-50", "6.1.0-50")
	for _, r := range rows {
		fmt.Fprintf(&b, "%-30s %9d %+9d %+9d %7d   %9d %+9d\n", r.text, c["bare"][r.name], c.adds(r.phase, r.name),
			c.adds(r.phase+"-enter", r.name), r.adds/3, r.bare, r.adds)
	}
	for _, l := range limits {
		if l.phase != "unwanted" && l.phase != "unwanted-enter" {
			fmt.Fprintf(&b, "%-30s %9d %+9d %9s %7d\n", phaseText[l.phase]+" "+l.row, c["bare"][l.row], c.adds(l.phase, l.row), "", l.most)
		}
	}
	return b.String()
}

var phaseText = map[string]string{
	"idle":         "no consumer:",
	"failed":       "successes only:",
	"failed-enter": "the same, enter hook on:",
	"all-data":     "up to 4 KiB of data:",
}
