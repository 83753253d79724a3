// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/falco-go/falco/pkg/rules"

// tally is how often a rule has matched.
type tally struct {
	name     string
	priority rules.Priority
	n        uint64
}

// tallies lists the counts of the rules in force.
func (p *pipeline) tallies() (out []tally) {
	for i, r := range p.rules.Rules {
		out = append(out, tally{r.Name, r.Priority, p.counts[i]})
	}
	return out
}

// carry counts on where before ended, after a swap. It returns those of before
// whose rules are gone.
func (p *pipeline) carry(before []tally) (gone []tally) {
	place := make(map[string]int, len(p.rules.Rules))
	for i, r := range p.rules.Rules {
		place[r.Name] = i
	}
	for _, t := range before {
		if i, there := place[t.name]; there {
			p.counts[i] += t.n
		} else if t.n > 0 {
			gone = append(gone, t)
		}
	}
	return gone
}

// swap makes the loop match with another set from the next event on. Only the
// loop itself calls it (through its mail, once it runs), and so between two
// events: each event meets one set, whole. What has been loaded is complete and
// has its own memory, so that nothing is left to do here. Counts belong to the
// rules of one set and begin anew; carry takes them over.
func (p *pipeline) swap(set *rules.Set) {
	p.rules, p.counts = set, make([]uint64, len(set.Rules))
}
