// SPDX-License-Identifier: Apache-2.0

package state

import "github.com/falco-go/falco/pkg/event"

// chroot changes the root of a thread. Container runtimes call it on their way
// into a container, so the question of which one is asked again.
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
	if len(t.Cgroups) > 0 {
		s.setCgroups(t, s.cgroupList(t.Cgroups))
	}
}
