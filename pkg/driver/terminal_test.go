// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"os"
	"testing"
)

// The master of a pseudo terminal is one; a file and a device are not.
func TestTerminalWidth(t *testing.T) {
	for name, want := range map[string]bool{os.DevNull: false, t.TempDir(): false, "/dev/ptmx": true} {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := TerminalWidth(f); ok != want {
			t.Errorf("%s: %v, want %v", name, ok, want)
		}
		f.Close()
	}
}
