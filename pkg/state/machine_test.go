// SPDX-License-Identifier: Apache-2.0

package state

import (
	"os"
	"path/filepath"
	"testing"
)

func TestUserFiles(t *testing.T) {
	root := t.TempDir()
	etc := filepath.Join(root, "etc")
	if err := os.Mkdir(etc, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(etc, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	u := NewUserFiles(root)
	write("passwd", "a")
	if p, g, ok := u.Read(); !ok || string(p) != "a" || g != nil {
		t.Errorf("first: %q %q %v", p, g, ok)
	}
	if _, _, ok := u.Read(); ok {
		t.Error("changed by itself")
	}
	write("group", "g")
	if p, g, ok := u.Read(); !ok || string(p) != "a" || string(g) != "g" {
		t.Errorf("with group: %q %q %v", p, g, ok)
	}
	write("passwd", "longer")
	if p, _, ok := u.Read(); !ok || string(p) != "longer" {
		t.Errorf("changed: %q %v", p, ok)
	}
}

func TestThisMachine(t *testing.T) {
	t.Setenv("FALCO_HOSTNAME", "elsewhere")
	m, err := ThisMachine("/host", 7)
	if err != nil {
		t.Fatal(err)
	}
	if m.Hostname != "elsewhere" || m.BootTime != 7 || m.HostRoot != "/host" || m.SelfPid != int64(os.Getpid()) {
		t.Errorf("%+v", m)
	}
	for _, p := range m.Addrs {
		if !p.IsValid() || p.Addr() != p.Addr().Unmap() {
			t.Errorf("address %v", p)
		}
	}
	if len(m.Addrs) > 0 && !New(Options{Machine: m}).IsLocal(nil, m.Addrs[0].Addr()) {
		t.Errorf("%v is not local", m.Addrs[0])
	}
}
