// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/falco-go/falco/pkg/capture"
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/merge"
	"github.com/falco-go/falco/pkg/ring"
	"github.com/falco-go/falco/pkg/ring/ringtest"
	"github.com/falco-go/falco/pkg/rules"
	"github.com/falco-go/falco/pkg/state"
)

// A stream plays a recording through rings, as if the kernel wrote it here and now:
// a producer for each CPU, the merge, the decoder, the tables and the rules. A second
// round goes on where the first one has ended, an hour later, with the same tables.
type stream struct {
	path  string
	state *state.State
	set   *rules.Set

	cpus    []*ringtest.Producer
	merge   *merge.Merge
	now     uint64
	record  []byte
	ev      event.Event
	matched []*rules.Rule

	events, matches uint64
}

func newStream(t *testing.T, path string, set *rules.Set) *stream {
	t.Helper()
	s := &stream{path: path, set: set, state: state.New(state.Options{}), matched: make([]*rules.Rule, 0, 16)}
	var rings []*ring.Ring
	for cpu := range 2 {
		p := ringtest.New(1 << 20)
		r, err := ring.New(cpu, p.Control, p.Data)
		if err != nil {
			t.Fatal(err)
		}
		s.cpus, rings = append(s.cpus, p), append(rings, r)
	}
	s.merge = merge.New(rings, func() uint64 { return s.now })
	return s
}

// round plays the recording once, each event later than the recording says. seen is told of how many events have passed.
func (s *stream) round(t *testing.T, later uint64, seen func(n uint64)) {
	t.Helper()
	f, err := os.Open(s.path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	reader, err := capture.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if s.events == 0 {
		if err := reader.Seed(s.state.Tables()); err != nil {
			t.Fatal(err)
		}
	}
	for n := uint64(1); ; n++ {
		rec, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		s.record = append(s.record[:0], rec.Event...)
		ts := binary.LittleEndian.Uint64(s.record) + later
		binary.LittleEndian.PutUint64(s.record, ts)
		s.now = max(s.now, ts)
		if p := s.cpus[rec.CPU%len(s.cpus)]; !p.Record(s.record, 0) {
			t.Fatal("a ring is full: the merge does not release")
		}
		if n%256 == 0 {
			s.drain(t)
			seen(n)
		}
	}
	s.now += uint64(merge.Hold)
	s.drain(t)
}

// drain turns all events that may go out.
func (s *stream) drain(t *testing.T) {
	for {
		f, ok := s.merge.Next()
		if !ok {
			return
		}
		if _, err := s.ev.Decode(f.Record); err != nil || f.Flags&ring.Gap != 0 {
			t.Fatalf("flags %#x: %v", f.Flags, err)
		}
		s.events++
		s.ev.Num, s.ev.CPU, s.ev.Flags = s.events, f.CPU, event.PrefixFlags(f.Flags)
		if scene := s.state.Apply(&s.ev); scene != nil {
			s.matched = s.set.Match(scene, s.matched[:0])
			s.matches += uint64(len(s.matched))
		}
		s.state.Settle()
	}
}

func newLargeStream(t *testing.T) *stream {
	t.Helper()
	if _, err := os.Stat(filepath.Join(shared(), "data", "captures")); err != nil {
		t.Skip("SKIP 1 cases: FALCO_SHARED not found")
	}
	text, err := os.ReadFile(filepath.Join(shared(), "data", "rules", stock[0]))
	if err != nil {
		t.Fatal(err)
	}
	path, err := unpacked(large)
	if err != nil {
		t.Fatal(err)
	}
	return newStream(t, path, load(t, rules.File{Name: stock[0], Content: text}))
}

// processCost is how many allocations the making of a process may take: its arguments and environment, which are texts that
// nobody else has. Records and tables are those of processes that have ended.
const processCost = 6

// TestSteadyAllocations holds that events allocate nothing once tables, pools and buffers have found their size: when the
// large recording passes for the second time, with the original's stock rules. Windows of events that bring nothing to be
// kept, no new process, no text that is not at hand, no larger table, allocate nothing at all; the others what they keep.
func TestSteadyAllocations(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	s := newLargeStream(t)
	const hour = 3600e9
	s.round(t, 0, func(uint64) {})
	var before, after runtime.MemStats
	var from, windows, quiet, allocated, matched uint64
	var first, last state.Stats
	s.round(t, hour, func(n uint64) {
		st := s.state.Stats()
		if from == 0 {
			from, first = s.events, st
			runtime.ReadMemStats(&before)
		} else if st.ThreadsAdded == last.ThreadsAdded && st.TextsKept == last.TextsKept && st.Bytes <= last.Bytes && s.matches == matched {
			if a := mallocs(); a == allocated {
				quiet++
			} else {
				t.Logf("%d allocations in the 256 events up to %d", a-allocated, n)
			}
			windows++
		}
		last, matched, allocated = st, s.matches, mallocs()
	})
	runtime.ReadMemStats(&after)
	t.Logf("%d of %d windows of 256 events that bring nothing new allocate nothing", quiet, windows)
	if windows < 5000 || quiet+2 < windows { // seldom, the runtime itself
		t.Errorf("only %d of %d windows without anything new allocate nothing", quiet, windows)
	}
	events, processes, texts := s.events-from, last.ThreadsAdded-first.ThreadsAdded, last.TextsKept-first.TextsKept
	if events < 4_000_000 || s.matches == 0 {
		t.Fatalf("%d events, %d matches", events, s.matches)
	}
	count, bytes := after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
	t.Logf("%d allocations of %d bytes for %d events: %d processes, %d texts; %.4f an event", count, bytes, events, processes, texts, float64(count)/float64(events))
	if count > processCost*processes+texts+events/1000 || count > events/100 {
		t.Errorf("%d allocations for %d events, %d processes and %d texts", count, events, processes, texts)
	}
}

// mallocs is how many allocations there have been so far, to the last one.
func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// TestNoGrowth plays the large recording twenty times, one after the other, a hundred million events, and holds what is in
// memory after each round against the third. The short form plays the adaptive one five times.
func TestNoGrowth(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	s, rounds := newLargeStream(t), 20
	if os.Getenv("FALCO_LONG") == "" {
		path, err := unpacked(adaptive)
		if err != nil {
			t.Fatal(err)
		}
		s.path, rounds = path, 5
	}
	const hour, slack = 3600e9, 1 << 20
	var third uint64
	for n := range rounds {
		s.round(t, uint64(n)*hour, func(uint64) {})
		held := heap()
		stats := s.state.Stats()
		t.Logf("round %d: %d events, %d bytes held, %d threads, %d descriptors, %d bytes of tables as counted", n+1, s.events, held, stats.Threads, stats.FDs, stats.Bytes)
		switch {
		case n == 2:
			third = held
		case n > 2 && held > third+slack:
			t.Errorf("round %d: %d bytes held, %d after the third", n+1, held, third)
		}
	}
	if s.merge.Stats().Lost > 0 || s.matches == 0 {
		t.Errorf("%d lost, %d matches", s.merge.Stats().Lost, s.matches)
	}
}
