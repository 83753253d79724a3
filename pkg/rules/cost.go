// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"time"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/field"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// Match finds rules without trying each, and what conditions have in common it looks
// at once, so that no time of it belongs to one rule. To tell what a rule costs, its
// condition is evaluated by itself, for two rules of few events: in the end of one in
// about four thousand, in the beginning of more. Each sample stands for the events
// since the one before and for the rules that were not looked at.

// Cost is what a rule would take if it were the only one: an estimate.
type Cost struct {
	Events uint64 // whose type its condition is about
	Time   time.Duration
}

const (
	costFirst = 32   // events until the first sample; each next one is a little farther away
	costMost  = 4096 // events between two samples, about
	costLooks = 2    // rules that a sample looks at
)

type costs struct {
	left  int32 // events until the next sample
	gap   int32 // events that it stands for
	mean  int32 // of gaps, now
	dice  uint32
	next  int           // in rules, where the next sample goes on
	clock time.Duration // what two looks at the clock are apart at least
	rules []*Rule
	sums  []costSum // by Rule.Index
}

type costSum struct{ events, ns uint64 }

// start makes c ready for the rules that can be tried twice for one event.
func (c *costs) start(all []*Rule) {
	*c = costs{left: costFirst, gap: costFirst, mean: costFirst, dice: 2463534242, sums: make([]costSum, len(all))}
	for _, r := range all {
		if r.runs && r.Source == syscallSource && !r.counts() {
			c.rules = append(c.rules, r)
		}
	}
	c.clock = time.Hour
	for range 16 {
		c.clock = min(c.clock, time.Since(time.Now()))
	}
}

// counts reports whether a field of the condition counts how often it is asked.
func (r *Rule) counts() bool {
	for _, ref := range r.prog.Refs {
		if ref.Def.Has(field.Stateful) {
			return true
		}
	}
	return false
}

// sample tries a few rules on scene, alone.
func (s *Set) sample(scene *state.Scene) {
	c := &s.costs
	for range min(costLooks, len(c.rules)) {
		if c.next++; c.next >= len(c.rules) {
			c.next = 0
		}
		r := c.rules[c.next]
		if !r.asked(scene.Event) {
			continue
		}
		sum := &c.sums[r.Index]
		sum.events += uint64(c.gap)
		sum.ns += uint64(c.gap) * uint64(max(0, min(s.time(r, scene), s.time(r, scene))-c.clock))
	}
	c.mean = min(c.mean+1, costMost)
	c.dice ^= c.dice << 13
	c.dice ^= c.dice >> 17
	c.dice ^= c.dice << 5
	c.gap = c.mean/2 + int32(c.dice%uint32(c.mean)) // so that no rhythm of the events meets that of the samples
	c.left = c.gap
}

// time is how long r's condition takes on scene if nothing is known of that yet. Whoever
// asks twice and takes less sees nothing of others that the machine has let run.
func (s *Set) time(r *Rule, scene *state.Scene) time.Duration {
	s.env.Begin(scene)
	begin := time.Now()
	r.prog.Match(s.env)
	return time.Since(begin)
}

// asked reports whether events of e's kind can match r.
func (r *Rule) asked(e *event.Event) bool {
	if e.Type == schema.GenericX || e.Type == schema.GenericE {
		code, ok := e.Uint(0)
		return ok && code < uint64(len(schema.Syscalls)) && r.Events.HasCall(schema.SyscallCode(code))
	}
	return r.Events.HasType(e.Type)
}

// Costs estimates what each rule costs, by Rule.Index, since the set was made. It
// belongs to the goroutine that calls Match.
func (s *Set) Costs() []Cost {
	c := &s.costs
	out := make([]Cost, len(s.Rules))
	for _, r := range c.rules {
		others := float64(len(c.rules)) / float64(min(costLooks, len(c.rules)))
		sum := &c.sums[r.Index]
		out[r.Index] = Cost{Events: uint64(float64(sum.events) * others), Time: time.Duration(float64(sum.ns) * others)}
	}
	return out
}
