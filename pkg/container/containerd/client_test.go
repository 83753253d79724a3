// SPDX-License-Identifier: Apache-2.0

package containerd_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/container"
	"github.com/falco-go/falco/pkg/container/containerd"
	"github.com/falco-go/falco/pkg/container/containerd/containerdtest"
)

const (
	web = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	pod = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
)

// watched is an engine with a Watch that runs.
type watched struct {
	*testing.T
	*containerd.Engine
	changes chan container.Change
	ended   chan error
	stop    context.CancelFunc
}

func watch(t *testing.T, sockets ...string) *watched {
	ctx, stop := context.WithCancel(context.Background())
	w := &watched{t, containerd.New(sockets), make(chan container.Change, 1000), make(chan error, 1), stop}
	go func() { w.ended <- w.Watch(ctx, func(c container.Change) { w.changes <- c }) }()
	t.Cleanup(func() { stop(); <-w.ended; close(w.ended) })
	return w
}

// next returns the next change.
func (w *watched) next(what container.What) *container.Info {
	w.Helper()
	select {
	case c := <-w.changes:
		if c.What != what {
			w.Fatalf("got %d of %+v, want %d", c.What, c.Info, what)
		}
		return c.Info
	case err := <-w.ended:
		w.ended <- err
		w.Fatalf("the watch has ended: %v", err)
	case <-time.After(20 * time.Second):
		w.Fatal("nothing is told")
	}
	return nil
}

// What had no time to be read is not told as if there were nothing, and is read again.
func TestReadAgain(t *testing.T) {
	s := containerdtest.New(t, filepath.Join(t.TempDir(), "s"))
	s.Image("default", "img:1", "sha256:aa", "sha256:bb")
	w := watch(t, s.Path)
	w.ready(s)
	s.Slow.Store(true)
	s.Create(containerdtest.Container{Namespace: "default", ID: web, Image: "img:1"})
	if i := w.next(container.Known); !i.Partial || i.Image != "img:1" || i.ImageDigest != "" {
		t.Errorf("in a hurry: %+v", i)
	}
	s.Slow.Store(false)
	if i := w.next(container.Known); i.Partial || i.ImageDigest != "sha256:aa" || i.ImageID != "bb" {
		t.Errorf("with time: %+v", i)
	}
}

// ready waits until everything that happens from now on is told.
func (w *watched) ready(s *containerdtest.Server) {
	w.Helper()
	w.next(container.Ready)
	for end := time.Now().Add(20 * time.Second); s.Listeners() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			w.Fatal("nobody listens to events")
		}
	}
}

func (w *watched) end() error {
	w.Helper()
	select {
	case err := <-w.ended:
		w.ended <- err
		return err
	case <-time.After(20 * time.Second):
		w.Fatal("the watch goes on")
		return nil
	}
}

func socket(t *testing.T) string { return filepath.Join(t.TempDir(), "s") }

func TestWatch(t *testing.T) {
	s := containerdtest.New(t, socket(t))
	s.Create(containerdtest.Container{Namespace: "default", ID: "early", Image: "docker.io/library/redis:7"})
	s.Image("default", "docker.io/library/redis:7", "sha256:manifest", "sha256:conf")
	w := watch(t, "/nowhere/s", s.Path)
	if i := w.next(container.Known); i.ID != "early" || i.ImageTag != "7" || i.ImageID != "conf" || i.ImageDigest != "sha256:manifest" {
		t.Errorf("was there: %+v", i)
	}
	w.ready(s)

	// A pod whose sandbox only the store knows, and a container in it, in a namespace
	// that was not there before.
	s.Sandbox("k8s.io", pod, json.RawMessage(`{"Metadata":{"ID":"`+pod+`","IP":"10.1.2.3","Config":{"metadata":{"name":"p","namespace":"n","uid":"u"}}}}`))
	s.Create(containerdtest.Container{Namespace: "k8s.io", ID: web, Extensions: map[string]any{
		"io.cri-containerd.container.metadata": json.RawMessage(`{"Metadata":{"SandboxID":"` + pod + `","Config":{"metadata":{"name":"c"}}}}`)}})
	if i := w.next(container.Known); i.Name != "c" || i.PodName() != "p" || i.PodNamespace() != "n" || i.IP != "10.1.2.3" || i.SandboxID() != pod {
		t.Errorf("created: %+v", i)
	}
	i, err := w.Get(t.Context(), container.Match{ID: web[:12], FullID: web})
	if err != nil || i.Name != "c" {
		t.Errorf("asked for: %+v, %v", i, err)
	}
	if i, err := w.Get(t.Context(), container.Match{FullID: pod}); !errors.Is(err, container.ErrNotFound) {
		t.Errorf("nobody knows it: %+v, %v", i, err)
	}
	s.Delete("k8s.io", web)
	if i := w.next(container.Gone); i.ID != web[:12] || i.FullID != web {
		t.Errorf("deleted: %+v", i)
	}
	s.Kill()
	if err := w.end(); err == nil {
		t.Error("it was killed, and nothing is wrong")
	}
	if _, err := w.Get(t.Context(), container.Match{FullID: web}); !errors.Is(err, container.ErrDown) {
		t.Errorf("asked then: %v", err)
	}
}

func TestNobodyThere(t *testing.T) {
	if err := watch(t, "/nowhere/s").end(); !errors.Is(err, container.ErrNobody) {
		t.Error(err)
	}
	file := socket(t)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := watch(t, file).end(); err == nil || errors.Is(err, container.ErrNobody) {
		t.Errorf("a file: %v", err)
	}
	left := socket(t) // by somebody who was killed
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: left, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if err := watch(t, left).end(); err == nil || errors.Is(err, container.ErrNobody) {
		t.Errorf("a dead socket: %v", err)
	}
}

// One that takes connections and says nothing costs no more than the deadline.
func TestSilentSocket(t *testing.T) {
	path := socket(t)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := watch(t, path).end(); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestNonsense(t *testing.T) {
	s := containerdtest.New(t, socket(t))
	s.Nonsense.Store(true)
	w := watch(t, s.Path)
	if i := w.next(container.Known); i.ID != "x" {
		t.Errorf("got %+v", i)
	}
	w.ready(s)
	if i, err := w.Get(t.Context(), container.Match{FullID: web}); err == nil {
		t.Errorf("asked for: %+v", i)
	}
	s.Create(containerdtest.Container{Namespace: "default", ID: "", Image: "x"})
	s.Nonsense.Store(false)
	s.Create(containerdtest.Container{Namespace: "default", ID: "real"})
	if i := w.next(container.Known); i.ID != "real" {
		t.Errorf("after that: %+v", i)
	}
}

// While it is silent a question ends by its deadline, and later ones are answered.
func TestSilence(t *testing.T) {
	s := containerdtest.New(t, socket(t))
	w := watch(t, s.Path)
	w.ready(s)
	s.Create(containerdtest.Container{Namespace: "default", ID: "a"})
	w.next(container.Known)
	s.Silent.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := w.Get(ctx, container.Match{FullID: "a"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	s.Silent.Store(false)
	if _, err := w.Get(t.Context(), container.Match{FullID: "a"}); err != nil {
		t.Error(err)
	}
}
