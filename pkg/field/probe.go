// SPDX-License-Identifier: Apache-2.0

package field

import (
	"github.com/falco-go/falco/pkg/container"
	"github.com/falco-go/falco/pkg/state"
)

// Runtimes look after containers by commands that they execute in them. Such a
// command is no child of the container's first process but of the runtime, and is
// started as the container's record says. What it starts belongs to it.

// maxProbeSteps bounds the way up from a process to the command.
const maxProbeSteps = 16

// probeField tells whether the process belongs to the probe that of gives.
func probeField(of func(*container.Info) *container.Probe) getter {
	return threadBool(func(s *state.Scene, t *state.Thread) bool {
		info := t.Container().Info()
		if info == nil {
			return false
		}
		found := false // the topmost command decides
		for n := range maxProbeSteps {
			p := s.State.Ancestor(t, n)
			if p == nil || p.ContainerID != t.ContainerID {
				return found
			}
			if p.Vpid == 1 {
				return false // it is what the container is there for
			}
			switch {
			case of(info).Is(p.Exe, p.Args):
				found = true
			case info.Healthcheck.Is(p.Exe, p.Args), info.Liveness.Is(p.Exe, p.Args), info.Readiness.Is(p.Exe, p.Args):
				found = false
			}
		}
		return false
	})
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
