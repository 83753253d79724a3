// SPDX-License-Identifier: Apache-2.0

package container_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/container"
	"github.com/falco-go/falco/pkg/container/containertest"
)

// fast keeps the plan's form in a small fraction of its time.
var fast = container.Times{Call: 40 * time.Millisecond, Step: time.Millisecond, Slow: 5 * time.Millisecond, Slower: 20 * time.Millisecond,
	Give: 200 * time.Millisecond, Again: 2 * time.Millisecond, Rarely: 20 * time.Millisecond}

// resolving is a resolver and what it has told.
type resolving struct {
	*testing.T
	*container.Resolver
	changes chan container.Change

	mu      sync.Mutex
	reports []string
}

func resolve(t *testing.T, times container.Times, engines ...container.Engine) *resolving {
	r := &resolving{T: t, changes: make(chan container.Change, 10000)}
	r.Resolver = container.Start(container.Options{Engines: engines, Times: times,
		Tell: func(all []container.Change) {
			for _, c := range all {
				r.changes <- c
			}
		},
		Report: func(name string, why error) {
			r.mu.Lock()
			r.reports = append(r.reports, fmt.Sprint(name, ": ", why))
			r.mu.Unlock()
		}})
	t.Cleanup(r.Close)
	return r
}

// next returns the next change but those that say that an engine is ready.
func (r *resolving) next() container.Change {
	r.Helper()
	for {
		select {
		case c := <-r.changes:
			if c.What != container.Ready {
				return c
			}
		case <-time.After(20 * time.Second):
			r.Fatal("nothing is told")
		}
	}
}

// until waits for something that other goroutines do.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain for " + what)
		}
	}
}

func id(n int) string { return fmt.Sprintf("%064x", n) }

func match(n int) container.Match {
	return container.Match{ID: id(n)[52:], FullID: id(n), Kind: container.Docker}
}

func info(n int) *container.Info {
	return &container.Info{ID: id(n)[52:], FullID: id(n), Name: fmt.Sprint("c", n)}
}

func up(t *testing.T, e *containertest.Engine) {
	t.Helper()
	until(t, "a watch", func() bool { _, n, _ := e.Counts(); return n == 1 })
}

func TestResolver(t *testing.T) {
	e := containertest.New("mem")
	e.Put(info(1), false)
	r := resolve(t, fast, e)
	if c := r.next(); c.What != container.Known || c.Info.Name != "c1" {
		t.Errorf("was there: %+v", c)
	}
	up(t, e)
	e.Put(info(2), false)
	if c := r.next(); c.Info.Name != "c2" {
		t.Errorf("created: %+v", c)
	}
	e.Put(info(3), true)
	r.Ask(match(3))
	r.Ask(match(3)) // while it is asked for
	if c := r.next(); c.Info.Name != "c3" {
		t.Errorf("asked for: %+v", c)
	}
	e.Delete(id(2))
	for c := r.next(); c.What != container.Gone; c = r.next() {
	}
	r.Ask(container.Match{ID: "web", FullID: "web", Kind: container.LXC})
	if c := r.next(); c.What != container.Known || c.Info.Type != container.TypeLXC || c.Info.ID != "web" {
		t.Errorf("nobody has to be asked for it: %+v", c)
	}
}

// An id that becomes known only after a while is asked for until it is.
func TestRetries(t *testing.T) {
	e := containertest.New("mem")
	times := fast
	times.Give = time.Hour
	r := resolve(t, times, e)
	up(t, e)
	r.Ask(match(7))
	if c := r.next(); c.What != container.Failed { // but it is asked for again
		t.Errorf("got %+v", c)
	}
	until(t, "ten attempts", func() bool { n, _, _ := e.Counts(); return n >= 10 })
	e.Put(info(7), true)
	if c := r.next(); c.What != container.Known || c.Info.Name != "c7" {
		t.Errorf("got %+v", c)
	}
}

// While somebody waits for it, it is not said that nobody knows it.
func TestWait(t *testing.T) {
	e := containertest.New("mem")
	times := fast
	times.Wait, times.Give = time.Hour, 2*time.Hour
	r := resolve(t, times, e)
	up(t, e)
	r.Ask(match(7))
	until(t, "ten attempts", func() bool { n, _, _ := e.Counts(); return n >= 10 })
	e.Put(info(7), true)
	if c := r.next(); c.What != container.Known || c.Info.Name != "c7" {
		t.Errorf("got %+v", c)
	}
}

// What nobody knows is given up, with what each of them has said.
func TestGivenUp(t *testing.T) {
	a, b := containertest.New("a"), containertest.New("b")
	b.Break(errors.New("permission denied"))
	r := resolve(t, fast, a, b)
	up(t, a)
	until(t, "the reason", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.reports) == 2 })
	r.Ask(match(9))
	c := r.next()
	if c.What != container.Failed || c.Info.ID != match(9).ID {
		t.Fatalf("got %+v", c)
	}
	if why := c.Why.Error(); !strings.Contains(why, "a: no such container") || !strings.Contains(why, "b: permission denied") {
		t.Errorf("because %v", why)
	}
	if gets, _, _ := a.Counts(); gets < 5 {
		t.Errorf("it is said after %d attempts", gets)
	}
	until(t, "the end", func() bool { s := r.Stats(); return s.Failed == 1 && s.Waiting == 0 })
	if gets, _, _ := a.Counts(); gets <= 5 || gets > 40 {
		t.Errorf("%d attempts", gets)
	}
	for len(r.changes) > 0 {
		if c := <-r.changes; c.What == container.Failed {
			t.Error("it is said again")
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.reports) != 2 { // though it is tried again and again
		t.Errorf("reported %q", r.reports)
	}
}

// An engine that does not answer does not hold up what others know.
func TestSilentEngine(t *testing.T) {
	a, b := containertest.New("a"), containertest.New("b")
	speak := a.Silence()
	times := fast
	times.Call = time.Hour
	r := resolve(t, times, a, b)
	up(t, a)
	up(t, b)
	for n := range 200 {
		b.Put(info(n), true)
		r.Ask(match(n))
	}
	for range 200 {
		if c := r.next(); c.What != container.Known {
			t.Fatalf("got %+v", c)
		}
	}
	speak()
}

// An engine that did not answer is left in peace for a while.
func TestShut(t *testing.T) {
	e := containertest.New("mem")
	speak := e.Silence()
	r := resolve(t, fast, e)
	up(t, e)
	for n := range 200 {
		r.Ask(match(n))
	}
	for range 200 {
		if c := r.next(); c.What != container.Failed || !strings.Contains(c.Why.Error(), "mem: ") {
			t.Fatalf("got %+v", c)
		}
	}
	if gets, _, _ := e.Counts(); gets > 200 {
		t.Errorf("the silent one was asked %d times", gets)
	}
	speak()
	e.Put(info(300), true)
	until(t, "the end", func() bool { return r.Stats().Waiting == 0 })
	r.Ask(match(300))
	if c := r.next(); c.What != container.Known {
		t.Errorf("it answers again: %+v", c)
	}
}

// What an engine knew is told again when it has come back.
func TestComesBack(t *testing.T) {
	e := containertest.New("mem")
	r := resolve(t, fast, e)
	for n := range 20 {
		e.Put(info(n), true)
		up(t, e)
		e.Break(errors.New("gone"))
		until(t, "the end", func() bool { _, w, _ := e.Counts(); return w == 0 })
		e.Put(info(100+n), true) // while nobody listens
		e.Mend()
		for c := r.next(); c.Info.Name != fmt.Sprint("c", 100+n); c = r.next() {
		}
	}
}

// What one engine knows in part is taken only if no other knows more.
func TestPartial(t *testing.T) {
	a, b := containertest.New("a"), containertest.New("b")
	r := resolve(t, fast, a, b)
	up(t, a)
	up(t, b)
	part := info(1)
	part.Partial, part.Name = true, "part"
	a.Put(part, true)
	r.Ask(match(1))
	if c := r.next(); c.Info.Name != "part" {
		t.Errorf("got %+v", c.Info)
	}
	b.Put(info(1), true)
	r.Ask(match(1))
	if c := r.next(); c.Info.Name != "c1" {
		t.Errorf("got %+v", c.Info)
	}
}

// What was too slow in coming is asked for again while somebody waits for it, and told
// as far as it came when nobody does any more; whatever comes later is told, too.
func TestLate(t *testing.T) {
	late := func(n int) *container.Info {
		i := info(n)
		i.Partial, i.Late, i.Name = true, true, "part"
		return i
	}
	e := containertest.New("mem")
	times := fast
	times.Wait, times.Give = time.Hour, 2*time.Hour
	r := resolve(t, times, e)
	up(t, e)
	e.Put(late(1), false) // as the engine tells it of its own accord
	e.Put(late(2), true)
	r.Ask(match(2))
	until(t, "twenty attempts", func() bool { n, _, _ := e.Counts(); return n >= 20 })
	e.Put(info(1), true)
	e.Put(info(2), true)
	for range 2 {
		if c := r.next(); c.What != container.Known || c.Info.Late {
			t.Errorf("somebody waits: %+v", c.Info)
		}
	}

	e = containertest.New("mem")
	times.Wait = 0
	r = resolve(t, times, e)
	up(t, e)
	e.Put(late(3), false)
	if c := r.next(); c.What != container.Known || c.Info.Name != "part" {
		t.Errorf("nobody waits: %+v", c)
	}
	e.Put(info(3), true)
	if c := r.next(); c.What != container.Known || c.Info.Name != "c3" {
		t.Errorf("in the end: %+v", c)
	}
	if s := r.Stats(); s.Answered != 1 || s.Failed != 0 {
		t.Errorf("%+v", s)
	}
}

// What one engine tells in part when a container is made is completed before it is
// told, if there is somebody who may know more.
func TestPartTold(t *testing.T) {
	a, b := containertest.New("a"), containertest.New("b")
	r := resolve(t, fast, a, b)
	up(t, a)
	up(t, b)
	part := func(n int) *container.Info {
		i := info(n)
		i.Partial, i.Name = true, "part"
		return i
	}
	b.Put(info(1), true)
	a.Put(part(1), false)
	if c := r.next(); c.Info.Name != "c1" {
		t.Errorf("got %+v", c.Info)
	}
	a.Put(part(2), false)
	if c := r.next(); c.Info.Name != "part" { // nobody knows more
		t.Errorf("got %+v", c.Info)
	}
	b.Break(errors.New("gone"))
	until(t, "its end", func() bool { _, n, _ := b.Counts(); return n == 0 })
	a.Put(part(3), false)
	if c := r.next(); c.Info.Name != "part" {
		t.Errorf("got %+v", c.Info)
	}
	if n := r.Stats().Asked; n != 0 {
		t.Errorf("%d were asked for", n)
	}
}

// More questions than fit are refused at once, and nothing waits for ever.
func TestFlood(t *testing.T) {
	e := containertest.New("mem")
	speak := e.Silence()
	times := fast
	times.Call, times.Give = time.Hour, time.Hour
	r := resolve(t, times, e)
	up(t, e)
	refused := 0
	for n := range 20000 {
		if !r.Ask(match(n)) {
			refused++
		}
	}
	s := r.Stats()
	if s.Asked+uint64(refused) != 20000 || s.Waiting > 4096 {
		t.Errorf("%d refused, %+v", refused, s)
	}
	done := make(chan struct{})
	go func() { r.Close(); close(done) }() // while four wait for an answer
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("it does not end")
	}
	speak()
}
