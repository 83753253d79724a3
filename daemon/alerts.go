// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/falco-go/falco/pkg/alert"
	"github.com/falco-go/falco/pkg/format"
	"github.com/falco-go/falco/pkg/rules"
)

// send makes an alert of a rule that matched the event of the scene at hand, and
// lets it go behind what is older.
func (p *pipeline) send(set *rules.Set, r *rules.Rule, ts uint64) {
	a := p.alertOf(set, r, ts)
	d := &p.later
	if len(d.queue) == 0 {
		p.emit(a)
		return
	}
	d.stats.Behind++
	d.queue = append(d.queue, &waiting{alert: a})
}

// alertOf makes an alert of a rule that matched. What it holds is copied while the
// values last that the set has been given.
func (p *pipeline) alertOf(set *rules.Set, r *rules.Rule, ts uint64) *alert.Alert {
	p.count(set, r)
	a := &alert.Alert{
		TimeNs: ts, Rule: r.Name, Source: r.Source, Severity: alert.Severity(r.Priority), Tags: r.Tags,
		Message: string(set.Text(r, nil)),
	}
	for _, f := range set.Fields(r, make([]format.Field, 0, 16)) {
		a.Fields = append(a.Fields, alert.Field(f))
	}
	return a
}

// count counts an alert. A rule of a set that is no longer in force counts for the
// one that is called the same.
func (p *pipeline) count(set *rules.Set, r *rules.Rule) {
	if set == p.rules {
		p.counts[r.Index]++
		return
	}
	for i, now := range p.rules.Rules {
		if now.Name == r.Name {
			p.counts[i]++
			return
		}
	}
}

// emit hands an alert to the outputs.
func (p *pipeline) emit(a *alert.Alert) {
	if p.limit != nil && !p.limit.take(a) {
		return
	}
	if p.ids != nil {
		a.ID = p.ids.Next()
	}
	for _, q := range p.outputs {
		q.Send(a)
	}
}
