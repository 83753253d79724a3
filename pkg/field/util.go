// SPDX-License-Identifier: Apache-2.0

package field

import "github.com/falco-go/falco/pkg/state"

var utilFields = []Def{
	{Name: "util.cnt", Type: Uint64, Traits: Stateful | Hidden, Get: countUp,
		Desc: "How often this very check has looked at it, from 1."},
}

func countUp(_ *state.Scene, a *Arg, out []Value) []Value {
	a.last++
	return number(out, a.last)
}
