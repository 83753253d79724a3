// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/falco-go/falco/pkg/rules"

// swap makes the loop match with another set from the next event on. Only the
// loop itself calls it (through its mail, once it runs), and so between two
// events: each event meets one set, whole. What has been loaded is complete and
// has its own memory, so that nothing is left to do here. Counts belong to the
// rules of one set and begin anew.
func (p *pipeline) swap(set *rules.Set) {
	p.rules, p.counts = set, make([]uint64, len(set.Rules))
}
