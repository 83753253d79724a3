// SPDX-License-Identifier: Apache-2.0

package merge

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/ring"
	"github.com/falco-go/falco/pkg/ring/ringtest"
)

// world is a machine with some CPUs and a clock that the test moves.
type world struct {
	cpus []*ringtest.Producer
	now  uint64
	*Merge
}

func newWorld(t testing.TB, cpus int) *world {
	w := &world{}
	var rings []*ring.Ring
	for i := range cpus {
		p := ringtest.New(1 << 16)
		r, err := ring.New(i, p.Control, p.Data)
		if err != nil {
			t.Fatal(err)
		}
		w.cpus, rings = append(w.cpus, p), append(rings, r)
	}
	w.Merge = New(rings, func() uint64 { return w.now })
	return w
}

// out returns the times of everything that may go out now.
func (w *world) out() (times []uint64) {
	for {
		f, ok := w.Next()
		if !ok {
			return times
		}
		times = append(times, binary.LittleEndian.Uint64(f.Record))
	}
}

const hold = uint64(Hold)

// The drawn run of the package's doc, in units of a tenth of Hold.
func TestDrawnRun(t *testing.T) {
	u := hold / 10
	w := newWorld(t, 3)
	for _, ts := range []uint64{12, 31, 44} {
		w.cpus[0].Event(ts*u, 16)
	}
	for _, ts := range []uint64{25, 47} {
		w.cpus[1].Event(ts*u, 16)
	}
	w.now = 50 * u
	if got, want := w.out(), []uint64{12 * u, 25 * u, 31 * u}; !slices.Equal(got, want) {
		t.Errorf("first look: %d, want %d", got, want)
	}
	if !w.Pending() {
		t.Error("44 and 47 are forgotten")
	}
	w.cpus[1].Event(66*u, 16)
	w.cpus[2].Event(43*u, 16)
	w.now = 70 * u
	if got, want := w.out(), []uint64{43 * u, 44 * u, 47 * u}; !slices.Equal(got, want) {
		t.Errorf("second look: %d, want %d", got, want)
	}
	w.Drain()
	if got, want := w.out(), []uint64{66 * u}; !slices.Equal(got, want) {
		t.Errorf("drain: %d, want %d", got, want)
	}
}

func TestOneRingNeverWaits(t *testing.T) {
	w := newWorld(t, 1)
	w.cpus[0].Event(1<<40, 16)
	if got := w.out(); len(got) != 1 {
		t.Errorf("got %d, the clock stands at 0", got)
	}
}

// A thread that forks on one CPU and whose child execs on another must never
// be seen exec first, however the CPUs interleave.
func TestOrderOfManyCPUs(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	w := newWorld(t, 16)
	var want, got []uint64
	for i := uint64(1); i <= 20000; i++ {
		ts := i * 1000
		w.now = ts
		want = append(want, ts)
		if !w.cpus[rng.IntN(16)].Event(ts, 16+rng.IntN(64)) {
			t.Fatal("a ring is full: the merge does not release")
		}
		if rng.IntN(50) == 0 {
			got = append(got, w.out()...)
		}
	}
	w.Drain()
	got = append(got, w.out()...)
	if !slices.Equal(got, want) {
		t.Fatalf("%d events came out of %d, or not in order", len(got), len(want))
	}
	if s := w.Stats(); s.Late != 0 || s.Events != 20000 {
		t.Errorf("stats %+v", s)
	}
}

func TestGapComesInItsPlace(t *testing.T) {
	p := ringtest.New(128)
	r, err := ring.New(0, p.Control, p.Data)
	if err != nil {
		t.Fatal(err)
	}
	m := New([]*ring.Ring{r}, func() uint64 { return 0 })
	for ts := range uint64(10) {
		p.Event(ts, 40)
	}
	var events, lost uint64
	read := func() {
		for {
			f, ok := m.Next()
			if !ok {
				return
			}
			if f.Flags&ring.Gap == 0 {
				events++
				continue
			}
			l, err := ring.ParseGap(f.Record)
			if err != nil {
				t.Fatal(err)
			}
			lost += l.Count()
		}
	}
	read()
	p.Event(10, 8)
	read()
	if events+lost != 11 || lost == 0 || m.Stats().Lost != lost {
		t.Errorf("%d events, %d lost, stats %+v", events, lost, m.Stats())
	}
}

func TestCorruptRingEndsTheStream(t *testing.T) {
	w := newWorld(t, 2)
	w.cpus[0].Event(1, 16)
	binary.LittleEndian.PutUint32(w.cpus[0].Data, 7)
	if got := w.out(); len(got) != 0 || !errors.Is(w.Err(), ring.ErrCorrupt) {
		t.Errorf("%d came out, Err() = %v", got, w.Err())
	}
}

func TestWaiter(t *testing.T) {
	w := newWorld(t, 2)
	w.now = hold + 10
	wake := make(chan error)
	waiter := NewWaiter(w.Merge, func(time.Duration) error { return <-wake }, time.Second)
	if !waiter.Arm() {
		t.Fatal("dry rings, but no sleep")
	}
	if !w.cpus[0].WantsWakeup() || !w.cpus[1].WantsWakeup() {
		t.Error("the kernel does not know that we sleep")
	}
	w.cpus[1].Event(5, 16)
	wake <- nil
	<-waiter.C
	waiter.Woken()
	if w.cpus[0].WantsWakeup() {
		t.Error("the kernel believes that we sleep still")
	}
	if waiter.Arm() {
		t.Error("sleeps although there is something to read")
	}
	if got := w.out(); len(got) != 1 {
		t.Errorf("read %d", got)
	}
	if !waiter.Arm() {
		t.Error("no sleep after all was read")
	}
	wake <- os.ErrDeadlineExceeded
	if _, open := <-waiter.C; open || !errors.Is(waiter.Err(), os.ErrDeadlineExceeded) {
		t.Errorf("open %v, Err() = %v", open, waiter.Err())
	}
	waiter.Close()
}

// How a machine spreads its events over CPUs.
var spreads = map[string]func(rng *rand.Rand, i, cpus int) int{
	"one busy":  func(rng *rand.Rand, i, cpus int) int { return 7 },
	"in turn":   func(rng *rand.Rand, i, cpus int) int { return i % cpus },
	"at random": func(rng *rand.Rand, i, cpus int) int { return rng.IntN(cpus) },
	"in bursts": func(rng *rand.Rand, i, cpus int) int { return i / 64 * 31 % cpus },
}

// A large machine costs the logarithm of its CPUs: no event is compared with more than two others on each level of the heap,
// and the rings are not looked at again for every event, whoever is busy. Nothing comes late or is lost, and memory goes
// back in batches.
func TestManyCPUs(t *testing.T) {
	for _, cpus := range []int{1, 8, 128, 512} {
		for name, spread := range spreads {
			rng := rand.New(rand.NewPCG(1, uint64(cpus)))
			w := newWorld(t, cpus)
			const events, batch = 20000, 100
			got, released := 0, 0
			freed := make([]uint64, cpus)
			for i := range events {
				w.now = uint64(i+1) * 1000
				if !w.cpus[spread(rng, i, cpus)%cpus].Event(w.now, 16+rng.IntN(64)) {
					t.Fatalf("%d CPUs, %s: a ring is full", cpus, name)
				}
				if i%batch == batch-1 {
					w.now += 2 * hold // all of these are old enough
					got += len(w.out())
					for k, p := range w.cpus {
						if f := p.Freed(); f != freed[k] {
							freed[k] = f
							released++
						}
					}
				}
			}
			w.Drain()
			got += len(w.out())
			s := w.Stats()
			levels := bits.Len(uint(cpus - 1))
			if most := uint64(events * (2*levels + 1)); s.Compared > most || cpus == 1 && s.Compared > 0 {
				t.Errorf("%d CPUs, %s: %d comparisons, at most %d are the logarithm", cpus, name, s.Compared, most)
			}
			if got != events || s.Events != events || s.Late > 0 || s.Lost > 0 {
				t.Errorf("%d CPUs, %s: %d events, %+v", cpus, name, got, s)
			}
			if s.Looks > 2*events/batch+2 {
				t.Errorf("%d CPUs, %s: %d looks at all rings for %d batches", cpus, name, s.Looks, events/batch)
			}
			if released > events/batch*min(cpus, batch) {
				t.Errorf("%d CPUs, %s: memory went back %d times", cpus, name, released)
			}
			t.Logf("%3d CPUs, %-9s: %.1f comparisons an event, %d looks and %d releases for %d batches", cpus, name, float64(s.Compared)/events, s.Looks, released, events/batch)
		}
	}
}

// Under load, memory goes back in batches, and all of it when there is nothing left.
func TestReleaseInBatches(t *testing.T) {
	p := ringtest.New(1 << 20)
	r, err := ring.New(0, p.Control, p.Data)
	if err != nil {
		t.Fatal(err)
	}
	const releaseBytes = 64 << 10 // of pkg/ring
	m := New([]*ring.Ring{r}, func() uint64 { return 0 })
	n, bytes := 0, uint64(0)
	for p.Event(uint64(n), 100) {
		n++
	}
	released, freed := 0, uint64(0)
	for {
		_, ok := m.Next()
		if f := p.Freed(); f != freed {
			if released++; ok && f-freed < releaseBytes {
				t.Errorf("%d bytes went back while there was more to read", f-freed)
			}
			freed = f
		}
		if !ok {
			break
		}
	}
	bytes = m.Stats().Bytes
	if freed != bytes || released != int(bytes/releaseBytes)+1 {
		t.Errorf("%d of %d bytes went back in %d batches of %d", freed, bytes, released, releaseBytes)
	}
}

func BenchmarkNext(b *testing.B) {
	for _, cpus := range []int{1, 8, 128, 512} {
		b.Run("cpus="+itoa(cpus), func(b *testing.B) {
			w := newWorld(b, cpus)
			b.ReportAllocs()
			ts := uint64(0)
			for i := 0; i < b.N; {
				b.StopTimer()
				for range 100 * cpus {
					ts += 100
					w.cpus[ts/100%uint64(cpus)].Event(ts, 100)
				}
				w.now = ts + 2*hold
				b.StartTimer()
				for {
					if _, ok := w.Next(); !ok {
						break
					}
					i++
				}
			}
			s := w.Stats()
			b.ReportMetric(float64(s.Compared)/float64(s.Events), "comparisons/event")
		})
	}
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}
