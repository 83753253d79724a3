// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"slices"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/field"
	"github.com/falco-go/falco/pkg/filter"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// Verdict is what is known of a rule and an event before the runtime has told of
// the event's container.
type Verdict struct {
	Rule *Rule
	Sure bool // it matches; else that depends on what the runtime tells
	Late bool // its output shows what the runtime tells
}

// Weigh is Match for a scene whose container nobody has told of yet: it appends the
// rules that match or may match, in load order. Where one rule is to be found, the
// last of them is the first that is sure.
func (s *Set) Weigh(scene *state.Scene, out []Verdict) []Verdict {
	choice := s.Choice(scene.Event)
	if choice == nil {
		return out
	}
	s.env.Begin(scene)
	s.weighs = choice.Weigh(s.env, s.weighs[:0])
	for _, v := range s.weighs {
		r := s.Rules[v.Rank]
		out = append(out, Verdict{r, v.Sure, r.late})
		if v.Sure && !s.all {
			break
		}
	}
	return out
}

// Row is an event that waits for its container to become known: all values that
// the rules which may match it read, but for those that are to come. It owns its
// memory, which it uses again.
type Row struct {
	set      *Set
	verdicts []Verdict
	kept     filter.Kept
	scene    state.Scene
	ts, num  uint64 // of the event
	lineage  []state.Command
	shared   int // bytes that only lineage may still hold on to
}

// Keep makes row the event of the scene that Weigh was given last, for the rules of
// the verdicts. c is the container that is waited for.
func (s *Set) Keep(row *Row, verdicts []Verdict, c *state.Container) {
	scene := s.env.Scene()
	s.slots = s.slots[:0]
	lines := false
	for i := range verdicts {
		s.slots = append(s.slots, verdicts[i].Rule.kept(s)...)
		lines = lines || verdicts[i].Rule.lines
	}
	slices.Sort(s.slots)
	s.env.Keep(slices.Compact(s.slots), &row.kept)
	row.set, row.verdicts = s, append(row.verdicts[:0], verdicts...)
	row.scene = state.Scene{State: scene.State, Container: c, FDNum: -1}
	row.ts, row.num = scene.Event.TS, scene.Event.Num
	if lines {
		row.keepLineage(scene)
	}
}

// keepLineage keeps what a process descends from as it is now.
func (row *Row) keepLineage(scene *state.Scene) {
	row.lineage = append(row.lineage[:0], scene.State.Lineage(scene.Thread)...)
	if row.lineage == nil {
		row.lineage = []state.Command{}
	}
	for _, c := range row.lineage {
		row.shared += len(c.Exe)
		for _, a := range c.Args {
			row.shared += len(a)
		}
	}
	row.scene.Lineage = row.lineage
}

// kept returns what has to be kept of an event to try r later.
func (r *Rule) kept(s *Set) []int32 {
	if r.slots == nil {
		r.slots = r.Output.AppendSlots(r.prog.AppendSlots(s.env, []int32{}))
		for i := range r.Extra {
			r.slots = r.Extra[i].Value.AppendSlots(r.slots)
		}
		slices.Sort(r.slots)
		r.slots = slices.Clip(slices.Compact(r.slots))
		r.lines = slices.ContainsFunc(r.Refs(), func(f *field.Ref) bool { return f.Def.Has(field.Lineage) })
	}
	return r.slots
}

// Decide appends the rules that match the event with what is known of its container
// now. Until the next call of Match, Weigh or Decide, Text and Fields of its set
// are about that event.
func (row *Row) Decide(matched []*Rule) []*Rule {
	s := row.set
	s.late = event.Event{TS: row.ts, Num: row.num, Tid: -1, Info: schema.EventType(0).Info()} // nothing else is asked for
	row.scene.Event = &s.late
	s.env.Resume(&row.kept, &row.scene)
	return s.Settle(row.verdicts, matched)
}

// Settle is Match for the scene that Weigh was given last, with what is known now.
func (s *Set) Settle(verdicts []Verdict, matched []*Rule) []*Rule {
	for _, v := range verdicts {
		if !v.Sure && !v.Rule.prog.Match(s.env) {
			continue
		}
		matched = append(matched, v.Rule)
		if !s.all {
			break
		}
	}
	return matched
}

// Set returns the set whose rules are tried.
func (row *Row) Set() *Set { return row.set }

// Size returns the bytes of memory that row holds on to.
func (row *Row) Size() int {
	return row.kept.Size() + 24*cap(row.verdicts) + 40*cap(row.lineage) + row.shared
}

// Free lets go of everything but memory that can be used again, of which it keeps no
// more than limit.
func (row *Row) Free(limit int) {
	if row.Size() > limit {
		*row = Row{}
		return
	}
	clear(row.verdicts)
	clear(row.lineage)
	row.set, row.verdicts, row.scene, row.lineage, row.shared = nil, row.verdicts[:0], state.Scene{}, row.lineage[:0], 0
}
