// SPDX-License-Identifier: Apache-2.0

package rules

import (
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
	byType [][]*Rule // by event type
	byCall [][]*Rule // of the generic events, by system call
	events filter.EventSet
	env    *filter.Env

	compiler *filter.Compiler

	pluginNeeds []pluginNeed
	lists       []*listItem
	macros      []*macroTree
}

// file puts the rules that run under the event types that they can match.
func (s *Set) file(threshold Priority) {
	s.byType = make([][]*Rule, len(schema.Events))
	s.byCall = make([][]*Rule, len(schema.Syscalls))
	for _, r := range s.Rules {
		if !r.Enabled || r.Priority > threshold {
			continue
		}
		r.runs = true
		events := r.Events
		events.AddType(asyncEvent)
		s.events = s.events.Union(r.Events)
		for _, t := range events.Types() {
			s.byType[t] = append(s.byType[t], r)
		}
		for _, c := range events.Calls() {
			if schema.Syscalls[c].Exit == schema.GenericX {
				s.byCall[c] = append(s.byCall[c], r)
			}
		}
	}
}

// finish makes s ready for Match.
func (s *Set) finish(c *collection) {
	s.EngineVersion, s.pluginNeeds, s.lists = c.engine, c.plugins, c.lists
	s.selectRules(c.opts)
	s.file(c.opts.Priority)
	s.env = s.compiler.NewEnv()
}

// Match appends the rules that match the scene to matched, in load order: the
// first one, or all. It allocates nothing if matched has room. Rules of other
// sources than syscall never match a scene.
func (s *Set) Match(scene *state.Scene, matched []*Rule) []*Rule {
	e := scene.Event
	if int(e.Type) >= len(s.byType) {
		return matched
	}
	rules := s.byType[e.Type]
	if e.Type == schema.GenericX || e.Type == schema.GenericE {
		if code, ok := e.Uint(0); ok && code < uint64(len(s.byCall)) {
			rules = s.byCall[code]
		}
	}
	s.env.Begin(scene)
	for _, r := range rules {
		if r.Source == syscallSource && r.prog.Match(s.env) {
			matched = append(matched, r)
			if !s.all {
				break
			}
		}
	}
	return matched
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

// Runs reports whether r is among the rules that are tried.
func (s *Set) Runs(r *Rule) bool { return r.runs }
