// SPDX-License-Identifier: Apache-2.0

package cost

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/falco-go/falco/tests/vm"
)

// The daemon takes at most aim times the instructions of the module, by family; mostRow is what it may take for any row. A
// small event costs it about 700 whatever it is (ring, decoder, tables, the first check of a rule), and what the module
// adds to one is a third of what the original does: 236 for a getpid, 467 for a dup and a close.
const (
	aim     = 3
	mostRow = 4.5
)

// families are those of pkg/schema/syscalls.tbl.
var families = []struct {
	name string
	rows []string
}{
	{"path", []string{"open+close", "open-enoent", "fstatat"}},
	{"socket", []string{"send+recv"}},
	{"process", []string{"getpid", "fork+exit+wait", "fork+exec+wait"}},
	{"io", []string{"read", "write", "dup+close"}},
}

var (
	shares = regexp.MustCompile(`(?m)^share (rest|hundred) (\d+)$`)
	takes  = regexp.MustCompile(`(?m)^cost daemon (\S+) (\d+)$`)
	alarms = regexp.MustCompile(`(?m)^latency (\d+) (\d+)$`)
)

// TestDaemonCost counts what the daemon adds to the same calls in user space, with the original's stock rules and every
// system call wanted, and what it takes when there is little to do.
func TestDaemonCost(t *testing.T) {
	if os.Getenv(vm.Enabled) == "" {
		t.Skip("needs a guest: " + vm.Enabled + "=1, or make test-vm")
	}
	given := os.Getenv("FALCO_SHARED")
	if given == "" {
		given = filepath.Join("..", "..", "..", "shared")
	}
	rules := filepath.Join(given, "data", "rules", "falco_rules-5.1.0.yaml")
	if _, err := os.Stat(rules); err != nil {
		t.Skip("SKIP 1 cases: FALCO_SHARED not found")
	}
	kept, err := readFigures()
	if err != nil {
		t.Fatal(err)
	}
	_, module, compiler := built(t)
	program, err := vm.BuildC("guest/cost.c", nil)
	if err != nil {
		t.Fatal(err)
	}
	// Calls that no rule names and no table needs are not even asked for.
	all := filepath.Join(t.TempDir(), "all.yaml")
	text := "- rule: all\n  desc: wants every call of the rows\n  condition: evt.type in (getpid, read, write, newfstatat) and proc.name=nobody\n  output: x\n  priority: INFO\n" +
		"- rule: alarm\n  desc: tells of a call that no row has\n  condition: evt.type=mkdir and evt.arg.path=/tmp/alarm\n  output: alarm\n  priority: INFO\n"
	if err := os.WriteFile(all, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	result := vm.Run(t, vm.Config{
		Module: module, CPUs: 1, MemoryMB: 1024, Accel: "tcg", Files: []string{program}, Timeout: 8 * time.Minute, Rules: []string{rules, all},
		FalcoArgs:  []string{"-A", "-o", "file_output.enabled=true", "-o", "file_output.filename=/tmp/alerts"},
		KernelArgs: counting, QEMUArgs: icount,
		Script: `/files/cost daemon $(pidof falco) /tmp/alerts`,
	})
	if result.ExitCode != 0 {
		t.Fatalf("exit code %d:\n%s", result.ExitCode, result.Act)
	}
	counted := map[string]int{}
	for _, m := range takes.FindAllStringSubmatch(result.Act, -1) {
		if counted[m[1]], err = strconv.Atoi(m[2]); err != nil {
			t.Fatal(err)
		}
	}
	found := shares.FindAllStringSubmatch(result.Act, -1)
	if len(found) != 2 {
		t.Fatalf("no shares in\n%s", result.Act)
	}
	added, _ := kept.nearest(compiler)
	fmt.Printf("Instructions that the daemon adds to a system call in user space, with the original's stock rules\n")
	fmt.Printf("%-30s %9s %9s %9s %7s\n", "", "module", "daemon", "ratio", "aim")
	for _, r := range rows[1:] { // the first one is not wanted, and never gets here
		module, daemon := added.adds("all-enter", r.name), counted[r.name]
		ratio := float64(daemon) / float64(module)
		fmt.Printf("%-30s %9d %9d %9.1f\n", r.text, module, daemon, ratio)
		if ratio > mostRow || daemon == 0 {
			t.Errorf("%s: the daemon takes %d instructions, %.1f times those of the module", r.text, daemon, ratio)
		}
	}
	for _, f := range families {
		module, daemon := 0, 0
		for _, name := range f.rows {
			module, daemon = module+added.adds("all-enter", name), daemon+counted[name]
		}
		ratio := float64(daemon) / float64(module)
		fmt.Printf("%-30s %9d %9d %9.2f %7d\n", "family "+f.name, module, daemon, ratio, aim)
		if ratio > aim {
			t.Errorf("family %s: the daemon takes %.2f times the instructions of the module, %d allowed", f.name, ratio, aim)
		}
	}
	if m := alarms.FindStringSubmatch(result.Act); m != nil {
		fmt.Printf("From a call to the line of its alert in a file: %s ns in the median, %s at the most, of a processor that does a billion instructions a second\n", m[1], m[2])
	} else {
		t.Errorf("no alert came:\n%s", result.Act)
	}
	for _, m := range found {
		millionths, err := strconv.Atoi(m[2])
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("%s: %.2f %% of a processor that does a billion instructions a second\n", shareText[m[1]], float64(millionths)/1e4)
		if millionths > mostShare {
			t.Errorf("%s: %d millionths of a processor, %d allowed", shareText[m[1]], millionths, mostShare)
		}
	}
}

// mostShare is in millionths.
const mostShare = 5000

var shareText = map[string]string{"rest": "at rest", "hundred": "at 100 events a second"}
