// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/alert"
	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/container/containerd/containerdtest"
	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/output"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// What the daemon does with containers, from the socket of a runtime to the alert:
// its loop runs, and asks a server that plays containerd.

const asking = `
- rule: Image
  desc: d
  condition: evt.type = execve and container.image.repository = docker.io/library/nginx
  output: "ran %proc.name in %container.image.repository:%container.image.tag (%evt.metadata)"
  priority: NOTICE
- rule: Exec
  desc: d
  condition: evt.type = execve and proc.name = sh
  output: "exec in %container.id: %evt.metadata"
  priority: NOTICE
`

// running is a daemon whose loop runs.
type running struct {
	*testing.T
	*daemon
	src  *script
	sink *channelSink
	log  *safeBuffer
	done chan error

	stall atomic.Int64 // ns that the machine did not run us
}

// channelSink hands on what it gets.
type channelSink struct{ to chan string }

func (s *channelSink) Name() string { return "test" }
func (s *channelSink) Write(_ context.Context, l output.Line) error {
	_, text, _ := strings.Cut(strings.TrimSuffix(string(l.Text), "\n"), ": Notice ")
	s.to <- text
	return nil
}
func (s *channelSink) Reopen() error { return nil }
func (s *channelSink) Close() error  { return nil }

// safeBuffer is written by one goroutine and read by another.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func runAsking(t *testing.T, waitMs int, sockets ...string) *running {
	r := &running{T: t, src: &script{c: make(chan struct{}, 1)}, sink: &channelSink{make(chan string, 1<<16)}, log: &safeBuffer{}, done: make(chan error, 1)}
	cfg := &config.Config{Containers: config.Containers{MaxWaitMs: waitMs, LabelMax: 100}}
	cfg.Containers.Containerd = config.ContainerEngine{Enabled: true, Sockets: sockets}
	cfg.Log.Stderr, cfg.Log.Level = true, config.Debug
	d := &daemon{cfg: cfg, log: newLogger(r.log), stop: make(chan struct{}), mail: make(chan func(), 16)}
	d.log.configure(cfg)
	r.daemon = d
	set := loadSet(t, asking, true)
	q := output.Start(r.sink, output.Options{Style: alert.Style{Location: time.UTC}})
	d.pipe = pipeline{source: r.src, rules: set, counts: make([]uint64, len(set.Rules)), outputs: []*output.Queue{q}, stop: d.stop, mail: d.mail}
	d.deferRules(false)
	d.pipe.state = state.New(state.Options{Ask: askers(func(state.Ask) bool { return true }, d.askContainers())})
	go func() { r.done <- d.pipe.run(time.Second) }()
	t.Cleanup(func() { r.close(); q.Close(time.Minute) })
	return r
}

func (r *running) close() {
	r.end()
	if err := <-r.done; err != nil {
		r.Error(err)
	}
	r.unwind()
	r.done <- nil
	r.unwindOnce()
}

// unwindOnce makes a second close harmless.
func (r *running) unwindOnce() { r.undo = nil }

// do has the loop do something, and returns when it is done.
func (r *running) do(f func(p *pipeline)) {
	done := make(chan struct{})
	r.mail <- func() { f(&r.pipe); close(done) }
	<-done
}

// exec has a new process run something in a container.
func (r *running) exec(tid int64, path, comm string) {
	r.do(func(p *pipeline) {
		ts := uint64(time.Now().UnixNano())
		p.state.Seed(task(tid, "runc"))
		r.src.live = append(r.src.live, eventtest.New(schema.ExecveX).Tid(tid).TS(ts).Set("res", 0).Set("exe", comm).Set("tid", tid).
			Set("pid", tid).Set("comm", comm).Set("cgroups", []string{"cpu=" + path}).Bytes())
	})
}

func (r *running) next() string {
	r.Helper()
	select {
	case text := <-r.sink.to:
		return text
	case <-time.After(20 * time.Second):
		r.Fatalf("no alert; the log:\n%s", r.log)
		return ""
	}
}

func (r *running) until(what string, f func() bool) {
	r.Helper()
	for end := time.Now().Add(20 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			r.Fatalf("waited in vain for %s; the log:\n%s", what, r.log)
		}
	}
}

// up waits until containerd is listened to.
func (r *running) up(s *containerdtest.Server) {
	r.until("containerd", func() bool { return s.Listeners() > 0 && strings.Contains(r.log.String(), "containerd is connected") })
}

func startContainerd(t *testing.T) *containerdtest.Server {
	return containerdtest.New(t, filepath.Join(t.TempDir(), "s"))
}

func nginx(id string) containerdtest.Container {
	return containerdtest.Container{Namespace: "default", ID: id, Image: "docker.io/library/nginx:1.27"}
}

// Containerd takes 50 ms for its answer: the rule on the image matches the very first
// event of the container all the same. The deadline is far away here, so that a slow
// machine changes nothing.
func TestImageOfFirstEvent(t *testing.T) {
	s := startContainerd(t)
	r := runAsking(t, 10_000, s.Path)
	r.up(s)
	s.Silent.Store(true)
	s.Create(nginx("web"))
	r.exec(100, "/default/web", "sh")
	time.AfterFunc(50*time.Millisecond, func() { s.Silent.Store(false) })
	if got := r.next(); got != "ran sh in docker.io/library/nginx:1.27 (known)" {
		t.Errorf("got %q", got)
	}
	if got := r.next(); got != "exec in web: known" {
		t.Errorf("got %q", got)
	}
	r.close()
	if st := r.pipe.later.stats; st.Deferred != 1 || st.Known != 1 {
		t.Errorf("%+v", st)
	}
}

// Containerd takes too long: after the deadline the event is decided with what is
// known, which says so.
func TestAnswerTooLate(t *testing.T) {
	s := startContainerd(t)
	r := runAsking(t, 100, s.Path)
	r.up(s)
	s.Silent.Store(true)
	s.Create(nginx("web"))
	r.exec(100, "/default/web", "sh")
	if got := r.next(); got != "exec in web: pending" {
		t.Errorf("got %q", got)
	}
	s.Silent.Store(false)
	r.until("the answer", func() (known bool) {
		r.do(func(p *pipeline) { known = p.state.Container("web") != nil })
		return known
	})
	r.exec(101, "/default/web", "sh")
	if got := r.next(); got != "ran sh in docker.io/library/nginx:1.27 (known)" {
		t.Errorf("got %q", got)
	}
	r.close()
	if st := r.pipe.later.stats; st.Deferred != 1 || st.Late != 1 || st.Longest < 100*time.Millisecond {
		t.Errorf("%+v", st)
	}
}

// Nobody can be asked: that is decided without any waiting, and said with the reason,
// in alerts and in the log.
func TestRefusedSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false) // as somebody who is killed leaves it
	l.Close()
	r := runAsking(t, 10_000, path)
	r.until("the reason", func() bool { return strings.Contains(r.log.String(), "connection refused; what it knows") })
	r.exec(100, "/default/web", "sh")
	if got := r.next(); !strings.HasPrefix(got, "exec in web: missing: containerd: "+path) || !strings.HasSuffix(got, "connection refused") {
		t.Errorf("got %q", got)
	}

	r = runAsking(t, 10_000, "/nowhere/s")
	r.until("the reason", func() bool { return strings.Contains(r.log.String(), "containerd is absent: nobody listens") })
	r.exec(100, "/default/web", "sh")
	if got := r.next(); got != "exec in web: missing: containerd: nobody listens" {
		t.Errorf("got %q", got)
	}
}

// A namespace of somebody's own is one of containers from the moment on at which
// containerd has told of it.
func TestOwnNamespace(t *testing.T) {
	s := startContainerd(t)
	r := runAsking(t, 10_000, s.Path)
	r.up(s)
	r.exec(99, "/shop/web", "sh")
	if got := r.next(); got != "exec in host: <NA>" {
		t.Errorf("before: %q", got)
	}
	c := nginx("web")
	c.Namespace = "shop"
	s.Create(c)
	r.until("its container", func() (known bool) {
		r.do(func(p *pipeline) { known = p.state.Container("web") != nil })
		return known
	})
	r.exec(100, "/shop/web", "sh")
	if got := r.next(); got != "ran sh in docker.io/library/nginx:1.27 (known)" {
		t.Errorf("got %q", got)
	}
	r.do(func(p *pipeline) {
		if id := p.state.Lookup(99).ContainerID; id != "web" {
			t.Errorf("who was there before is in %q", id)
		}
	})
}
