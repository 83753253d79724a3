// SPDX-License-Identifier: Apache-2.0

package field

import (
	"github.com/falco-go/falco/pkg/state"
)

var evtFields = []Def{
	{Name: "evt.num", Type: Uint64, Desc: "Running number of the event, from 1; events that no rule looks at count too.",
		Get: func(s *state.Scene, _ *Arg, out []Value) []Value { return number(out, s.Event.Num) }},
}
