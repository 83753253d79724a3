// SPDX-License-Identifier: Apache-2.0

package field

import (
	"testing"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// allRefs returns each field, with an argument if it must have one, and once
// more with an argument if it may have one.
func allRefs(t testing.TB) (out []*Ref) {
	add := func(token string) {
		r, err := Parse(token)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	for _, d := range Catalogue {
		if d.Args&ArgRequired == 0 {
			add(d.Name)
		}
		switch {
		case d.Name == "evt.abspath":
			add(d.Name + ".dst")
		case d.Name == "evt.arg" || d.Name == "evt.rawarg":
			for name := range paramNames {
				add(d.Name + "." + name)
			}
		case d.Name == "evt.type.is":
			add(d.Name + ".open")
		case d.Args&ArgIndex != 0:
			add(d.Name + "[0]")
			add(d.Name + "[1]")
			add(d.Name + "[100000]")
		case d.Args&ArgDot != 0:
			add(d.Name + ".cpu")
		}
		if d.Args&ArgKey != 0 {
			add(d.Name + "[HOME]")
		}
	}
	return out
}

// Nothing that an event lacks makes a getter panic, and all values can be printed.
func TestEveryFieldOnEveryEvent(t *testing.T) {
	w := newWorld(t)
	w.clone(40, 40, 30, 0)
	w.open(40, 5, "/etc/x", schema.ORdwr, 0)
	w.socket(40, 7, schema.AfInet6, 1, 6)
	known := w.connect(40, 7, "[2001:db8::1]:5", "[2001:db8::2]:80")
	thread, fd := known.Thread, known.FD
	lone := &state.Thread{Tid: 77, Pid: -1, Ptid: -1}

	refs := allRefs(t)
	var vals []Value
	var buf []byte
	for i := range schema.Events {
		typ := schema.EventType(i)
		for _, ev := range []*event.Event{
			eventtest.New(typ).Event(),
			eventtest.New(typ).Params(0).Event(),
			zeroes(typ),
		} {
			for _, s := range []*state.Scene{
				{Event: ev, FDNum: -1, State: w.st},
				{Event: ev, FDNum: 7, State: w.st, FD: fd, Thread: thread},
				{Event: ev, FDNum: 9, State: w.st, Thread: lone},
			} {
				for _, r := range refs {
					vals = r.Values(s, vals[:0])
					if len(vals) > 1 && !r.Def.Has(Multi) && !r.Def.Has(List) {
						t.Fatalf("%s: %s has %d values", ev.Info.ID, r.Token, len(vals))
					}
					vals = r.OutputValues(s, vals[:0])
					for i := range vals {
						buf = r.AppendText(buf[:0], vals[i])
						if r.Type != String && r.Type != Path && r.Type != Other && len(buf) == 0 && vals[i].Str == "" && r.Type != Bytes {
							t.Fatalf("%s: %s prints nothing", ev.Info.ID, r.Token)
						}
					}
				}
			}
		}
	}
}

// zeroes returns an event whose parameters are all there, and full of zeroes.
func zeroes(typ schema.EventType) *event.Event {
	b := eventtest.New(typ)
	for _, p := range typ.Info().Params {
		n := p.Type.Width()
		if n == 0 {
			n = 3
		}
		b.Raw(make([]byte, n))
	}
	return b.Event()
}

// In steady state reading a field allocates nothing, text that has to be
// composed included.
func TestReadingDoesNotAllocate(t *testing.T) {
	w := newWorld(t)
	w.clone(40, 40, 30, 0)
	w.exec(40, 30, "Cat", func(b *eventtest.Builder) { b.Set("args", []string{"-l", "/tmp"}) })
	w.socket(40, 7, schema.AfInet, 1, 6)
	scenes := map[string]func() *state.Scene{
		"open":    func() *state.Scene { return w.open(40, 5, "a/b/c", schema.ORdwr, 0) },
		"connect": func() *state.Scene { return w.connect(40, 7, "10.0.0.1:5", "10.0.0.2:80") },
	}
	refs := allRefs(t)
	vals := make([]Value, 0, 64)
	for name, scene := range scenes {
		s := scene()
		for _, r := range refs {
			r.Values(s, vals[:0]) // the buffer grows once
			r.OutputValues(s, vals[:0])
			if n := testing.AllocsPerRun(10, func() {
				r.Values(s, vals[:0])
				r.OutputValues(s, vals[:0])
			}); n != 0 {
				t.Errorf("%s: reading %s makes %v allocations", name, r.Token, n)
			}
		}
	}
}

func BenchmarkFields(b *testing.B) {
	w := newWorld(b)
	w.clone(40, 40, 30, 0)
	s := w.open(40, 5, "/etc/shadow", schema.ORdwr, 0)
	for _, token := range []string{"evt.type", "proc.name", "fd.name", "proc.aname[2]", "evt.arg.flags", "evt.args", "fd.directory"} {
		b.Run(token, func(b *testing.B) {
			r, err := Parse(token)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			var vals []Value
			for b.Loop() {
				vals = r.Values(s, vals[:0])
			}
		})
	}
}
