// SPDX-License-Identifier: Apache-2.0

// Package driver compares what system calls were given with what the module
// says about them.
//
// acts/acts.c makes calls, one after the other, and says for each which event
// it expects; watch prints all events there were; here the two are compared,
// in the guests of tests/vm. The acts are run twice, as a 64-bit program and as
// a 32-bit one: same source, same expectations. An expectation names some of
// the parameters:
//
//	X <check> <tid> <event> <param>=<value> …
//
// Values are as watch prints them. "+" is any number above zero, "?" anything
// that is present, "@name" the same number above zero wherever it stands and
// another than that of another name in its event, `'…*` any text that begins
// like this, "~…" any that contains this, and "7±2" a number that is as near as
// that. "^" is the event's first parameter, compared with what the call returned.
//
// Two parameters are expected even where they are not named: rec=-, which says
// that nothing was unreadable or cut, and abi, the width of the program.
package driver

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/falco-go/falco/tests/vm"
)

// long runs what "make test" leaves to "make test-long".
var long = os.Getenv("FALCO_LONG") != ""

// programs are what a guest runs: one to watch, and the acts in both widths.
type programs struct {
	watch, acts, acts32 string
}

func build(t *testing.T) programs {
	t.Helper()
	watch, err := vm.BuildGo("./tests/driver/watch", "watch", nil)
	if err != nil {
		t.Fatal(err)
	}
	acts, err := vm.BuildC("acts/acts.c", nil)
	if err != nil {
		t.Fatal(err)
	}
	acts32, err := vm.BuildC32("acts/acts.c", nil)
	if err != nil {
		t.Fatal(err)
	}
	return programs{watch, acts, acts32}
}

// A run is one of watch and the acts.
type run struct {
	name, watch, acts string
}

// hooks are the tracepoints that "acts hooks" is about, and the call that begins an act.
const hooks = "alarm,sched_switch,page_fault_user,page_fault_kernel,signal_deliver"

// TestSyscalls is the conformance suite: every event, on every kernel that there is a guest for, or on FALCO_KERNEL's.
func TestSyscalls(t *testing.T) {
	if os.Getenv(vm.Enabled) == "" {
		t.Skip("needs a guest: " + vm.Enabled + "=1, or make test-vm")
	}
	type suite struct {
		kernel string
		long   bool // not in CI
	}
	suites := []suite{{"5.10", false}, {"6.1", false}, {"6.12", true}, {"7", false}}
	if kernel := os.Getenv("FALCO_KERNEL"); kernel != "" {
		suites = []suite{{kernel, false}}
	}
	programs := build(t)
	for _, suite := range suites {
		t.Run(suite.kernel, func(t *testing.T) {
			if suite.long && !long {
				t.Skip("only with FALCO_LONG=1, or make test-long")
			}
			testSyscalls(t, suite.kernel, programs)
		})
	}
}

func testSyscalls(t *testing.T, name string, programs programs) {
	kernel, err := vm.GetKernel(name, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	script := "insmod /files/overlay.ko || exit 1\n"
	var runs []run
	for _, width := range []string{"64", "32"} {
		for _, r := range []run{
			{"all", "", "all"},
			{"hooks", "-only " + hooks, "hooks"},
			{"snaplen-1000", "-snaplen 1000", "snaplen 1000"},
			{"snaplen-65000", "-snaplen 65000", "snaplen 65000"},
		} {
			script += "/files/watch " + r.watch + " /files/acts" + map[string]string{"64": "", "32": "32"}[width] + " " + r.acts + " || exit 1\n"
			r.name = width + "/" + r.name
			runs = append(runs, r)
		}
	}
	result := vm.Try(t, vm.Config{
		Kernel: name, NoDaemon: true, DebugModule: true, Timeout: 4 * time.Minute,
		Files: []string{programs.watch, programs.acts, programs.acts32,
			filepath.Join(kernel.Modules(), "kernel/fs/overlayfs/overlay.ko")},
		Script: script,
	})
	if err := result.Err(); err != nil { // what was told is compared all the same
		t.Errorf("%v", err)
		for _, splat := range result.Splats {
			t.Log(splat.Text)
		}
	}
	if result.ExitCode != 0 {
		t.Fatalf("exit code %d:\n%s", result.ExitCode, tail(result.Act))
	}
	transcripts := parseTranscripts(result.Act)
	if len(transcripts) != len(runs) {
		t.Fatalf("%d runs: the acts did not get far\n%s", len(transcripts), tail(result.Act))
	}
	for i, tr := range transcripts {
		t.Run(runs[i].name, func(t *testing.T) { tr.check(t, runs[i].name[:2]) })
	}
	checkCoverage(t, transcripts)
}

// tail is where a guest's output ends.
func tail(text string) string { return text[max(0, len(text)-4000):] }

// TestRaces lets things go while the module looks at them. The guest fails the
// test if its kernel complains; every event is well-formed and accounted for.
func TestRaces(t *testing.T) {
	if os.Getenv(vm.Enabled) == "" {
		t.Skip("needs a guest: " + vm.Enabled + "=1, or make test-vm")
	}
	programs := build(t)
	result := vm.Run(t, vm.Config{
		Kernel: os.Getenv("FALCO_KERNEL"), NoDaemon: true, DebugModule: true,
		Files:  []string{programs.watch, programs.acts},
		Script: "/files/watch /files/acts race | grep ^S\n",
	})
	var books words
	for _, tr := range parseTranscripts(result.Act) {
		books = tr.books
	}
	count := func(name string) int {
		n, err := strconv.Atoi(books[name])
		if err != nil {
			t.Fatalf("no books; exit code %d:\n%s", result.ExitCode, result.Act)
		}
		return n
	}
	if count("produced") != count("delivered")+count("lost") || count("delivered") < 10000 {
		t.Errorf("the books: %v", books)
	}
	t.Logf("%v", books)
}
