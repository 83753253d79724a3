// SPDX-License-Identifier: Apache-2.0

package filter_test

import (
	"maps"
	"math/rand"
	"slices"
	"testing"

	"github.com/falco-go/falco/pkg/field"
	"github.com/falco-go/falco/pkg/filter"
	"github.com/falco-go/falco/pkg/filter/filtertest"
	"github.com/falco-go/falco/pkg/state"
)

// lateToy is a toy some of whose fields are told later.
type lateToy struct {
	*toy
	late   map[string]bool
	closed bool // they have not been told yet
	early  []string
}

func newLateToy(rng *rand.Rand) *lateToy {
	f := &lateToy{toy: newToy(rng), late: map[string]bool{}}
	for _, d := range f.defs {
		if rng.Intn(3) > 0 {
			continue
		}
		d.Traits |= field.Metadata
		f.late[d.Name] = true
		get := d.Get
		d.Get = func(s *state.Scene, a *field.Arg, out []field.Value) []field.Value {
			if f.closed {
				f.early = append(f.early, d.Name)
			}
			return get(s, a, out)
		}
	}
	return f
}

// turnLate gives other values to the late fields alone, or to all others.
func (f *lateToy) turnLate(late bool) {
	before := map[string][]field.Value{}
	for name, v := range f.vals {
		before[name] = slices.Clone(v)
	}
	f.turn()
	for name, v := range before {
		if f.late[name] != late {
			f.vals[name] = v
		}
	}
}

// kleene is the truth of a tree as the book has it: 0 no, 1 maybe, 2 yes.
func (f *lateToy) kleene(e filter.Expr, w *filtertest.Walker) int {
	switch e := e.(type) {
	case *filter.And:
		out := 2
		for _, k := range e.Kids {
			out = min(out, f.kleene(k, w))
		}
		return out
	case *filter.Or:
		out := 0
		for _, k := range e.Kids {
			out = max(out, f.kleene(k, w))
		}
		return out
	case *filter.Not:
		return 2 - f.kleene(e.Kid, w)
	}
	p, err := (&filter.Compiler{Fields: f}).Compile(e)
	if err != nil {
		panic(err)
	}
	for _, r := range p.Refs {
		if f.late[r.Def.Name] {
			return 1
		}
	}
	if w.Match(e, nil) {
		return 2
	}
	return 0
}

// weighing compiles conditions together, weighs them before the late fields are told
// and compares with what comes out whatever is told. It returns how many verdicts
// were compared, and how many of them were sure.
func weighing(t *testing.T, seed int64) (all, sure int) {
	rng := rand.New(rand.NewSource(seed))
	f := newLateToy(rng)
	c := &filter.Compiler{Fields: f}
	var trees []filter.Expr
	var programs []filter.Ranked
	for i := range parts {
		text := f.condition(rng.Intn(4), 0)
		e, err := filter.Syntax{Depth: filter.RulesDepth}.Parse(&filter.Source{Text: text})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		p, err := c.Compile(e)
		if err != nil {
			t.Fatalf("seed %d: %s: %v", seed, text, err)
		}
		programs = append(programs, filter.Ranked{Program: p, Rank: int32(i)})
		trees = append(trees, e)
	}
	choice := c.NewChoice(programs)
	env := c.NewEnv()
	w := &filtertest.Walker{Fields: f}
	var kept filter.Kept
	for range 20 {
		f.turn()
		f.closed = true
		env.Begin(nil)
		verdicts := choice.Weigh(env, nil)
		var slots []int32
		for _, v := range verdicts {
			slots = programs[v.Rank].AppendSlots(env, slots)
		}
		slices.Sort(slots)
		env.Keep(slices.Compact(slots), &kept)
		f.closed = false
		if f.early != nil {
			t.Fatalf("seed %d: %v are read before they are told", seed, f.early)
		}
		of := map[int32]filter.Verdict{}
		last := int32(-1)
		for _, v := range verdicts {
			if v.Rank <= last {
				t.Fatalf("seed %d: verdicts out of order: %v", seed, verdicts)
			}
			last, of[v.Rank] = v.Rank, v
		}
		for i, e := range trees {
			v, there := of[int32(i)]
			all++
			if v.Sure {
				sure++
			}
			switch k := f.kleene(e, w); {
			case k == 2 && !v.Sure, k == 0 && there:
				t.Fatalf("seed %d: %s\nis decided (%d), and the verdict is %v, %v", seed, filter.Print(e), k, v, there)
			}
		}
		now := maps.Clone(f.vals)
		for name := range now {
			now[name] = slices.Clone(now[name])
		}
		for range 4 {
			f.turnLate(true)
			want := make([]bool, len(trees))
			for i, e := range trees {
				want[i] = w.Match(e, nil)
				if v, there := of[int32(i)]; want[i] && !there || !want[i] && v.Sure {
					t.Fatalf("seed %d: %s\nis %v once %v is told, and the verdict was %v, %v", seed, filter.Print(e), want[i], f.vals, v, there)
				}
			}
			f.turnLate(false) // the event is long gone
			env.Resume(&kept, nil)
			for _, v := range verdicts {
				if got := programs[v.Rank].Match(env); got != want[v.Rank] {
					t.Fatalf("seed %d: %s\nis %v when resumed, want %v", seed, filter.Print(trees[v.Rank]), got, want[v.Rank])
				}
			}
			for name, v := range now {
				if !f.late[name] {
					f.vals[name] = slices.Clone(v)
				}
			}
		}
	}
	return all, sure
}

// TestWeigh: what is decided before everything is told stays so whatever is told,
// what is not comes out right later, and no more is left open than has to be.
func TestWeigh(t *testing.T) {
	all, sure := 0, 0
	for seed := int64(1); seed <= 60; seed++ {
		a, s := weighing(t, seed)
		all, sure = all+a, sure+s
	}
	t.Logf("%d verdicts, %d of them sure", all, sure)
	if sure < all/50 {
		t.Error("hardly anything is decided at once")
	}
}

// FuzzWeigh is the same with seeds from the fuzzer.
func FuzzWeigh(f *testing.F) {
	f.Add(int64(0))
	f.Fuzz(func(t *testing.T, seed int64) { weighing(t, seed) })
}

// TestKeepOwns: what is kept does not change with what it was made of, and keeping
// the next event allocates nothing.
func TestKeepOwns(t *testing.T) {
	f := &filtertest.Fields{}
	c := &filter.Compiler{Fields: f}
	e, _ := filter.Syntax{}.Parse(&filter.Source{Text: "tolower(proc.name) = bash and proc.aname = sshd and fd.sip = 10.0.0.1"})
	p, err := c.Compile(e)
	if err != nil {
		t.Fatal(err)
	}
	env := c.NewEnv()
	slots := p.AppendSlots(env, nil)
	slices.Sort(slots)
	var kept filter.Kept
	f.Set(filtertest.Facts{"proc.name": "BASH", "proc.aname[1]": "init", "proc.aname[2]": "sshd", "fd.sip": "10.0.0.1"})
	env.Begin(nil)
	env.Keep(slots, &kept)
	f.Set(filtertest.Facts{"proc.name": "cat"})
	env.Begin(nil)
	if p.Match(env) {
		t.Fatal("another event matches")
	}
	env.Resume(&kept, nil)
	if !p.Match(env) {
		t.Error("the event that was kept does not match")
	}
	if n := testing.AllocsPerRun(100, func() { env.Resume(&kept, nil); env.Keep(slots, &kept) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if kept.Size() == 0 {
		t.Error("what is kept has no size")
	}
}
