// SPDX-License-Identifier: Apache-2.0

package state

import (
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/schema"
)

// set returns the thread whose credentials a successful call changes, else nil.
// What /proc has told later is left alone.
func (s *State) set(ev *event.Event) *Thread {
	t := s.scene.Thread
	if res, ok := ev.Return(); !ok || res < 0 || t == nil || s.seeded(t) {
		return nil
	}
	return t
}

func (s *State) setuid(ev *event.Event) { s.setUID(ev, 1) }
func (s *State) setgid(ev *event.Event) { s.setGID(ev, 1) }

// setreuid handles setresuid too: of the ids given, the second is the effective one.
func (s *State) setreuid(ev *event.Event) { s.setUID(ev, 2) }
func (s *State) setregid(ev *event.Event) { s.setGID(ev, 2) }

// setUID takes the effective uid from parameter i; -1 leaves it as it is.
func (s *State) setUID(ev *event.Event, i int) {
	if t := s.set(ev); t != nil {
		if id, ok := ev.Uint(i); ok && uint32(id) != noID {
			t.UID = uint32(id)
		}
		if t.ContainerID != "" { // the runtime is in the container's root when it becomes who runs there
			s.askUsers(t)
		}
	}
}

func (s *State) setGID(ev *event.Event, i int) {
	if t := s.set(ev); t != nil {
		if id, ok := ev.Uint(i); ok && uint32(id) != noID {
			t.GID = uint32(id)
		}
	}
}

func (s *State) capset(ev *event.Event) {
	if t := s.set(ev); t != nil {
		t.CapInh = uintOr(ev, 1, t.CapInh)
		t.CapPrm = uintOr(ev, 2, t.CapPrm)
		t.CapEff = uintOr(ev, 3, t.CapEff)
	}
}

// unshare: res, flags. Besides namespaces it parts what tasks share; some
// namespaces cannot be entered without that.
func (s *State) unshare(ev *event.Event) {
	t := s.set(ev)
	if t == nil {
		return
	}
	flags := uintOr(ev, 1, 0)
	if flags&schema.CloneFiles != 0 {
		s.unshareFiles(t)
	}
	if flags&(schema.CloneFs|schema.CloneNewns|schema.CloneNewuser) != 0 {
		s.unshareFS(t)
	}
	s.newUserNS(ev, 1)
}

// unshareFS gives a thread a working directory of its own.
func (s *State) unshareFS(t *Thread) {
	if t.group == nil || len(t.group.members) < 2 {
		return
	}
	if t.group.main != t {
		t.Cwd, t.ownFS = s.Cwd(t), true
		return
	}
	for _, m := range t.group.members { // they stay where they are
		if m != t && !m.ownFS {
			m.Cwd, m.ownFS = t.Cwd, true
		}
	}
}

// setns: res, fd, nstype. Who enters a mount namespace stands in its root.
func (s *State) setns(ev *event.Event) {
	t := s.set(ev)
	if t == nil {
		return
	}
	if o := s.folder(t); uintOr(ev, 2, 0)&schema.CloneNewns != 0 && o != nil && s.now > o.scannedAt {
		o.Cwd = "/"
	}
	s.newUserNS(ev, 2)
}

// newUserNS gives all capabilities to who enters another user namespace.
func (s *State) newUserNS(ev *event.Event, flags int) {
	if t := s.set(ev); t != nil && uintOr(ev, flags, 0)&schema.CloneNewuser != 0 {
		t.CapInh, t.CapPrm, t.CapEff = capsAll, capsAll, capsAll
	}
}
