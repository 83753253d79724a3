// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/falco-go/falco/pkg/alert"
	"github.com/falco-go/falco/pkg/format"
	"github.com/falco-go/falco/pkg/rules"
	"github.com/falco-go/falco/pkg/state"
)

// send makes an alert of a rule that matched and hands it to the outputs. What
// the alert holds is copied while the scene lasts.
func (p *pipeline) send(r *rules.Rule, scene *state.Scene) {
	p.counts[r.Index]++
	a := &alert.Alert{
		TimeNs: scene.Event.TS, Rule: r.Name, Source: r.Source, Severity: alert.Severity(r.Priority), Tags: r.Tags,
		Message: string(p.rules.Text(r, nil)),
	}
	for _, f := range p.rules.Fields(r, make([]format.Field, 0, 16)) {
		a.Fields = append(a.Fields, alert.Field(f))
	}
	p.emit(a)
}

// emit hands an alert to the outputs.
func (p *pipeline) emit(a *alert.Alert) {
	if p.limit != nil && !p.limit.take(a) {
		return
	}
	for _, q := range p.outputs {
		q.Send(a)
	}
}
