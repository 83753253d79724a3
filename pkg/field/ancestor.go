// SPDX-License-Identifier: Apache-2.0

package field

import (
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/state"
)

// The proc.a* family. With a number it reads one ancestor, counted in processes
// and with 0 for the process itself. Without one a condition holds if it holds
// for any ancestor, so that the getter gives all of them.

const ancestorTraits = Multi | NoRHS | NoTransform

func ancestors(f func(*state.Scene, *state.Thread) string) getter {
	return func(s *state.Scene, a *Arg, out []Value) []Value {
		if s.Thread == nil {
			return out
		}
		if a.Given {
			if t := s.State.Ancestor(s.Thread, a.Index); t != nil {
				return text(out, f(s, t))
			}
			return out
		}
		for w := s.State.Walk(s.Thread); w.Next(); {
			out = text(out, f(s, w.Thread))
		}
		return out
	}
}

// ancestorArgs joins the arguments of all ancestors to one text, for conditions
// too: there is no search.
func ancestorArgs(s *state.Scene, a *Arg, out []Value) []Value {
	if s.Thread == nil {
		return out
	}
	if a.Given {
		if t := s.State.Ancestor(s.Thread, a.Index); t != nil {
			return text(out, a.join(t.Args))
		}
		return out
	}
	a.buf = a.buf[:0]
	for w := s.State.Walk(s.Thread); w.Next(); {
		if len(w.Thread.Args) > 0 && len(a.buf) > 0 {
			a.buf = append(a.buf, ' ')
		}
		a.buf = appendJoined(a.buf, w.Thread.Args)
	}
	if len(a.buf) == 0 {
		return out
	}
	return text(out, event.View(a.buf))
}

func ancestorPid(s *state.Scene, a *Arg, out []Value) []Value {
	if s.Thread == nil {
		return out
	}
	if a.Given {
		if t := s.State.Ancestor(s.Thread, a.Index); t != nil {
			return number(out, uint64(t.Pid))
		}
		return out
	}
	for w := s.State.Walk(s.Thread); w.Next(); {
		out = number(out, uint64(w.Thread.Pid))
	}
	return out
}

// printAncestorPid shows the process's own id where no ancestor is named.
func printAncestorPid(s *state.Scene, a *Arg, out []Value) []Value {
	if !a.Given {
		return procPid(s, a, out)
	}
	return ancestorPid(s, a, out)
}

// maxEnvSteps bounds the search for an ancestor with a variable.
const maxEnvSteps = 20

// ancestorEnv searches the environments of all ancestors, as texts; that a
// number is given makes no difference. With a name it is the value that the
// nearest ancestor has, empty if none has one.
func ancestorEnv(s *state.Scene, a *Arg, out []Value) []Value {
	if s.Thread == nil {
		return out
	}
	if a.Given && a.Index < 0 {
		return text(out, inheritedEnv(s, a.Text))
	}
	// All texts share a buffer: they are cut out of it when it has stopped growing.
	a.buf, a.cuts = a.buf[:0], a.cuts[:0]
	for w := s.State.Walk(s.Thread); w.Next(); {
		a.buf = appendJoined(a.buf, s.State.Env(w.Thread))
		a.cuts = append(a.cuts, len(a.buf))
	}
	start := 0
	for _, end := range a.cuts {
		out = text(out, event.View(a.buf[start:end]))
		start = end
	}
	return out
}

func inheritedEnv(s *state.Scene, name string) string {
	for n := 1; n <= maxEnvSteps; n++ {
		t := s.State.Ancestor(s.Thread, n)
		if t == nil {
			break
		}
		if v := state.EnvValue(s.State.Env(t), name); v != "" {
			return v
		}
	}
	return ""
}

// printAncestorEnv shows one environment: the process's own, or that of the
// ancestor whose number is given.
func printAncestorEnv(s *state.Scene, a *Arg, out []Value) []Value {
	if s.Thread == nil {
		return out
	}
	if a.Given && a.Index < 0 {
		return text(out, inheritedEnv(s, a.Text))
	}
	t := s.Thread
	if a.Given && a.Index > 0 {
		if t = s.State.Ancestor(s.Thread, a.Index); t == nil {
			return out
		}
	}
	return text(out, a.join(s.State.Env(t)))
}
