// SPDX-License-Identifier: Apache-2.0

package field

import (
	"github.com/falco-go/falco/pkg/container"
	"github.com/falco-go/falco/pkg/state"
)

// Runtimes look after containers by commands that they execute in them. Such a
// command is no child of the container's first process but of the runtime, and is
// started as the container's record says. What it starts belongs to it.

// probeField tells whether the process belongs to the probe that of gives.
func probeField(of func(*container.Info) *container.Probe) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		commands := s.Lineage
		if commands == nil && s.Thread == nil {
			return out
		}
		info, _ := s.ContainerInfo()
		if info == nil {
			return boolean(out, false)
		}
		if commands == nil {
			commands = s.State.Lineage(s.Thread)
		}
		found := false // the topmost command decides
		for _, c := range commands {
			switch {
			case of(info).Is(c.Exe, c.Args):
				found = true
			case info.Healthcheck.Is(c.Exe, c.Args), info.Liveness.Is(c.Exe, c.Args), info.Readiness.Is(c.Exe, c.Args):
				found = false
			}
		}
		return boolean(out, found)
	}
}

// probeText gives the command where classic rules look at it.
func probeText(of func(*container.Info) *container.Probe) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		info, _ := s.ContainerInfo()
		if info == nil || !s.State.ClassicContainers {
			return out
		}
		return text(out, of(info).String())
	}
}
