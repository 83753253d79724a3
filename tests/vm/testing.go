// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Enabled is the environment variable without which tests that boot a guest are skipped.
const Enabled = "FALCO_VM"

// Run boots a guest for a test and gives back what it left. The test fails if the guest, its kernel or its daemon did, or if
// the daemon's books do not balance; whether the script failed is for the test to judge. It is skipped where nobody asked for guests.
func Run(t testing.TB, config Config) *Result {
	t.Helper()
	result := Try(t, config)
	if err := result.Err(); err != nil {
		t.Errorf("%v", err)
		for _, splat := range result.Splats {
			t.Log(splat.Text)
		}
		t.Logf("console:\n%s", tail(result.Console, 40))
	}
	if !config.NoDaemon && !result.Ready {
		t.Fatalf("falco was not ready:\n%s", tail(result.Log, 40))
	}
	if err := result.unbalanced(); err != nil {
		t.Errorf("%v:\n%s", err, tail(result.Log+result.Sums, 20))
	}
	if t.Failed() {
		t.FailNow()
	}
	return result
}

// Tool returns the path of a command that a test compares with, from a package of Debian's that is installed if it is
// missing. Root, who could install it, has the test fail where that goes wrong; others skip it. Both say why.
func Tool(t testing.TB, command, pkg string) string {
	t.Helper()
	if err := needTools([]tool{{command, pkg}}, nil); err != nil {
		why := strings.ReplaceAll(err.Error(), "\n", "; ")
		if os.Geteuid() == 0 {
			t.Fatalf("no %s: %s", command, why)
		}
		t.Skipf("SKIP 1 cases: no %s: %s", command, why)
	}
	path, err := exec.LookPath(command)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Try is Run for tests in which a guest may fail.
func Try(t testing.TB, config Config) *Result {
	t.Helper()
	if os.Getenv(Enabled) == "" {
		t.Skip("needs a guest: " + Enabled + "=1, or make test-vm")
	}
	guest, err := Prepare(config)
	if err != nil {
		t.Fatal(err)
	}
	result, err := guest.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if dir := os.Getenv("FALCO_VM_OUT"); dir != "" {
		if err := result.Save(filepath.Join(dir, t.Name())); err != nil {
			t.Error(err)
		}
	}
	return result
}

// RequireDebian skips a test that boots a whole Debian where it cannot: without FALCO_VM=1 as every guest, and for anybody
// but root, since files of a root file system belong to many users.
func RequireDebian(t testing.TB) {
	t.Helper()
	if os.Getenv(Enabled) == "" {
		t.Skip("needs a guest: " + Enabled + "=1, or make test-vm")
	}
	if os.Geteuid() != 0 {
		t.Skipf("SKIP 1 cases: %v", ErrNotRoot)
	}
}
