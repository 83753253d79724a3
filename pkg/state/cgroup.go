// SPDX-License-Identifier: Apache-2.0

package state

import (
	"slices"
	"strings"
)

// cgroupSet is a list of cgroups with what it says. There are few of them, and
// many threads in each.
type cgroupSet struct {
	size      int  // bytes
	refs      int  // threads in it
	known     bool // is in State.cgroups
	list      []string
	container *Container // nil on the host
}

// maxCgroups bounds the number of sets that are remembered; when it is reached
// all are forgotten, and learned again.
const maxCgroups = 4096

// cgroupBytes returns the set that b, the parameter of an event, describes.
func (s *State) cgroupBytes(b []byte) *cgroupSet {
	if set := s.cgroups[string(b)]; set != nil {
		return set
	}
	b = b[:min(len(b), maxList)]
	return s.addCgroups(string(b), splitList(b))
}

// cgroupList returns the set that has these members.
func (s *State) cgroupList(list []string) *cgroupSet {
	key := strings.Join(list, "\x00") + "\x00"
	if set := s.cgroups[key]; set != nil {
		return set
	}
	return s.addCgroups(key, slices.Clone(list))
}

func (s *State) addCgroups(key string, list []string) *cgroupSet {
	if len(s.cgroups) >= maxCgroups {
		s.forgetCgroups()
	}
	set := &cgroupSet{list: list, size: len(key) + listBytes(list), known: true}
	s.bytes += set.size
	if m, ok := s.containers.namespaces.FromCgroups(list); ok {
		set.container = s.container(strings.Clone(m.ID))
		set.container.found(m)
	}
	s.cgroups[key] = set
	return set
}

// forgetCgroups forgets all sets; threads keep theirs.
func (s *State) forgetCgroups() {
	for _, set := range s.cgroups {
		if set.known = false; set.refs == 0 {
			s.bytes -= set.size
		}
	}
	clear(s.cgroups)
}

// leaveCgroups takes t out of its set.
func (s *State) leaveCgroups(t *Thread) {
	if set := t.cgroup; set != nil {
		t.cgroup = nil
		if set.refs--; set.refs == 0 && !set.known {
			s.bytes -= set.size
		}
	}
}

// setCgroups moves t, and thereby decides which container it is in.
func (s *State) setCgroups(t *Thread, set *cgroupSet) {
	set.refs++
	s.leaveCgroups(t)
	t.cgroup = set
	t.Cgroups, t.container, t.ContainerID = set.list, set.container, ""
	if set.container != nil {
		t.ContainerID = set.container.ID
		s.askRuntime(set.container)
	}
}
