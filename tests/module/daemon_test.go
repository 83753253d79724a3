// SPDX-License-Identifier: Apache-2.0

package module

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/falco-go/falco/tests/vm"
)

// TestRealpath lets the daemon ask for paths, because a rule reads them.
func TestRealpath(t *testing.T) {
	result := vm.Run(t, vm.Config{
		Rules: []string{"testdata/paths.yaml"},
		Script: `echo secret >/tmp/honest
			ln -s /etc/passwd /tmp/innocent
			cat /tmp/innocent /tmp/honest >/dev/null
			cat /proc/self/root/tmp/honest >/dev/null
			mkdir /tmp/dir
			ln -s / /tmp/dir/up
			cat /tmp/dir/up/etc/passwd >/dev/null
`,
	})
	got := map[string]int{}
	for _, a := range result.Alerts {
		text := a.Output
		if i := strings.Index(text, "opened name="); i >= 0 {
			text, _, _ = strings.Cut(text[i:], " container_")
		}
		got[a.Rule+": "+strings.TrimSpace(text)]++
	}
	for _, want := range []string{
		"Opened under another name: opened name=/tmp/innocent path=/etc/passwd",
		"Opened under another name: opened name=/tmp/dir/up/etc/passwd path=/etc/passwd",
		"Opened under its own name: opened name=/tmp/honest path=/tmp/honest",
	} {
		if got[want] == 0 {
			t.Errorf("no alert %q", want)
		}
		delete(got, want)
	}
	for other := range got {
		t.Errorf("alert %q", other)
	}
}

// TestOlderModule has a daemon meet a module that cannot tell of one thread of a group that it leaves out: the daemon says
// what it cannot do therefore, and sees everything else.
func TestOlderModule(t *testing.T) {
	if os.Getenv(vm.Enabled) == "" {
		t.Skip("needs a guest: " + vm.Enabled + "=1, or make test-vm")
	}
	const kernel = "6.1" // which this machine's compiler has built
	result := vm.Run(t, vm.Config{
		Kernel: kernel, Module: olderModule(t, kernel), Rules: []string{"testdata/paths.yaml"},
		Script: `echo secret >/tmp/honest
			cat /tmp/honest >/dev/null
`,
	})
	if n := strings.Count(result.Log, "no canary: "); n != 1 || !strings.Contains(result.Log, "no canary: the module is older than this daemon") ||
		!strings.Contains(result.Log, "that nothing is seen any more would not be noticed") {
		t.Errorf("what is missing is told %d times:\n%s", n, result.Log)
	}
	if n := result.Rules()["Opened under its own name"]; n == 0 {
		t.Errorf("nothing else is seen:\n%s", result.Log)
	}
	if l := result.Ledger; l.Lost != 0 || l.Produced == 0 || l.Produced != l.Delivered {
		t.Errorf("the ledger: %+v", l)
	}
}

// olderModule refuses what was a reserved word of the filter once.
func olderModule(t *testing.T, name string) string {
	t.Helper()
	kernel, err := vm.GetKernel(name, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(t.TempDir(), "driver")
	if err := os.CopyFS(source, os.DirFS("../../driver")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(source, "gate.c")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const was = "if (filter->flags & ~known)"
	if strings.Count(string(text), was) != 1 {
		t.Fatalf("gate.c: not one %q", was)
	}
	older := strings.Replace(string(text), was, "if ((filter->flags & ~known) || filter->heard_tid)", 1)
	if err := os.WriteFile(path, []byte(older), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("make", "-C", source, "-j2", "KDIR="+kernel.Build(), "CC=gcc-12", "module")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return filepath.Join(source, "falco.ko")
}
