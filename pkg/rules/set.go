// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"encoding/binary"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/field"
	"github.com/falco-go/falco/pkg/filter"
	"github.com/falco-go/falco/pkg/format"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// syscallSource is the event source whose rules are filed by event type.
const syscallSource = "syscall"

// asyncEvent reaches every rule: what it is about is within it.
const asyncEvent = schema.AsynceventE

// Set is a compiled collection of rules.
type Set struct {
	Rules []*Rule // all that were loaded, in load order; not all of them run

	EngineVersion string // the largest required_engine_version, "" if there is none

	all    bool
	byType []*filter.Choice // by event type, nil where no rule asks
	byCall []*filter.Choice // of the generic events, by system call
	events filter.EventSet
	env    *filter.Env
	found  []int32 // places of the rules that match
	weighs []filter.Verdict
	slots  []int32
	late   event.Event // that a row is about
	costs  costs

	compiler *filter.Compiler // until everything is compiled

	pluginNeeds []pluginNeed
	lists       lists
	macros      []*macroTree
}

// run decides which rules run.
func (s *Set) run(threshold Priority) {
	for _, r := range s.Rules {
		if r.Enabled && r.Priority <= threshold {
			r.runs = true
			s.events = s.events.Union(r.Events)
		}
	}
}

// file makes a Choice of the rules for each event type and each system call
// without a type. What their conditions say about the type itself is decided
// here; types for which the same remains share a Choice.
func (s *Set) file() {
	types, calls := make([][]*Rule, len(schema.Events)), make([][]*Rule, len(schema.Syscalls))
	for _, r := range s.Rules {
		if !r.runs || r.Source != syscallSource {
			continue
		}
		events := r.Events
		events.AddType(asyncEvent)
		for _, t := range events.Types() {
			types[t] = append(types[t], r)
		}
		for _, c := range events.Calls() {
			if schema.Syscalls[c].Exit == schema.GenericX {
				calls[c] = append(calls[c], r)
			}
		}
	}
	var scenes []*state.Scene
	for t := range types {
		scenes = append(scenes, &state.Scene{Event: &event.Event{Type: schema.EventType(t), Info: schema.EventType(t).Info()}, FDNum: -1})
	}
	for c := range calls {
		scenes = append(scenes, &state.Scene{Event: genericEvent(schema.SyscallCode(c)), FDNum: -1})
	}
	typings := s.compiler.Typings(scenes)
	// What these are called is in the event, not in its type.
	for _, t := range []schema.EventType{asyncEvent, schema.GenericX, schema.GenericE} {
		typings[t] = nil
	}
	f := filing{compiler: s.compiler, known: map[string]*filter.Choice{}}
	s.byType, s.byCall = make([]*filter.Choice, len(types)), make([]*filter.Choice, len(calls))
	for t, rules := range types {
		s.byType[t] = f.choice(rules, typings[t])
	}
	for c, rules := range calls {
		s.byCall[c] = f.choice(rules, typings[len(types)+c])
	}
}

// genericEvent returns an event of a system call that has no type of its own.
func genericEvent(call schema.SyscallCode) *event.Event {
	raw := make([]byte, schema.HeaderSize, schema.HeaderSize+4)
	binary.LittleEndian.PutUint16(raw[20:], uint16(schema.GenericX))
	binary.LittleEndian.PutUint32(raw[22:], 1)
	raw = binary.LittleEndian.AppendUint16(raw, 2)
	raw = binary.LittleEndian.AppendUint16(raw, uint16(call))
	binary.LittleEndian.PutUint32(raw[16:], uint32(len(raw)))
	e := new(event.Event)
	if _, err := e.Decode(raw); err != nil {
		panic("rules: " + err.Error()) // our own schema does not read our own record
	}
	return e
}

// filing makes choices, one for equal sets of conditions.
type filing struct {
	compiler *filter.Compiler
	known    map[string]*filter.Choice
	key      []byte
}

func (f *filing) choice(rules []*Rule, t *filter.Typing) *filter.Choice {
	programs := make([]filter.Ranked, 0, len(rules))
	f.key = f.key[:0]
	for _, r := range rules {
		p := r.prog
		if t != nil {
			p = t.Decide(p)
		}
		if !p.Never() {
			programs = append(programs, filter.Ranked{Program: p, Rank: int32(r.Index)})
			f.key = p.AppendKey(binary.LittleEndian.AppendUint32(f.key, uint32(r.Index)))
		}
	}
	if len(programs) == 0 {
		return nil
	}
	c, ok := f.known[string(f.key)]
	if !ok {
		c = f.compiler.NewChoice(programs)
		f.known[string(f.key)] = c
	}
	return c
}

// finish makes s ready for Match.
func (s *Set) finish(c *collection) {
	s.EngineVersion, s.pluginNeeds, s.lists = c.engine, c.plugins, c.lists
	s.selectRules(c.opts)
	s.run(c.opts.Priority)
	s.file()
	s.env = s.compiler.NewEnv()
	s.compiler = nil
	s.costs.start(s.Rules)
}

// Match appends the rules that match the scene to matched, in load order: the
// first one, or all. It allocates nothing if matched has room. Rules of other
// sources than syscall never match a scene.
func (s *Set) Match(scene *state.Scene, matched []*Rule) []*Rule {
	if choice := s.Choice(scene.Event); choice != nil {
		return s.MatchOf(choice, scene, matched)
	}
	return matched
}

// MatchOf is Match for whoever has asked for the Choice of the scene's event already.
func (s *Set) MatchOf(choice *filter.Choice, scene *state.Scene, matched []*Rule) []*Rule {
	if s.costs.left--; s.costs.left <= 0 {
		s.sample(scene)
	}
	if s.env.Begin(scene); choice.Shut(s.env) {
		return matched
	}
	return s.match(choice, matched)
}

// match appends those of choice that match the scene.
func (s *Set) match(choice *filter.Choice, matched []*Rule) []*Rule {
	if !s.all {
		if i := choice.First(s.env); i >= 0 {
			matched = append(matched, s.Rules[i])
		}
		return matched
	}
	s.found = choice.All(s.env, s.found[:0])
	for _, i := range s.found {
		matched = append(matched, s.Rules[i])
	}
	return matched
}

// Choice returns the rules that may match e, nil if there are none.
func (s *Set) Choice(e *event.Event) *filter.Choice {
	if e.Type <= schema.GenericX || int(e.Type) >= len(s.byType) {
		return s.choiceOfCall(e)
	}
	return s.byType[e.Type]
}

// choiceOfCall is Choice for the first two types, those of calls without one of their own.
func (s *Set) choiceOfCall(e *event.Event) *filter.Choice {
	if code, ok := e.Uint(0); ok && code < uint64(len(s.byCall)) {
		return s.byCall[code]
	}
	if int(e.Type) < len(s.byType) {
		return s.byType[e.Type]
	}
	return nil
}

// Text appends the output of r for the scene that Match was given last.
func (s *Set) Text(r *Rule, dst []byte) []byte { return r.Output.Append(dst, s.env) }

// Fields appends what r's output names, and the extra fields, for the scene
// that Match was given last. The values own their memory.
func (s *Set) Fields(r *Rule, out []format.Field) []format.Field {
	out = r.Output.AppendFields(out, s.env)
	for i := range r.Extra {
		e := &r.Extra[i]
		if e.Raw {
			out = append(out, format.Field{Key: e.Key, Value: e.Value.Raw(s.env)})
		} else {
			out = append(out, format.Field{Key: e.Key, Value: string(e.Value.Append(nil, s.env))})
		}
	}
	return out
}

// Events returns the events that some rule which runs can match: what the
// kernel has to send, besides what the state needs.
func (s *Set) Events() filter.EventSet { return s.events }

// Refs returns the fields that r reads, in its condition and in its output.
func (r *Rule) Refs() []*field.Ref {
	out := append([]*field.Ref(nil), r.prog.Refs...)
	out = append(out, r.Output.Refs()...)
	for _, e := range r.Extra {
		out = append(out, e.Value.Refs()...)
	}
	return out
}

// Reads reports whether a rule that runs reads a field with all of these traits.
func (s *Set) Reads(t field.Traits) bool {
	for _, r := range s.Rules {
		if !r.runs {
			continue
		}
		for _, ref := range r.Refs() {
			if ref.Def.Has(t) {
				return true
			}
		}
	}
	return false
}

// Explain returns what the condition of r has become: its parts in the order of
// evaluation, each with the places that it comes from. Part.From tells these as
// files and lines (filter.Pos.Where).
func (s *Set) Explain(r *Rule) filter.Part { return s.env.Explain(&r.prog) }

// Runs reports whether r is among the rules that are tried.
func (s *Set) Runs(r *Rule) bool { return r.runs }
