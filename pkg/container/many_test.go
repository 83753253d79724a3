// SPDX-License-Identifier: Apache-2.0

package container_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/container"
	"github.com/falco-go/falco/pkg/container/containertest"
)

// sockets are files, each with an engine behind it.
type sockets struct {
	*testing.T
	root    string
	mu      sync.Mutex
	engines map[string]*containertest.Engine
	many    *container.Many
}

func newSockets(t *testing.T, patterns ...string) *sockets {
	s := &sockets{T: t, root: t.TempDir(), engines: map[string]*containertest.Engine{}}
	for i := range patterns {
		patterns[i] = filepath.Join(s.root, patterns[i])
	}
	s.many = container.NewMany("many", patterns, func(socket string) container.Engine { return s.engine(socket) })
	return s
}

func (s *sockets) engine(path string) *containertest.Engine {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.engines[path]
	if e == nil {
		e = containertest.New(path)
		s.engines[path] = e
	}
	return e
}

// serve makes a socket, and returns the engine behind it.
func (s *sockets) serve(path string) *containertest.Engine {
	path = filepath.Join(s.root, path)
	e := s.engine(path)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		s.Fatal(err)
	}
	return e
}

// Several runtimes of a kind are one engine, and one that breaks does not take the
// others along.
func TestMany(t *testing.T) {
	s := newSockets(t, "run/a.sock", "run/b.sock", "var/*.sock")
	a, b := s.serve("run/a.sock"), s.serve("run/b.sock")
	if err := os.MkdirAll(filepath.Join(s.root, "var"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(s.root, "run/a.sock"), filepath.Join(s.root, "var/same.sock")); err != nil {
		t.Fatal(err)
	}
	a.Put(info(1), false)
	b.Put(info(2), false)
	r := resolve(t, fast, s.many)
	names := map[string]bool{}
	for range 2 {
		names[r.next().Info.Name] = true
	}
	if !names["c1"] || !names["c2"] {
		t.Errorf("told of %v", names)
	}
	up(t, a)
	up(t, b)
	b.Put(info(3), true)
	r.Ask(match(3))
	if c := r.next(); c.Info.Name != "c3" {
		t.Errorf("asked for: %+v", c.Info)
	}
	a.Break(errors.New("gone"))
	until(t, "its end", func() bool { _, n, _ := a.Counts(); return n == 0 })
	b.Put(info(4), true)
	r.Ask(match(4))
	if c := r.next(); c.Info.Name != "c4" {
		t.Errorf("asked for while another is down: %+v", c.Info)
	}
	a.Mend()
	for c := r.next(); c.Info.Name != "c1"; c = r.next() { // it tells again
	}
	if _, n, times := a.Counts(); n != 1 || times != 2 {
		t.Errorf("%d watch, %d times", n, times)
	}
	if len(s.engines) != 2 {
		t.Errorf("%d sockets, of which one has two names", len(s.engines))
	}
	a.Break(errors.New("gone"))
	b.Break(errors.New("gone as well"))
	until(t, "the reason", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.reports) > 1 })
}

// Where there is no socket there is nobody, until one comes.
func TestManyNobody(t *testing.T) {
	s := newSockets(t, "run/*.sock", "run/[")
	if err := s.many.Watch(t.Context(), func(container.Change) {}); !errors.Is(err, container.ErrNobody) {
		t.Error(err)
	}
	if _, err := s.many.Get(t.Context(), match(1)); !errors.Is(err, container.ErrDown) {
		t.Error(err)
	}
	r := resolve(t, fast, s.many)
	s.serve("run/late.sock").Put(info(5), false)
	if c := r.next(); c.Info.Name != "c5" {
		t.Errorf("got %+v", c.Info)
	}
	s.serve("run/[").Put(info(6), false)
}

// What a user's own runtime says counts for containers in the user's cgroups alone.
func TestManyUsers(t *testing.T) {
	s := newSockets(t, "run/podman.sock", "run/user/*/podman.sock")
	root, alice, bob := s.serve("run/podman.sock"), s.serve("run/user/1000/podman.sock"), s.serve("run/user/1001/podman.sock")
	forged := info(1)
	forged.Name = "harmless"
	alice.Put(forged, false) // of root
	alice.Put(info(2), false)
	bob.Put(info(3), false)
	r := resolve(t, fast, s.many)
	up(t, root)
	up(t, alice)
	up(t, bob)
	alice.Put(info(4), false)
	root.Put(info(1), false)
	if c := r.next(); c.What != container.Known || c.Info.Name != "c1" {
		t.Errorf("told unasked: %+v", c)
	}
	alice.Delete(id(1))
	of := func(n int, user string) container.Match {
		m := match(n)
		m.User = user
		return m
	}
	r.Ask(of(2, "1000"))
	if c := r.next(); c.What != container.Known || c.Info.Name != "c2" {
		t.Errorf("alice's own: %+v", c)
	}
	if _, err := s.many.Get(t.Context(), of(3, "1000")); !errors.Is(err, container.ErrNotFound) {
		t.Errorf("bob's, asked of alice: %v", err)
	}
	if _, err := s.many.Get(t.Context(), of(4, "")); !errors.Is(err, container.ErrNotFound) {
		t.Errorf("a container of nobody's, asked of alice: %v", err)
	}

	// One of them who says nothing costs little, and root's nothing.
	speak := alice.Silence()
	defer speak()
	root.Put(info(7), true)
	for _, m := range []container.Match{of(8, "1000"), of(8, "1000"), of(7, "1000"), of(7, "")} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		i, err := s.many.Get(ctx, m)
		if ctx.Err() != nil || m.ID == match(7).ID && i == nil || m.ID == match(8).ID && err == nil {
			t.Errorf("%s of %q: %+v, %v", m.ID, m.User, i, err)
		}
		cancel()
	}
	if gets, _, _ := alice.Counts(); gets > 3 { // 2 above
		t.Errorf("alice was asked %d times", gets)
	}
}
