// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/alert"
)

func say(text string) *alert.Alert {
	return &alert.Alert{Rule: "r", Source: "syscall", Severity: 4, Message: text}
}

var utc = alert.Style{Location: time.UTC}

// gate is a sink that lets a test decide when and how each delivery ends.
type gate struct {
	in  chan string
	out chan error
}

func newGate() *gate          { return &gate{make(chan string), make(chan error)} }
func (g *gate) Name() string  { return "gate" }
func (g *gate) Reopen() error { return nil }
func (g *gate) Close() error  { return nil }
func (g *gate) Write(_ context.Context, l Line) error {
	g.in <- string(l.Text)
	return <-g.out
}

// reports collects what a queue says.
type reports struct {
	mu   sync.Mutex
	said []string
	c    chan Problem
}

func newReports() *reports { return &reports{c: make(chan Problem, 16)} }
func (r *reports) report(p Problem, text string) {
	r.mu.Lock()
	r.said = append(r.said, text)
	r.mu.Unlock()
	r.c <- p
}

func TestOrderAndClose(t *testing.T) {
	var out bytes.Buffer
	q := Start(NewStdout(&out, true), Options{Style: utc})
	for _, m := range []string{"one", "two", "three"} {
		q.Send(say(m))
	}
	if !q.Close(time.Minute) {
		t.Fatal("worker did not end")
	}
	want := "00:00:00.000000000: Warning one\n00:00:00.000000000: Warning two\n00:00:00.000000000: Warning three\n"
	if out.String() != want {
		t.Errorf("got %q", out.String())
	}
	if s := q.Stats(); s != (Stats{Name: "stdout", Accepted: 3, Sent: 3}) {
		t.Errorf("stats %+v", s)
	}
}

// A sink that hangs costs its own queue only: what does not fit is dropped,
// counted and told once, and the sender never waits.
func TestFull(t *testing.T) {
	g, r := newGate(), newReports()
	q := Start(g, Options{Style: utc, Capacity: 2, Report: r.report})
	q.Send(say("0"))
	<-g.in // the worker holds 0
	for _, m := range []string{"1", "2", "3", "4", "5"} {
		q.Send(say(m))
	}
	if s := q.Stats(); s.Queued != 3 || s.Dropped != 3 {
		t.Errorf("stats %+v, want 3 queued, the one in hand among them, 3 dropped", s)
	}
	if p := <-r.c; p != Full {
		t.Errorf("report %v", p)
	}
	for range 2 {
		g.out <- nil
		<-g.in
	}
	g.out <- nil
	if !q.Close(time.Minute) {
		t.Fatal("worker did not end")
	}
	if s := q.Stats(); s != (Stats{Name: "gate", Accepted: 6, Sent: 3, Dropped: 3}) {
		t.Errorf("stats %+v", s)
	}
	if len(r.said) != 1 {
		t.Errorf("told %q", r.said)
	}
}

// A stream that can wait loses nothing, however slow the sink is, until it is told
// to end.
// After the stop a queue that waits goes on for as long as it gets on.
func TestWaitGetsOn(t *testing.T) {
	g, stop := newGate(), make(chan struct{})
	q := Start(g, Options{Style: utc, Capacity: 8, Wait: stop})
	const alerts = 5
	for range alerts {
		q.Send(say("x"))
	}
	close(stop)
	closed := make(chan bool)
	go func() { closed <- q.Close(time.Second) }()
	for range alerts { // longer than the limit, all together
		time.Sleep(300 * time.Millisecond)
		<-g.in
		g.out <- nil
	}
	if !<-closed || q.Stats().Sent != alerts {
		t.Errorf("the worker was abandoned: %+v", q.Stats())
	}
}

func TestWait(t *testing.T) {
	g, stop := newGate(), make(chan struct{})
	q := Start(g, Options{Style: utc, Capacity: 1, Wait: stop})
	const alerts = 50
	closed := make(chan bool)
	go func() {
		for range alerts {
			q.Send(say("x"))
		}
		closed <- q.Close(0)
	}()
	for range alerts {
		<-g.in
		g.out <- nil
	}
	if !<-closed {
		t.Error("the worker was abandoned")
	}
	if s := q.Stats(); s != (Stats{Name: "gate", Accepted: alerts, Sent: alerts}) {
		t.Errorf("stats %+v", s)
	}

	g = newGate()
	q = Start(g, Options{Style: utc, Capacity: 1, Wait: stop})
	q.Send(say("0"))
	<-g.in // the worker holds 0
	q.Send(say("1"))
	close(stop)
	q.Send(say("2")) // there is no room, and nobody waits any more
	if q.Close(0) {
		t.Error("the worker has ended")
	}
	if s := q.Stats(); s.Dropped != 2 {
		t.Errorf("stats %+v, want 2 dropped", s)
	}
	g.out <- nil // 0 arrives after all; 1 was given up
	<-q.done
	if s := q.Stats(); s != (Stats{Name: "gate", Accepted: 3, Sent: 1, Dropped: 2, Stuck: true}) {
		t.Errorf("stats %+v", s)
	}
}

func TestBlocked(t *testing.T) {
	g, r := newGate(), newReports()
	q := Start(g, Options{Style: utc, Timeout: time.Millisecond, Report: r.report})
	q.Send(say("a"))
	q.Send(say("b"))
	<-g.in
	if p := <-r.c; p != Blocked {
		t.Fatalf("report %v", p)
	}
	if !strings.HasPrefix(r.said[0], `"gate" output timeout`) {
		t.Errorf("told %q", r.said[0])
	}
	if q.Close(time.Millisecond) {
		t.Error("a hung worker came to its end")
	}
	if s := q.Stats(); s.Dropped != 1 {
		t.Errorf("stats %+v, want b counted as dropped", s)
	}
}

// The same failure is told a few times and then once a minute, until something gets
// through again.
func TestFailed(t *testing.T) {
	g, r := newGate(), newReports()
	q := Start(g, Options{Style: utc, Report: r.report})
	for _, err := range []error{errors.New("x"), errors.New("y"), nil, errors.New("y")} {
		q.Send(say("a"))
		<-g.in
		g.out <- err
	}
	q.Close(time.Minute)
	if s := q.Stats(); s.Sent != 1 || s.Failed != 3 {
		t.Errorf("stats %+v", s)
	}
	if len(r.said) != 3 || r.said[0] != "gate: x" {
		t.Errorf("told %q", r.said)
	}

	var said refrain
	now, n := time.Unix(0, 0), 0
	for range 100 {
		if said.of(errors.New("x"), now) != "" {
			n++
		}
	}
	if n != refrainFirst {
		t.Errorf("told %d times", n)
	}
	if text := said.of(errors.New("x"), now.Add(refrainEvery)); text != "x (and 95 times more)" {
		t.Errorf("a minute later: %q", text)
	}
}

// flaky fails its first write and then works.
type flaky struct {
	bytes.Buffer
	writes int
}

func (f *flaky) Write(b []byte) (int, error) {
	if f.writes++; f.writes == 1 {
		return 0, errors.New("no space left on device")
	}
	return f.Buffer.Write(b)
}

func TestStdout(t *testing.T) {
	f := &flaky{}
	s := NewStdout(f, false)
	if s.Write(t.Context(), Line{Text: []byte("lost\n")}) == nil {
		t.Error("error was swallowed")
	}
	if err := s.Write(t.Context(), Line{Text: []byte("kept\n")}); err != nil || f.String() != "kept\n" {
		t.Errorf("after a failure: %v, %q", err, f.String())
	}

	f = &flaky{writes: 1}
	s = NewStdout(f, true)
	s.Write(t.Context(), Line{Text: []byte("a\n")})
	s.Write(t.Context(), Line{Text: []byte("b\n")})
	if f.Len() != 0 {
		t.Error("buffered output was written early")
	}
	if s.Reopen(); f.String() != "a\nb\n" || f.writes != 2 {
		t.Errorf("after Reopen: %q in %d writes", f.String(), f.writes-1)
	}
}
