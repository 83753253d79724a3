// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/falco-go/falco/pkg/state"
)

// A file that names users is replaced, as programs do it: the tables learn of it.
func TestWatchUsers(t *testing.T) {
	root := t.TempDir()
	t.Setenv("HOST_ROOT", root)
	etc := filepath.Join(root, "etc")
	if err := os.Mkdir(etc, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(line string) {
		tmp := filepath.Join(etc, "passwd+")
		if err := os.WriteFile(tmp, []byte(line), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(tmp, filepath.Join(etc, "passwd")); err != nil {
			t.Fatal(err)
		}
	}
	d := &daemon{stop: make(chan struct{}), mail: make(chan func())}
	defer close(d.stop)
	d.pipe.state = state.New(state.Options{})
	name := func() string { u, _ := d.pipe.state.User(nil, 7); return u.Name }

	write("ann:x:7:7::/:/bin/sh\n")
	d.watchUsers()
	if name() != "ann" {
		t.Errorf("at start user 7 is %q", name())
	}
	write("bob:x:7:7::/:/bin/sh\n")
	(<-d.mail)()
	if name() != "bob" {
		t.Errorf("user 7 is still %q", name())
	}
}
