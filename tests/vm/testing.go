// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"os"
	"path/filepath"
	"testing"
)

// Enabled is the environment variable without which tests that boot a guest are skipped.
const Enabled = "FALCO_VM"

// Run boots a guest for a test and gives back what it left. The test fails if the guest, its kernel or its daemon did;
// whether the script did is for the test to judge. It is skipped where nobody asked for guests.
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
	if t.Failed() {
		t.FailNow()
	}
	return result
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
