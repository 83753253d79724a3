// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/rules"
	"github.com/falco-go/falco/pkg/state"
)

func load(t testing.TB, f rules.File) *rules.Set {
	t.Helper()
	set, results := rules.Load([]rules.File{f}, rules.Options{Priority: rules.Debug})
	if set == nil {
		t.Fatalf("%.2000s", results[0].Text(true))
	}
	return set
}

func generate(t testing.TB, n int, k kind) rules.File {
	t.Helper()
	c, err := readCorpus()
	if err != nil {
		t.Fatal(err)
	}
	f, err := c.file(n, k)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// spring is where events come from.
type spring interface {
	round(look func(*state.State, *state.Scene)) error
}

// meter holds a set of rules and the figures of it. Others use this machine too:
// the least that has been measured in many short rounds is what it costs.
type meter struct {
	set     *rules.Set
	spring  spring
	matched []*rules.Rule

	load  time.Duration // of the processors
	heap  uint64        // bytes that the set holds
	event float64       // ns for decoding, state and rules
	again float64       // ns if each scene is matched so many times more
}

// match is what rules cost, in ns an event.
func (m *meter) match() float64 { return (m.again - m.event) / again }

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// again is how often each scene is matched to tell the rules' share apart.
const again = 4

func newMeter(t testing.TB, d spring, f rules.File) *meter {
	t.Helper()
	m := &meter{spring: d, matched: make([]*rules.Rule, 0, 16), event: math.Inf(1), again: math.Inf(1)}
	before := heap()
	begin := processorTime()
	m.set = load(t, f)
	m.load = processorTime() - begin
	m.heap = heap() - min(before, heap())
	m.round(t, 1) // warms up
	return m
}

// round plays all events once and returns the ns for one, if the rules look at
// each so many times.
func (m *meter) round(t testing.TB, times int) float64 {
	t.Helper()
	events := 0
	begin := processorTime()
	err := m.spring.round(func(_ *state.State, s *state.Scene) {
		events++
		for range times {
			m.matched = m.set.Match(s, m.matched[:0])
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return float64((processorTime() - begin).Nanoseconds()) / float64(events)
}

// measure plays rounds for a while; more of them make the figures better.
func (m *meter) measure(t testing.TB) {
	t.Helper()
	for n, begin := 0, time.Now(); n < 3 || n < 100 && time.Since(begin) < 600*time.Millisecond; n++ {
		m.event, m.again = min(m.event, m.round(t, 1)), min(m.again, m.round(t, 1+again))
	}
}

// TestTable prints how the cost of an event grows with the number of rules, for
// make bench.
func TestTable(t *testing.T) {
	if os.Getenv("FALCO_BENCH") == "" {
		t.Skip("FALCO_BENCH=1 prints the table")
	}
	c, err := readCorpus()
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("Rules made of %d stock rules. What differs between copies:\n", len(c.rules))
	fmt.Println("literals (in the rules; macros and lists are shared), names (nothing else), all (macros and lists too).")
	fmt.Println("Times are those of the processor, so that others on the machine count for little.")
	table(t, c, "scripted events", newDay())
	for _, name := range []string{"libs0254-adaptive", "libs0254-d-net"} {
		if r, err := openRecording(name); err == nil {
			table(t, c, name, r)
		}
	}
}

func table(t *testing.T, c *corpus, name string, d spring) {
	fmt.Printf("\n%s\n", name)
	fmt.Printf("%-9s %6s %9s %9s %11s %9s %9s %6s\n", "differ", "rules", "load", "memory", "events/s", "ns/event", "ns/rules", "ratio")
	for _, k := range []kind{literals, names, all} {
		hundred := 0.0
		for _, n := range []int{25, 100, 1000, 10000} {
			f, err := c.file(n, k)
			if err != nil {
				t.Fatal(err)
			}
			g := newMeter(t, d, f)
			g.measure(t)
			if n == 100 {
				hundred = g.match()
			}
			ratio := "-"
			if n > 100 {
				ratio = fmt.Sprintf("%.2f", g.match()/hundred)
			}
			fmt.Printf("%-9s %6d %9s %7.1fMB %11.0f %9.0f %9.0f %6s\n", k, n, g.load.Round(time.Millisecond), float64(g.heap)/1e6, 1e9/g.event, g.event, g.match(), ratio)
		}
	}
}

// TestGrowth holds the promise: an event costs at most twice as much with ten
// thousand rules as with a hundred, whatever differs between them, on events of
// our own and, in the long form, on recorded ones. Others on the machine take the
// caches that many rules want: the two are measured in turns, and the least of
// many rounds counts.
func TestGrowth(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	springs := map[string]spring{"scripted": newDay()}
	if r, err := openRecording("libs0254-d-net"); err == nil && os.Getenv("FALCO_LONG") != "" {
		springs["libs0254-d-net"] = r
	}
	for name, d := range springs {
		for _, k := range []kind{literals, names, all} {
			few, many := newMeter(t, d, generate(t, 100, k)), newMeter(t, d, generate(t, 10000, k))
			dear := true
			for n := 0; n < 20 && dear; n++ { // a busy machine needs more rounds for a quiet one
				few.measure(t)
				many.measure(t)
				dear = many.match() > 2*few.match()
			}
			if dear {
				t.Errorf("%s, %s: %.0f ns an event for 10,000 rules, %.0f for 100", name, k, many.match(), few.match())
			}
			t.Logf("%s, %s: %.0f ns an event for 10,000 rules, %.0f for 100; loaded in %s", name, k, many.match(), few.match(), many.load)
		}
	}
}

// processorTime is what this program has had of the processors, collecting
// garbage included.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // no such call: not on Linux
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestLoadGrowth holds that loading takes no more a rule when there are many: in
// memory asked for, which no other program on the machine has a say in. The time
// is told, and held to three seconds of the processor in the long form.
func TestLoadGrowth(t *testing.T) {
	cost := func(n int, k kind) (bytes, count uint64, took time.Duration) {
		f := generate(t, n, k)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		begin := processorTime()
		load(t, f)
		took = processorTime() - begin
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc, after.Mallocs - before.Mallocs, took
	}
	for _, k := range []kind{literals, names, all} {
		fewBytes, fewCount, _ := cost(1000, k)
		bytes, count, took := cost(10000, k)
		if bytes > 11*fewBytes || count > 11*fewCount {
			t.Errorf("%s: 10,000 rules ask for %d bytes in %d pieces, 1,000 for %d in %d", k, bytes, count, fewBytes, fewCount)
		}
		if took > 3*time.Second && os.Getenv("FALCO_LONG") != "" {
			t.Errorf("%s: loading 10,000 rules takes %s of the processor", k, took)
		}
		t.Logf("%s: 10,000 rules load in %s of the processor, %.0f MB in %d pieces; 1,000 take %.1f%% of that", k, took.Round(time.Millisecond), float64(bytes)/1e6, count,
			100*float64(fewBytes)/float64(bytes))
	}
}

// TestMatchAllocatesNothing counts what a thousand rules allocate while nothing
// matches or all that matches is listed.
func TestMatchAllocatesNothing(t *testing.T) {
	d := newDay()
	set := load(t, generate(t, 1000, literals))
	matched := make([]*rules.Rule, 0, 16)
	round := func(times int) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := d.round(func(_ *state.State, s *state.Scene) {
			for range times {
				matched = set.Match(s, matched[:0])
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		return after.Mallocs - before.Mallocs
	}
	round(1)
	round(1)
	without, with := round(0), round(10)
	if with > without+uint64(len(d.records))/100 {
		t.Errorf("%d allocations without rules, %d when each of %d events is matched ten times", without, with, len(d.records))
	}
}

func benchmark(b *testing.B, n int) {
	d := newDay()
	set := load(b, generate(b, n, literals))
	matched := make([]*rules.Rule, 0, 16)
	b.ReportAllocs()
	events := 0
	for b.Loop() {
		err := d.round(func(_ *state.State, s *state.Scene) {
			events++
			matched = set.Match(s, matched[:0])
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
}

func BenchmarkRules25(b *testing.B)    { benchmark(b, 25) }
func BenchmarkRules100(b *testing.B)   { benchmark(b, 100) }
func BenchmarkRules1000(b *testing.B)  { benchmark(b, 1000) }
func BenchmarkRules10000(b *testing.B) { benchmark(b, 10000) }

func BenchmarkLoad10000(b *testing.B) {
	f := generate(b, 10000, literals)
	b.ReportAllocs()
	for b.Loop() {
		load(b, f)
	}
}
