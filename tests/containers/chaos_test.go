// SPDX-License-Identifier: Apache-2.0

// Package containers tests what is known of containers.
//
//	chaos_test.go   against a runtime of ours that behaves badly
//	real_test.go    against the containerd of this machine
//	guest_test.go   in a Debian of its own, with module and daemon; what those have in common:
//	ctr_test.go       containers by ctr, in all namespaces and cgroup layouts
//	cri_test.go       pods over the CRI, made by guest/, with Debian's network plugins
//	docker_test.go    docker.io and podman
//	storm_test.go     a hundred in a row; containerd killed twenty times
//	image_test.go   the images, made here
//
// Guests need FALCO_VM=1; of them only TestGuestContainers is not FALCO_LONG=1.
package containers

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/container"
	"github.com/falco-go/falco/pkg/container/containerd"
	"github.com/falco-go/falco/pkg/container/containerd/containerdtest"
	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// loop is as much of the daemon's as this needs: tables that one goroutine owns, and
// a resolver that tells it what became known.
type loop struct {
	*testing.T
	st    *state.State
	r     *container.Resolver
	mail  chan []container.Change
	quit  chan struct{}
	ts    uint64
	ended map[string]bool
}

func newLoop(t *testing.T, engines ...container.Engine) *loop {
	l := &loop{T: t, mail: make(chan []container.Change), quit: make(chan struct{}), ts: 1e18, ended: map[string]bool{}}
	l.r = container.Start(container.Options{Engines: engines, Times: container.Times{Give: 3 * time.Second}, Tell: func(all []container.Change) {
		select {
		case l.mail <- all:
		case <-l.quit:
		}
	}})
	l.st = state.New(state.Options{Ask: func(a state.Ask) bool { return a.Kind != state.AskRuntime || l.r.Ask(a.Match) }})
	return l
}

func (l *loop) close() {
	close(l.quit)
	l.r.Close()
}

func (l *loop) take(all []container.Change) {
	for _, c := range all {
		switch c.What {
		case container.Known:
			l.st.PutContainer(c.Info)
		case container.Failed:
			l.st.FailContainer(c.Info.ID, c.Why)
		case container.Gone:
			l.ended[c.Info.FullID] = true
		}
	}
}

// turn takes in what is there.
func (l *loop) turn() {
	for {
		select {
		case all := <-l.mail:
			l.take(all)
		default:
			return
		}
	}
}

// until turns until f is true.
func (l *loop) until(what string, f func() bool) {
	l.Helper()
	for end := time.Now().Add(time.Minute); !f(); {
		if time.Now().After(end) {
			l.Fatalf("waited in vain for %s; %+v", what, l.r.Stats())
		}
		select {
		case all := <-l.mail:
			l.take(all)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// seen lets a process be seen in the control group of a container.
func (l *loop) seen(tid int64, id string) {
	l.ts += 1e6
	ev := eventtest.New(schema.ExecveX).Tid(tid).TS(l.ts).Set("res", 0).Set("exe", "x").Set("tid", tid).Set("pid", tid).
		Set("comm", "x").Set("cgroups", []string{"cpu=/docker/" + id}).Event()
	l.st.Apply(ev)
	l.st.Settle()
}

func id(n int) string { return fmt.Sprintf("%012x%052x", n+1, n) }

// after runs f in a while, and counts it.
func after(wait *sync.WaitGroup, d time.Duration, f func()) {
	wait.Add(1)
	time.AfterFunc(d, func() { defer wait.Done(); f() })
}

// heap returns the bytes that are in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Containers that live for 50 ms, a thousand a minute (faster in the short form), of a
// containerd that is killed and started again twenty times, falls silent, and talks
// nonsense in between. When it has calmed down all that live are known, nothing runs
// that did not before, and nothing is kept that grows with the number of containers.
func TestStorm(t *testing.T) {
	storm, pause := 400, 10*time.Millisecond
	if os.Getenv("FALCO_LONG") != "" {
		storm, pause = 3000, 60*time.Millisecond
	}
	goroutines := runtime.NumGoroutine()
	s := containerdtest.New(t, filepath.Join(t.TempDir(), "s"))
	l := newLoop(t, containerd.New([]string{s.Path}))
	listens := func() bool { return s.Listeners() == 1 }
	l.until("a listener", listens)

	const restarts = 20
	var wait sync.WaitGroup
	before := heap()
	for n := range storm {
		s.Create(containerdtest.Container{Namespace: "moby", ID: id(n), Spec: map[string]any{"linux": map[string]any{}}})
		after(&wait, 50*time.Millisecond, func() { s.Delete("moby", id(n)) })
		l.turn()
		l.seen(int64(1000+n%50), id(n))
		switch n % (storm / restarts) {
		case 3:
			s.Kill()
			after(&wait, 30*time.Millisecond, func() { s.Start(t) })
		case 9:
			s.Silent.Store(true)
			after(&wait, 40*time.Millisecond, func() { s.Silent.Store(false) })
		case 14:
			s.Nonsense.Store(true)
			after(&wait, 20*time.Millisecond, func() { s.Nonsense.Store(false) })
		}
		time.Sleep(pause)
	}
	done := make(chan struct{})
	go func() { wait.Wait(); close(done) }()
	l.until("the storm's end", func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	})
	for n := range 100 {
		s.Create(containerdtest.Container{Namespace: "default", ID: id(storm + n)})
		l.seen(int64(2000+n), id(storm+n))
	}
	l.until("a listener again", listens)
	known := 0
	l.until("all that live", func() bool {
		known = 0
		for n := range 100 {
			if l.st.Lookup(int64(2000+n)).Container().Info() != nil {
				known++
			}
		}
		return known == 100
	})
	during := 0
	for n := range storm {
		if l.st.Container(id(n)[:12]) != nil {
			during++
		}
	}
	l.until("the last questions", func() bool { return l.r.Stats().Waiting == 0 })
	grown := int64(heap()) - int64(before)
	stats := l.r.Stats()
	t.Logf("%d of %d short ones were known, %d bytes more on the heap, %+v", during, storm, grown, stats)
	if stats.Lost != 0 {
		t.Errorf("lost %d", stats.Lost)
	}
	if limit := int64(4<<20 + storm*4096); grown > limit { // records of those that were known are kept for a while
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	l.close()
	s.Kill()
	for end := time.Now().Add(20 * time.Second); runtime.NumGoroutine() > goroutines; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			stack := make([]byte, 1<<16)
			t.Fatalf("%d goroutines were there, %d are\n%s", goroutines, runtime.NumGoroutine(), stack[:runtime.Stack(stack, true)])
		}
	}
}

// While containerd is well, each container is known before anybody is seen in it.
func TestKnownBeforeTheFirstExec(t *testing.T) {
	s := containerdtest.New(t, filepath.Join(t.TempDir(), "s"))
	l := newLoop(t, containerd.New([]string{s.Path}))
	defer l.close()
	l.until("a listener", func() bool { return s.Listeners() == 1 })
	for n := range 200 {
		s.Create(containerdtest.Container{Namespace: "default", ID: id(n)})
		l.until("what it tells", func() bool { return l.st.Container(id(n)[:12]) != nil })
		l.seen(1000, id(n))
		s.Delete("default", id(n))
	}
	if asked := l.r.Stats().Asked; asked != 0 {
		t.Errorf("asked for %d that were known", asked)
	}
	l.until("the last end", func() bool { return len(l.ended) == 200 })
}
