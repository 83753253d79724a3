// SPDX-License-Identifier: Apache-2.0

package state

import "github.com/falco-go/falco/pkg/event"

// bpf: fd, cmd. Most commands return no descriptor, and 0 when they succeed. The
// kernel closes on exec those that do.
func (s *State) bpf(ev *event.Event) {
	if cmd, ok := ev.Uint(1); ok && cmd < uint64(len(bpfMakesFD)) && bpfMakesFD[cmd] {
		s.make1(ev, FDBPF, true)
	}
}

// userfaultfd: res, flags as the caller gave them.
func (s *State) userfaultfd(ev *event.Event) {
	s.make1(ev, FDUserfault, uintOr(ev, 1, 0)&hostCloexec != 0)
}

// ioUring: the kernel closes these on exec.
func (s *State) ioUring(ev *event.Event) { s.make1(ev, FDIOUring, true) }
