// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/capture"
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/ring"
	"github.com/falco-go/falco/pkg/rules"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// made is a capture that a test makes.
type made struct {
	t   *testing.T
	buf bytes.Buffer
	w   *capture.Writer
}

const noon = 1767268800_000000000

// newMade begins a capture of a machine called host, on which one process runs.
func newMade(t *testing.T, host string) *made {
	m := &made{t: t}
	m.w = capture.NewWriter(&m.buf, false)
	m.w.Begin()
	m.w.Machine(&capture.Machine{CPUs: 1, Hostname: host})
	m.w.Proc(&capture.Proc{Tid: 10, Pid: 10, Ptid: 1, Vtid: 10, Vpid: 10, Comm: host, Exe: host, Cwd: "/"})
	m.w.End()
	return m
}

// add appends an event at so many seconds past noon.
func (m *made) add(second float64, flags capture.RecordFlags, b *eventtest.Builder) *made {
	ts := uint64(noon + int64(second*1e9))
	if err := m.w.Event(ts, 0, flags, b.TS(ts).Tid(10).Bytes(), nil); err != nil {
		m.t.Fatal(err)
	}
	return m
}

func (m *made) opened(second float64, name string) *made {
	return m.add(second, 0, eventtest.New(schema.OpenatX).Set("fd", 3).Set("dirfd", -100).Set("name", name))
}

func (m *made) bytes() []byte {
	m.w.Flush()
	return m.buf.Bytes()
}

func file(t *testing.T, content []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "x.scap")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// begun opens a capture and seeds a state.
func begun(t *testing.T, content []byte) (*replay, *state.State) {
	t.Helper()
	r, err := openReplay(file(t, content), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	st := state.New(state.Options{})
	if err := r.begin(st); err != nil {
		t.Fatal(err)
	}
	return r, st
}

// next returns the next event of r, waiting for it.
func next(r *replay, ev *event.Event) error {
	for {
		ok, err := r.Next(ev)
		if ok || err != nil {
			return err
		}
		<-r.C()
	}
}

// manyEvents are more than is read ahead at once.
const manyEvents = 4096

// Events come as they stand in the file, small ones and large ones, in whatever pieces it is read ahead.
func TestReplayOrder(t *testing.T) {
	m := newMade(t, "host")
	var want []string
	for i := range 3*manyEvents + 7 {
		name := fmt.Sprint(i)
		if i%1000 == 999 {
			name += strings.Repeat("x", 60000)
		}
		m.opened(0, name)
		want = append(want, name)
	}
	r, _ := begun(t, m.bytes())
	var ev event.Event
	for i := range want {
		if err := next(r, &ev); err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
		if name, _ := ev.Str(2); ev.Num != uint64(i+1) || name[:min(len(name), 9)] != want[i][:min(len(want[i]), 9)] || len(name) != len(want[i]) {
			t.Fatalf("event %d has number %d and %d bytes", i+1, ev.Num, len(name))
		}
	}
	if err := next(r, &ev); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	if l, _ := r.Ledger(); l.Seen != uint64(len(want)) || l.Delivered != l.Seen {
		t.Errorf("ledger %+v, want %d", l, len(want))
	}
}

// An event beyond the size of what is read ahead is delivered whole.
func TestReplayLargeEvent(t *testing.T) {
	m := newMade(t, "host")
	var want []int
	for i := range 12 {
		size := 10
		if i == 1 {
			size = 1 << 20
		}
		m.add(0, 0, eventtest.New(schema.AsynceventE).Set("name", "x").Set("data", make([]byte, size)))
		want = append(want, size)
	}
	r, _ := begun(t, m.bytes())
	var ev event.Event
	for i, size := range want {
		if err := next(r, &ev); err != nil {
			t.Fatal(err)
		}
		if n := len(ev.Param(2)); n != size {
			t.Errorf("event %d has %d bytes, want %d", i, n, size)
		}
	}
	if err := next(r, &ev); err != io.EOF {
		t.Fatal(err)
	}
}

// A further section replaces the state where it stands in the file, however far
// ahead somebody has read.
func TestReplaySections(t *testing.T) {
	first := newMade(t, "one").opened(0, "/a").opened(1, "/b")
	second := newMade(t, "two").opened(2, "/c")
	r, st := begun(t, append(bytes.Clone(first.bytes()), second.bytes()...))
	var ev event.Event
	for _, want := range []string{"one one /a", "one one /b", "two two /c"} {
		if err := next(r, &ev); err != nil {
			t.Fatal(err)
		}
		sc := st.Apply(&ev)
		if got := st.Machine.Hostname + " " + sc.Thread.Comm + " " + sc.FD.Name; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		st.Settle()
	}
}

// What a filter left out of a recording still changes the state, and is not seen.
func TestReplayHidden(t *testing.T) {
	m := newMade(t, "host").opened(0, "/a")
	m.add(1, capture.StateOnly, eventtest.New(schema.OpenatX).Set("fd", 4).Set("dirfd", -100).Set("name", "/hidden"))
	m.add(2, 0, eventtest.New(schema.ReadX).Set("res", 1).Set("fd", 4))
	r, st := begun(t, m.bytes())
	p := pipeline{source: r, state: st}
	var seen []string
	var hidden int
	p.tapes = []tape{tapeFunc(func(ev *event.Event, scene *state.Scene) {
		switch {
		case scene != nil:
			seen = append(seen, fmt.Sprint(ev.Num, scene.FD.Name))
		case ev.StateOnly:
			hidden++
		}
	})}
	if err := p.run(time.Minute); err != io.EOF {
		t.Fatal(err)
	}
	if want := []string{"1/a", "2/hidden"}; !slices.Equal(seen, want) || hidden != 1 || p.num != 2 {
		t.Errorf("rules see %q, want %q; tapes get %d more; %d events", seen, want, hidden, p.num)
	}
}

// tapeFunc is a tape that looks at events.
type tapeFunc func(*event.Event, *state.Scene)

func (f tapeFunc) event(ev *event.Event, scene *state.Scene, _ []*rules.Rule) { f(ev, scene) }
func (tapeFunc) tick()                                                        {}
func (tapeFunc) failed() error                                                { return nil }

// What the kernel tells beside an event goes into a recording and out of it again,
// for those events that have some.
func TestExtensionsAreKept(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.scap")
	rec := record(name, newFile(name), state.New(state.Options{}), capture.Machine{}, recordOptions{waits: true})
	longer := []byte{2, 0, 0, 0, 1, 0, 6, 0, '/', 'e', 't', 'c', 'x', 0}
	exts := [][]byte{nil, longer, nil, longer[4:], nil}
	for i, ext := range exts {
		ev := eventtest.New(schema.OpenatX).TS(5).Tid(7).Set("fd", i).Event()
		ev.Flags = ring.Fault | ring.Ext
		ev.SetExt(ext)
		rec.event(ev, false)
	}
	rec.close()
	r, err := openReplay(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.begin(state.New(state.Options{})); err != nil {
		t.Fatal(err)
	}
	var ev event.Event
	for i, ext := range exts {
		if err := next(r, &ev); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(ev.Ext(), ext) || ev.Flags != ring.Fault {
			t.Errorf("event %d: %x and flags %#x, want %x", i, ev.Ext(), ev.Flags, ext)
		}
	}
}

// -M counts the seconds of the recording.
func TestReplayBound(t *testing.T) {
	for seconds, want := range map[int]int{0: 4, 1: 2, 2: 3, 100: 4, -1: 1} {
		m := newMade(t, "host").opened(0, "/a").opened(1, "/b").opened(1.5, "/c").opened(3, "/d")
		r, _ := begun(t, m.bytes())
		r.bound(seconds)
		var ev event.Event
		n := 0
		for next(r, &ev) == nil {
			n++
		}
		if n != want {
			t.Errorf("%d seconds: %d events, want %d", seconds, n, want)
		}
	}
}

// Everything up to the place where a file ends or goes wrong is delivered.
func TestReplayEnds(t *testing.T) {
	whole := newMade(t, "host").opened(0, "/a").opened(1, "/b").bytes()
	last := len(whole) - int(binary.LittleEndian.Uint32(whole[len(whole)-4:])) // of the last block
	broken := bytes.Clone(whole)
	broken[last+4]++ // its length
	for _, tc := range []struct {
		name    string
		content []byte
		events  int
		is      error
		says    string
	}{
		{"whole", whole, 2, io.EOF, ""},
		{"cut in a block", whole[:len(whole)-3], 1, capture.ErrTruncated, ""},
		{"cut behind its head", whole[:last+9], 1, capture.ErrTruncated, ""},
		{"no events", newMade(t, "host").bytes(), 0, capture.ErrNoEvents, ""},
		{"wrong length", broken, 1, nil, fmt.Sprintf("offset %d, block ", last)},
	} {
		r, _ := begun(t, tc.content)
		var ev event.Event
		n, err := 0, error(nil)
		for err == nil {
			if err = next(r, &ev); err == nil {
				n++
			}
		}
		if n != tc.events || tc.is != nil && !errors.Is(err, tc.is) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %d events and %v, want %d and %v %s", tc.name, n, err, tc.events, tc.is, tc.says)
		}
		if again := next(r, &ev); again != err {
			t.Errorf("%s: the end changed from %v to %v", tc.name, err, again)
		}
	}
}

// A pipe that pauses, in the middle of an event too, holds up nobody: what has come is delivered, and the loop hears of
// what comes later, or of the end.
func TestReplayPauses(t *testing.T) {
	content := newMade(t, "host").opened(0, "/a").opened(1, "/b").opened(2, "/c").bytes()
	last := len(content) - int(binary.LittleEndian.Uint32(content[len(content)-4:])) // of the last block
	for _, stopped := range []bool{false, true} {
		name := filepath.Join(t.TempDir(), "fifo")
		if err := syscall.Mkfifo(name, 0o600); err != nil {
			t.Fatal(err)
		}
		w, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		w.Write(content[:last+20])
		stop := make(chan struct{})
		r, err := openReplay(name, stop)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.begin(state.New(state.Options{})); err != nil {
			t.Fatal(err)
		}
		var ev event.Event
		for range 2 {
			if err := next(r, &ev); err != nil {
				t.Fatal(err)
			}
		}
		if ok, err := r.Next(&ev); ok || err != nil {
			t.Fatalf("of a third of an event: %v, %v", ok, err)
		}
		if sleep, _ := r.Arm(); !sleep {
			t.Error("the loop may not sleep")
		}
		if stopped {
			close(stop)
			if err := next(r, &ev); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("after the stop: %v", err)
			}
		} else {
			w.Write(content[last+20:])
			if err := next(r, &ev); err != nil || ev.Num != 3 {
				t.Errorf("event %d, %v", ev.Num, err)
			}
			w.Close()
			if err := next(r, &ev); err != io.EOF {
				t.Errorf("at the end: %v", err)
			}
		}
		r.Close()
	}
}

// Close ends the goroutine wherever it is.
func TestReplayClose(t *testing.T) {
	m := newMade(t, "host")
	for range 20 * manyEvents {
		m.opened(0, "/a")
	}
	content := m.bytes()
	before := runtime.NumGoroutine()
	for n := range 20 {
		r, err := openReplay(file(t, content), nil)
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			if err := r.begin(state.New(state.Options{})); err != nil {
				t.Fatal(err)
			}
		}
		var ev event.Event
		for range n * 1000 {
			if err := next(r, &ev); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	after := runtime.NumGoroutine()
	for range 1_000_000 { // one that nobody waits for may be on its way out
		if after <= before {
			return
		}
		runtime.Gosched()
		after = runtime.NumGoroutine()
	}
	t.Errorf("%d goroutines, %d before", after, before)
}

// In steady state an event costs no memory.
func TestReplayAllocates(t *testing.T) {
	m := newMade(t, "host")
	const events = 50 * manyEvents
	for range events {
		m.opened(0, "/etc/passwd")
	}
	r, st := begun(t, m.bytes())
	var ev event.Event
	turn := func() {
		if err := next(r, &ev); err != nil {
			t.Fatal(err)
		}
		st.Apply(&ev)
		st.Settle()
	}
	for range 10 * manyEvents {
		turn()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 30 * manyEvents {
		turn()
	}
	runtime.ReadMemStats(&after)
	if n := after.Mallocs - before.Mallocs; n > 30 { // some of the runtime itself
		t.Errorf("%d allocations in %d events", n, 30*manyEvents)
	}
}

// A pager that shows the beginning for as long as its reader likes gets all the rest, too.
func TestReplayToPager(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	put(t, in("f.yaml"), "stdout_output: {enabled: true}\nlog_stderr: true\nlog_syslog: false\noutput_timeout: 1\n")
	put(t, in("r.yaml"), "- rule: all\n  desc: d\n  condition: evt.num > 0\n  output: x\n  priority: INFO\n")
	const events = 5000
	m := newMade(t, "host")
	for i := range events {
		m.opened(float64(i), fmt.Sprint(i))
	}
	capture := file(t, m.bytes())
	r, w := io.Pipe()
	log := &watchedLog{more: make(chan struct{}, 1)}
	ended := make(chan int, 1)
	go func() {
		ended <- falco([]string{"falco", "-c", in("f.yaml"), "-r", in("r.yaml"), "-e", capture}, w, log)
		w.Close()
	}()
	log.wait(t, "nothing delivered for 1ms", 1)
	log.wait(t, "Events seen: ", 1)     // the capture is at its end
	time.Sleep(1100 * time.Millisecond) // longer than an output has that hangs
	text, err := io.ReadAll(r)
	if n := strings.Count(string(text), " x\n"); err != nil || n != events {
		t.Errorf("%d alerts, %v\n%s", n, err, log)
	}
	if code := <-ended; code != exitOK {
		t.Errorf("exit code %d", code)
	}
}
