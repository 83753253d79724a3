// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSelfPid(t *testing.T) {
	if got := selfPid(); got != os.Getpid() {
		t.Errorf("selfPid() = %d, want %d", got, os.Getpid())
	}
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "proc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("4711", filepath.Join(root, "proc/self")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOST_ROOT", root)
	if got := selfPid(); got != 4711 {
		t.Errorf("in a container selfPid() = %d, want the host's 4711", got)
	}
}
