// SPDX-License-Identifier: Apache-2.0

package field

import (
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/state"
)

// What the kernel says about the file that a call has opened, beside what the
// call's memory says. Neither field has a value where the kernel said nothing:
// the call failed, opened no file, or comes from a capture without it.

func realpath(s *state.Scene, _ *Arg, out []Value) []Value {
	path, ok := s.Event.Realpath()
	if !ok {
		return out
	}
	return text(out, event.View(path))
}

// mismatch compares with what rules read as fd.name: the name from before the
// call, where there was an enter event, else from after it.
func mismatch(s *state.Scene, _ *Arg, out []Value) []Value {
	path, ok := s.Event.Realpath()
	if !ok || s.FD == nil {
		return out
	}
	return boolean(out, event.View(path) != s.FD.Name)
}
