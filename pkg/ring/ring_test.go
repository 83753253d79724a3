// SPDX-License-Identifier: Apache-2.0

package ring_test

import (
	"encoding/binary"
	"errors"
	"sync"
	"testing"

	"github.com/falco-go/falco/pkg/ring"
	"github.com/falco-go/falco/pkg/ring/ringtest"
	"github.com/falco-go/falco/pkg/schema"
)

func open(t testing.TB, p *ringtest.Producer) *ring.Ring {
	t.Helper()
	r, err := ring.New(3, p.Control, p.Data)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// walk reads everything that is there and returns the times and sequence
// numbers of the events and the losses.
func walk(t testing.TB, r *ring.Ring) (times, seqs []uint64, lost uint64) {
	t.Helper()
	for r.Refill() {
		for {
			f, ok := r.Peek()
			if !ok {
				break
			}
			if f.Flags&ring.Gap != 0 {
				l, err := ring.ParseGap(f.Record)
				if err != nil {
					t.Fatal(err)
				}
				if got := l.To - l.From + 1; got != l.Count() {
					t.Errorf("gap from %d to %d says %d", l.From, l.To, l.Count())
				}
				lost += l.Count()
			} else {
				times = append(times, binary.LittleEndian.Uint64(f.Record))
				seqs = append(seqs, f.Seq)
			}
			r.Next()
		}
		r.Release()
	}
	return times, seqs, lost
}

func TestOverTheEnd(t *testing.T) {
	p := ringtest.New(256)
	r := open(t, p)
	want := uint64(0)
	for round := range 100 { // records of 40 to 96 bytes cross the end at every offset
		for i := range 2 {
			if !p.Event(want+uint64(i), 24+8*(round%8)) {
				t.Fatalf("round %d: no room in an empty ring", round)
			}
		}
		times, seqs, lost := walk(t, r)
		if len(times) != 2 || times[0] != want || times[1] != want+1 || seqs[1] != want+1 || lost != 0 {
			t.Fatalf("round %d: times %d, seqs %d, lost %d, want %d and its successor", round, times, seqs, lost, want)
		}
		want += 2
	}
	if s := r.Stats(); s.Events != 200 || s.Lost != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestLossIsExact(t *testing.T) {
	p := ringtest.New(256)
	r := open(t, p)
	const n = 1000
	got, lost := uint64(0), uint64(0)
	for i := range n {
		p.Event(uint64(i), 40)
		if i%13 == 0 {
			times, _, l := walk(t, r)
			got += uint64(len(times))
			lost += l
		}
	}
	times, _, l := walk(t, r)
	got += uint64(len(times))
	lost += l
	p.Event(n, 8) // the gap at the end goes out with the next event
	times, _, l = walk(t, r)
	got += uint64(len(times))
	lost += l
	if got+lost != n+1 || lost == 0 {
		t.Errorf("%d read + %d lost of %d", got, lost, n+1)
	}
}

func TestNothingIsGivenBackBeforeRelease(t *testing.T) {
	p := ringtest.New(256)
	r := open(t, p)
	p.Event(1, 200) // 216 of 256 bytes
	r.Refill()
	r.Peek()
	r.Next()
	if p.Event(2, 40) {
		t.Error("the producer overwrote a frame that is still held")
	}
	r.Release()
	if !p.Event(3, 8) {
		t.Error("released memory is not free")
	}
}

func TestCorrupt(t *testing.T) {
	for name, spoil := range map[string]func(*ringtest.Producer){
		"length 0":         func(p *ringtest.Producer) { binary.LittleEndian.PutUint32(p.Data, 0) },
		"length odd":       func(p *ringtest.Producer) { binary.LittleEndian.PutUint32(p.Data, 33) },
		"length past head": func(p *ringtest.Producer) { binary.LittleEndian.PutUint32(p.Data, 1<<20) },
		"producer too far": func(p *ringtest.Producer) { binary.LittleEndian.PutUint64(p.Control[64:], 1<<40) },
	} {
		t.Run(name, func(t *testing.T) {
			p := ringtest.New(4096)
			r := open(t, p)
			p.Event(1, 64)
			spoil(p)
			for range 3 {
				if r.Refill() {
					if _, ok := r.Peek(); ok {
						t.Fatal("read a corrupt record")
					}
				}
			}
			if !errors.Is(r.Err(), ring.ErrCorrupt) {
				t.Errorf("Err() = %v", r.Err())
			}
		})
	}
}

func TestProducerMovesBack(t *testing.T) {
	p := ringtest.New(4096)
	r := open(t, p)
	p.Event(1, 64)
	walk(t, r)
	p.Event(2, 64)
	r.Refill()
	r.Peek()
	r.Next()
	binary.LittleEndian.PutUint64(p.Control[64:], 8)
	if r.Refill() || !errors.Is(r.Err(), ring.ErrCorrupt) {
		t.Errorf("Err() = %v", r.Err())
	}
}

func TestNewRefusesOddMemory(t *testing.T) {
	page := make([]byte, 4096)
	for name, m := range map[string][2][]byte{
		"short page": {page[:64], make([]byte, 8192)},
		"no data":    {page, nil},
		"odd data":   {page, make([]byte, 3*4096)},
		"unaligned":  {page[1:], make([]byte, 8192)},
	} {
		if _, err := ring.New(0, m[0], m[1]); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// A producer and a reader in two goroutines: run it with -race.
func TestTwoSides(t *testing.T) {
	p := ringtest.New(1 << 20)
	r := open(t, p)
	const n = 10000
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		for i := range n {
			p.Event(uint64(i), 16)
		}
	}()
	next := uint64(0)
	for next < n {
		times, _, lost := walk(t, r)
		if lost != 0 {
			t.Fatalf("%d lost in a ring that holds all", lost)
		}
		for _, ts := range times {
			if ts != next {
				t.Fatalf("read %d, expected %d", ts, next)
			}
			next++
		}
	}
	wg.Wait()
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte{}, uint64(0))
	rec := make([]byte, 64)
	binary.LittleEndian.PutUint32(rec, 64)
	f.Add(rec, uint64(64))
	f.Add(rec, uint64(128))
	gap := make([]byte, schema.ABIRecordPrefixBytes+schema.ABIGapBytes)
	binary.LittleEndian.PutUint32(gap, uint32(len(gap)))
	binary.LittleEndian.PutUint32(gap[4:], ring.Gap)
	f.Add(gap, uint64(len(gap)))
	f.Fuzz(func(t *testing.T, data []byte, pos uint64) {
		p := ringtest.New(4096)
		for i := 0; i < len(p.Data); i++ {
			if len(data) > 0 {
				p.Data[i] = data[i%4096%len(data)]
			}
		}
		r := open(t, p)
		binary.LittleEndian.PutUint64(p.Control[64:], pos)
		records := 0
		for r.Refill() {
			f, ok := r.Peek()
			if !ok {
				break
			}
			if f.Flags&ring.Gap != 0 {
				ring.ParseGap(f.Record)
			}
			r.Next()
			r.Release()
			if records++; records > 4096/8 {
				t.Fatal("more records than fit")
			}
		}
	})
}

func BenchmarkWalk(b *testing.B) {
	p := ringtest.New(1 << 20)
	r := open(b, p)
	for p.Event(1, 100) {
	}
	head := binary.LittleEndian.Uint64(p.Control[64:])
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; {
		r.Refill()
		for {
			if _, ok := r.Peek(); !ok {
				break
			}
			r.Next()
			i++
		}
		b.StopTimer()
		binary.LittleEndian.PutUint64(p.Control, 0)
		r = open(b, p)
		binary.LittleEndian.PutUint64(p.Control[64:], head)
		b.StartTimer()
	}
}
