// SPDX-License-Identifier: Apache-2.0

package state

import "github.com/falco-go/falco/pkg/event"

// memory takes the counters that calls of the mmap family carry.
func (s *State) memory(ev *event.Event) {
	t := s.scene.Thread
	if t == nil {
		return
	}
	t.VMSize = uint32(uintOr(ev, 1, uint64(t.VMSize)))
	t.VMRSS = uint32(uintOr(ev, 2, uint64(t.VMRSS)))
	t.VMSwp = uint32(uintOr(ev, 3, uint64(t.VMSwp)))
}

// rlimit handles setrlimit and getrlimit: res, cur, max, resource.
func (s *State) rlimit(ev *event.Event) {
	t := s.scene.Thread
	if res, ok := ev.Return(); !ok || res < 0 || t == nil {
		return
	}
	if r, ok := ev.Uint(3); ok && r == rlimitNofile {
		s.setFDLimit(t, intOr(ev, 1, -1))
	}
}

// prlimit: res, newcur, newmax, oldcur, oldmax, pid, resource.
func (s *State) prlimit(ev *event.Event) {
	t := s.scene.Thread
	if res, ok := ev.Return(); !ok || res != 0 || t == nil {
		return
	}
	if r, ok := ev.Uint(6); !ok || r != rlimitNofile {
		return
	}
	cur := intOr(ev, 1, -1)
	if cur == -1 {
		return // only asked for the old one
	}
	if pid := intOr(ev, 5, 0); pid > 0 && pid != t.Tid {
		if t = s.resolve(pid, findAnywhere); t == nil {
			return
		}
	}
	s.setFDLimit(t, cur)
}

func (s *State) setFDLimit(t *Thread, cur int64) {
	if o := s.owner(t); o != nil && cur != -1 && !s.seeded(o) {
		o.FDLimit = cur
	}
}

// setMemory reads the five counters that begin at parameter i.
func (t *Thread) setMemory(ev *event.Event, i int) {
	t.PfMajor, t.PfMinor = uintOr(ev, i, t.PfMajor), uintOr(ev, i+1, t.PfMinor)
	t.VMSize = uint32(uintOr(ev, i+2, uint64(t.VMSize)))
	t.VMRSS = uint32(uintOr(ev, i+3, uint64(t.VMRSS)))
	t.VMSwp = uint32(uintOr(ev, i+4, uint64(t.VMSwp)))
}
