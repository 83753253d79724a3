// SPDX-License-Identifier: Apache-2.0

package state

import "github.com/falco-go/falco/pkg/event"

// chroot changes the root of a thread. Container runtimes call it on their way
// into a container: now its users can be seen.
func (s *State) chroot(ev *event.Event) {
	t := s.scene.Thread
	if res, ok := ev.Return(); !ok || res != 0 || t == nil || s.seeded(t) {
		return
	}
	p, ok := ev.Str(1)
	if !ok || p == "" {
		return
	}
	t.Root, _ = s.path(s.Cwd(t), p)
	s.weigh(t)
	if t.ContainerID != "" {
		s.askUsers(t)
	}
}
