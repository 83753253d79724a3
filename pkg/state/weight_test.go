// SPDX-License-Identifier: Apache-2.0

package state

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/procfs"
	"github.com/falco-go/falco/pkg/schema"
)

// heap returns the bytes that are in use after everything else is gone.
func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// TestWeight holds what is counted against what is taken, and prints both: these are the
// figures that evict.go names.
func TestWeight(t *testing.T) {
	const processes = 20_000
	weigh := func(change func(pid int64, k *procfs.Task)) (taken, counted float64) {
		s := New(Options{})
		before, was := heap(), s.bytes
		for i := range int64(processes) {
			s.Seed(task(i+2, i+2, 1, "worker", func(k *procfs.Task) {
				k.Cgroups = nil
				change(i+2, k)
			}))
		}
		s.Seeded()
		taken, counted = float64(heap()-before)/processes, float64(s.bytes-was)/processes
		runtime.KeepAlive(s)
		return taken, counted
	}
	ratio := func(what string, taken, counted, low, high float64) {
		t.Helper()
		t.Logf("%s takes %.0f bytes, %.0f are counted", what, taken, counted)
		if r := counted / taken; r < low || r > high {
			t.Errorf("%s takes %.0f bytes, and %.0f are counted", what, taken, counted)
		}
	}
	for what, size := range map[string][2]uintptr{
		"a thread":     {threadBytes, unsafe.Sizeof(Thread{}) + unsafe.Sizeof(Group{}) + unsafe.Sizeof(fdTable{}) + unsafe.Sizeof(fdArray{})},
		"a descriptor": {fdBytes, unsafe.Sizeof(FD{})}, "a pending call": {pendingBytes, unsafe.Sizeof(pending{})},
		"a string": {stringBytes, unsafe.Sizeof("")}, "a slot": {slotBytes, unsafe.Sizeof(fdSlot{})},
	} {
		if size[1] > size[0] || size[1]*2 < size[0] {
			t.Errorf("%s is counted with %d bytes, its structure has %d", what, size[0], size[1])
		}
	}
	bare, bareCounted := weigh(func(int64, *procfs.Task) {})
	ratio("a thread", bare, bareCounted, 0.85, 1.3)
	if bare < 700 || bare > 1300 {
		t.Errorf("a thread takes %.0f bytes: mend evict.go", bare)
	}

	const descriptors = 20
	full, fullCounted := weigh(func(pid int64, k *procfs.Task) {
		for n := range int64(descriptors) {
			k.FDs = append(k.FDs, procfs.FD{Num: n, Kind: procfs.File, Name: fmt.Sprintf("/var/lib/some/where/%08d", pid*descriptors+n)})
		}
	})
	fd := (full - bare) / descriptors
	ratio("a descriptor with a name of 28 bytes", fd, (fullCounted-bareCounted)/descriptors, 0.85, 1.3)
	if fd < 150 || fd > 300 {
		t.Errorf("a descriptor takes %.0f bytes: mend evict.go", fd)
	}

	texts, textsCounted := weigh(func(pid int64, k *procfs.Task) {
		for n := range 20 {
			k.Env = append(k.Env, strings.Clone(fmt.Sprintf("VARIABLE_%d=%032d", n, pid)))
			k.Args = append(k.Args, strings.Clone(fmt.Sprintf("--argument=%08d", pid)))
		}
	})
	ratio("arguments and environment of 40 texts", texts-bare, textsCounted-bareCounted, 0.75, 1.3)
}

// A flood with everything as large as it may be: the tables stay below their
// bound, what is taken as well, and all of it comes back. With FALCO_LONG it is
// 50,000 forks and 1,000,000 opens.
func TestMemoryBound(t *testing.T) {
	const bound = 8 << 20
	long := strings.Repeat("d/", 1000)
	for _, flood := range []struct {
		name string
		n    int64
		play func(l *loop, i int64) *event.Event
	}{
		{"forks", 25_000, func(_ *loop, i int64) *event.Event { return made(schema.ForkX, i, 0, i, 100, 0).Event() }},
		{"forks, each by the last one", 25_000, func(_ *loop, i int64) *event.Event { return made(schema.ForkX, i, 0, i, i-1, 0).Event() }},
		{"threads", 25_000, func(_ *loop, i int64) *event.Event { return made(schema.CloneX, i, 0, 100, 1, threadFlags).Event() }},
		{"execs", 3_000, func(_ *loop, i int64) *event.Event {
			text := strings.Repeat("x", 16<<10) + fmt.Sprint(i)
			return execve(i, "/"+text, "x", []string{text}, "env", []string{text}, "trusted_exepath", "/"+long+fmt.Sprint(i)).Event()
		}},
		{"opens", 25_000, func(_ *loop, i int64) *event.Event {
			return openat(10_000+i%5000, atCwd, "/"+long+fmt.Sprint(i), schema.ORdonly, int(i/5000)).Event()
		}},
		{"directories", 10_000, func(_ *loop, i int64) *event.Event {
			return call(schema.ChdirX, i, "res", 0, "path", "/"+long+fmt.Sprint(i)).Event()
		}},
		{"enter events", 10_000, func(_ *loop, i int64) *event.Event {
			return call(schema.OpenatE, i, "dirfd", atCwd, "name", "/"+long+fmt.Sprint(i)).Event()
		}},
		{"control groups", 8_000, func(_ *loop, i int64) *event.Event {
			return made(schema.ForkX, i, 0, i, 100, 0, "cgroups", []string{"cpu=/" + long + fmt.Sprint(i)}).Event()
		}},
	} {
		t.Run(flood.name, func(t *testing.T) {
			l := newLoop(t)
			l.s.limits = Limits{Bytes: bound}.withDefaults()
			base, peak, n := heap(), 0, flood.n
			if os.Getenv("FALCO_LONG") != "" {
				if n *= 2; flood.name == "opens" {
					n = 1_000_000
				}
			}
			for i := range n {
				ev := flood.play(l, 1000+i)
				l.ts += 100_000
				ev.TS = l.ts
				l.s.Apply(ev)
				l.s.Settle()
				if l.s.bytes > bound {
					t.Fatalf("after event %d the tables weigh %d", i, l.s.bytes)
				}
				if i%(n/4) == n/4-1 {
					peak = max(peak, heap()-base)
				}
			}
			st := l.s.Stats()
			if st.ThreadsEvicted == 0 {
				t.Error("nobody was evicted: the flood was too small")
			}
			if peak > bound*13/10 {
				t.Errorf("%d bytes are taken, %d may be", peak, bound)
			}
			if err := l.s.consistent(); err != nil {
				t.Fatal(err)
			}
			for tid := range l.s.threads { // all exit
				l.ts += 1000
				ev := exits(tid, 1).Event()
				ev.TS = l.ts
				l.s.Apply(ev)
				l.s.Settle()
			}
			l.s.forgetCgroups()
			after := heap() - base
			t.Logf("peak %.1f MiB, counted up to %d; %d threads evicted, %d descriptors; afterwards %.1f MiB",
				float64(peak)/(1<<20), bound, st.ThreadsEvicted, st.FDsEvicted, float64(after)/(1<<20))
			if after > 4<<20 {
				t.Errorf("%d bytes stay", after)
			}
			runtime.KeepAlive(l)
		})
	}
}

// Whoever was evicted is no orphan's dead father: his children keep his id, and
// find him when he comes back.
func TestEvictedParent(t *testing.T) {
	w := newWorldWith(t, Options{Limits: Limits{Threads: 4}})
	w.fork(1, 50)
	w.fork(50, 60)
	for i := range 20 { // 60 is busy, 50 idle
		w.ts += 2 * sec
		w.nothing(60)
		w.nothing(int64(1000 + i))
	}
	w.same("evicted", w.s.Lookup(50) == nil, true)
	w.same("child's parent", w.s.Lookup(60).Ptid, 50)
	w.src.tasks[50] = task(50, 50, 1, "dad", func(k *procfs.Task) { k.ReadAt = w.ts })
	w.nothing(50)
	w.same("again", w.s.Parent(w.nothing(60).Thread).Comm, "dad")
}
