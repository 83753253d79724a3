// SPDX-License-Identifier: Apache-2.0

package state

import (
	"slices"
	"strings"

	"github.com/falco-go/falco/pkg/container"
)

// cgroupSet is a list of cgroups with what it says. There are few of them, and
// many threads in each.
type cgroupSet struct {
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
		clear(s.cgroups)
	}
	set := &cgroupSet{list: list}
	if m, ok := container.FromCgroups(list); ok {
		set.container = s.container(strings.Clone(m.ID))
	}
	s.cgroups[key] = set
	return set
}

// setCgroups moves t, and thereby decides which container it is in.
func (t *Thread) setCgroups(set *cgroupSet) {
	t.Cgroups, t.container, t.ContainerID = set.list, set.container, ""
	if set.container != nil {
		t.ContainerID = set.container.ID
	}
}
