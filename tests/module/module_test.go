// SPDX-License-Identifier: Apache-2.0

// Package module runs the checks of guest/ in the guests of tests/vm.
package module

import (
	"os"
	"strings"
	"testing"

	"github.com/falco-go/falco/tests/vm"
)

// kernels are those of TestModule; FALCO_LONG adds the rest, FALCO_KERNEL names another.
func kernels() []string {
	switch {
	case os.Getenv("FALCO_KERNEL") != "":
		return []string{os.Getenv("FALCO_KERNEL")}
	case os.Getenv("FALCO_LONG") != "":
		return []string{"5.10", "6.1", "6.1-generic", "6.12", "7"}
	}
	return []string{vm.DefaultKernel}
}

// TestModule is one subtest a check, on each kernel.
func TestModule(t *testing.T) {
	for _, kernel := range kernels() {
		t.Run(kernel, func(t *testing.T) { checks(t, kernel) })
	}
}

// checks are run one guest after the other; FALCO_CHECK names some of them.
func checks(t *testing.T, kernel string) {
	if os.Getenv(vm.Enabled) == "" {
		t.Skip("needs a guest: " + vm.Enabled + "=1, or make test-vm")
	}
	guest, err := vm.BuildGo("./tests/module/guest", "guest", nil)
	if err != nil {
		t.Fatal(err)
	}
	deeds, err := vm.BuildC("deeds/deeds.c", nil)
	if err != nil {
		t.Fatal(err)
	}
	result := vm.Run(t, vm.Config{
		Kernel: kernel, NoDaemon: true, DebugModule: true,
		KernelArgs: []string{"syscall.x32=y"}, // where it is built, it is off
		Files:      []string{guest, deeds},
		Script:     "exec /files/guest " + os.Getenv("FALCO_CHECK") + "\n",
	})
	judge(t, result.Act)
	if kernel == withX32 && os.Getenv("FALCO_CHECK") == "" && !strings.Contains(result.Act, "x32 is there: true") {
		t.Errorf("no x32 call came through:\n%s", result.Act)
	}
}

// withX32 is the kernel that has the interface; on the others the calls fail, and that is told.
const withX32 = "6.1-generic"

// judge makes subtests of what guest printed.
func judge(t *testing.T, text string) {
	t.Helper()
	lines := strings.Split(text, "\n")
	n, ended := 0, false
	for i, line := range lines {
		word, name, _ := strings.Cut(line, " ")
		switch word {
		case "ok", "FAIL":
			n++
			var why []string
			for _, l := range lines[i+1:] {
				if !strings.HasPrefix(l, "\t") {
					break
				}
				why = append(why, l)
			}
			t.Run(name, func(t *testing.T) {
				if word != "ok" {
					t.Error(strings.Join(why, "\n"))
				}
			})
		case "end":
			ended = true
		}
	}
	if !ended || n == 0 {
		t.Errorf("%d checks, and then:\n%s", n, text)
	}
}
