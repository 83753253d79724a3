// SPDX-License-Identifier: Apache-2.0

package state

import (
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/schema"
)

// capSetuid is CAP_SETUID in a set of capabilities.
const capSetuid = 1 << 7

// Secure bits of a task, of those that prctl(2) sets.
const (
	noSetuidFixup = 1 << 2 // SECBIT_NO_SETUID_FIXUP
	keepCaps      = 1 << 4 // SECBIT_KEEP_CAPS
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

// setuid gives a task that may all three ids, others the effective one.
func (s *State) setuid(ev *event.Event) {
	t := s.set(ev)
	if t == nil {
		return
	}
	id := uint32(uintOr(ev, 1, noID))
	s.setUID(t, id, id != 0 && (t.UID == 0 || t.CapEff&capSetuid != 0))
}

// setreuid: res, ruid, euid. The saved id follows the effective one if a real one
// is given.
func (s *State) setreuid(ev *event.Event) {
	if t := s.set(ev); t != nil {
		euid := uint32(uintOr(ev, 2, noID))
		s.setUID(t, euid, user(ev, 1) && user(ev, 2))
	}
}

func (s *State) setresuid(ev *event.Event) {
	if t := s.set(ev); t != nil {
		euid := uint32(uintOr(ev, 2, noID))
		s.setUID(t, euid, user(ev, 1) && user(ev, 2) && user(ev, 3))
	}
}

// user reports whether parameter i is the id of somebody who is not root.
func user(ev *event.Event, i int) bool {
	id := uint32(uintOr(ev, i, noID))
	return id != 0 && id != noID
}

func (s *State) setgid(ev *event.Event)   { s.setGID(ev, 1) }
func (s *State) setregid(ev *event.Event) { s.setGID(ev, 2) } // setresgid too

// setUID makes id the effective uid of t, unless it is -1, and does to its
// capabilities what the kernel does then, without another event: who leaves root
// has none in effect, who comes back has those that are permitted, and from whom no
// id of root's is left (gone) those go too (capabilities(7), "Effect of user ID
// changes on capabilities").
func (s *State) setUID(t *Thread, id uint32, gone bool) {
	old := t.UID
	if id != noID {
		t.UID = id
	}
	if t.secure&noSetuidFixup == 0 && old != noID {
		switch {
		case old == 0 && t.UID != 0:
			t.CapEff = 0
		case old != 0 && t.UID == 0:
			t.CapEff = t.CapPrm
		}
		if gone && old == 0 && t.secure&keepCaps == 0 {
			t.CapPrm = 0
		}
	}
	if t.ContainerID != "" { // the runtime is in the container's root when it becomes who runs there
		s.askUsers(t)
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
