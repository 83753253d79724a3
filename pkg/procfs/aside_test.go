// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
)

func TestWhole(t *testing.T) {
	fs := fixture(t).Apart()
	k, err := fs.Whole(100)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[int64]Kind{}
	for _, fd := range k.FDs {
		kinds[fd.Num] = fd.Kind
	}
	if kinds[3] != Inet || kinds[6] != Unix || kinds[7] != Netlink || kinds[8] != Other {
		t.Errorf("sockets: %v", kinds)
	}
	before := fs.Calls()
	fds, err := fs.Sockets(100)
	if err != nil || len(fds) != 5 {
		t.Fatalf("%d sockets, %v: %+v", len(fds), err, fds)
	}
	if n := fs.Calls() - before; n > 30 {
		t.Errorf("%d calls, though the tables are a moment old", n)
	}
}

// Live: what this process has open.
func TestSocketsLive(t *testing.T) {
	fs, err := New("/proc")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fds, err := fs.Apart().Sockets(int64(os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if fd.Kind == Unix && fd.Name == l.Addr().String() {
			return
		}
	}
	t.Errorf("the listening socket is not among %+v", fds)
}

// Users of a container, whose files may be anything.
func TestUsers(t *testing.T) {
	dir := t.TempDir()
	fs, err := New("/proc")
	if err != nil {
		t.Fatal(err)
	}
	fs.mount = filepath.Join(dir, "proc")
	make := func(name, text string) {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	link := func(to, name string) {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		os.Remove(name)
		if err := os.Symlink(to, name); err != nil {
			t.Fatal(err)
		}
	}
	make("host/etc/passwd", "host")
	make("pod/etc/passwd", "pod")
	make("secret", "secret")
	link(filepath.Join(dir, "host"), "proc/1/root")
	link(filepath.Join(dir, "pod"), "proc/7/root")
	link(filepath.Join(dir, "host"), "proc/8/root")

	if p, g, err := fs.Users(7); string(p) != "pod" || g != nil || err != nil {
		t.Errorf("%q %q %v", p, g, err)
	}
	if _, _, err := fs.Users(8); !errors.Is(err, ErrHostRoot) {
		t.Errorf("a process of the host: %v", err)
	}
	if _, _, err := fs.Users(9); err == nil {
		t.Error("a process that is not there has users")
	}
	for _, to := range []string{filepath.Join(dir, "secret"), "../../secret", "/proc/self/environ"} {
		link(to, "pod/etc/passwd")
		if p, _, err := fs.Users(7); len(p) > 0 || err != nil {
			t.Errorf("a link to %s leads to %q, %v", to, p, err)
		}
	}
	make("pod/usr/users", "inside")
	link("/usr/users", "pod/etc/passwd")
	if p, _, _ := fs.Users(7); string(p) != "inside" {
		t.Errorf("a link that stays inside leads to %q", p)
	}
}

func TestWatchFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "etc")
	if _, err := WatchFolder(dir); err == nil {
		t.Error("what is not there is watched")
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	w, err := WatchFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for i := range 100 {
		if err := os.WriteFile(filepath.Join(dir, "passwd"), []byte{byte(i)}, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	<-w.C
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for range w.C { // ends with the folder
	}
	new(FolderWatch).Close()
}
