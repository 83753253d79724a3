// SPDX-License-Identifier: Apache-2.0

package state

import "net/netip"

// The look-ups that fields are made of. None of them reads anything but tables.

// Lookup returns the record of tid, nil if there is none.
func (s *State) Lookup(tid int64) *Thread {
	if tid < 0 {
		return nil
	}
	slot := &s.recent[uint64(tid)%uint64(len(s.recent))]
	if t := *slot; t != nil && t.Tid == tid {
		s.stats.ThreadHits++
		return t
	}
	t := s.threads[tid]
	if t == nil {
		s.stats.ThreadMisses++
		return nil
	}
	s.stats.ThreadSearches++
	*slot = t
	return t
}

// Main returns the main thread of t's process: t itself if it is that. It is nil
// if its record is missing, and for a place holder.
func (s *State) Main(t *Thread) *Thread {
	if t == nil || t.group == nil {
		return nil
	}
	return t.group.main
}

// Parent returns the main thread of the process that t's process descends from,
// nil if it is not in the table.
func (s *State) Parent(t *Thread) *Thread {
	m := s.Main(t)
	if m == nil {
		return nil
	}
	return s.Main(s.Lookup(m.Ptid))
}

// ParentThread returns the record that t's own ptid names; it may be another than
// the main thread of its process.
func (s *State) ParentThread(t *Thread) *Thread {
	if t == nil || t.Ptid <= 0 {
		return nil
	}
	return s.Lookup(t.Ptid)
}

// Ancestor returns what n steps of Parent lead to; 0 gives the main thread of t.
func (s *State) Ancestor(t *Thread, n int) *Thread {
	a := s.Main(t)
	slow, odd := a, false
	for ; n > 0 && a != nil; n-- {
		p := s.Parent(a)
		if p == a {
			return nil
		}
		a = p
		if odd = !odd; !odd { // a chain that bites its tail is no longer than its loop
			if slow = s.Parent(slow); slow == a {
				return nil
			}
		}
	}
	return a
}

// Ancestors calls visit with each ancestor of t's process, the parent first,
// until visit returns false, a record is missing, or the chain runs in a circle.
// It follows ptid record by record: each counts once, main thread or not.
func (s *State) Ancestors(t *Thread, visit func(*Thread) bool) {
	for w := s.Walk(t); w.Next(); {
		if !visit(w.Thread) {
			return
		}
	}
}

// Walk is Ancestors for those who want a loop instead of a callback: Next moves
// to the next ancestor, which Thread then is.
func (s *State) Walk(t *Thread) Walker {
	if m := s.Main(t); m != nil {
		t = m
	}
	return Walker{s: s, start: t, at: t, slow: t}
}

// Walker goes up a chain of ancestors. Copies are independent.
type Walker struct {
	Thread          *Thread
	s               *State
	start, at, slow *Thread
	odd             bool
}

// Next goes one step up and reports whether somebody is there.
func (w *Walker) Next() bool {
	w.Thread = nil
	if w.at == nil {
		return false
	}
	up := w.s.ParentThread(w.at)
	if up == nil || up == w.at || up == w.start {
		w.at = nil
		return false
	}
	w.at = up
	if w.odd = !w.odd; !w.odd {
		// The slow one walks at half the speed; if they meet, it is a circle.
		w.slow = w.s.ParentThread(w.slow)
	}
	if w.at == w.slow {
		w.at = nil
		return false
	}
	w.Thread = up
	return true
}

// SessionLeader returns the leader of t's session, nil if it is not known.
func (s *State) SessionLeader(t *Thread) *Thread {
	return s.leader(t, t.Sid, true, func(a *Thread) int64 { return a.Sid })
}

// VpgidLeader returns the leader of t's process group, by the id that the group
// has in t's pid namespace.
func (s *State) VpgidLeader(t *Thread) *Thread {
	return s.leader(t, t.Vpgid, true, func(a *Thread) int64 { return a.Vpgid })
}

// PgidLeader returns the leader of t's process group.
func (s *State) PgidLeader(t *Thread) *Thread {
	return s.leader(t, t.Pgid, false, func(a *Thread) int64 { return a.Pgid })
}

// leader looks for the record whose tid is id. An id of a child pid namespace
// cannot be looked up: there the last ancestor in a row with the same id is it.
func (s *State) leader(t *Thread, id int64, virtual bool, of func(*Thread) int64) *Thread {
	if id == -1 {
		return nil
	}
	if !virtual || !t.InPidns() {
		if l := s.Lookup(id); l != nil {
			return l
		}
	}
	var last *Thread
	for w := s.Walk(t); w.Next() && of(w.Thread) == id; {
		last = w.Thread
	}
	return last
}

// owner returns the record that holds what t's process has once.
func (s *State) owner(t *Thread) *Thread {
	if t == nil {
		return nil
	}
	if t.group == nil {
		return t // a place holder has its own
	}
	return t.group.main
}

// folder returns the record that holds the working directory of t.
func (s *State) folder(t *Thread) *Thread {
	if t != nil && t.ownFS {
		return t
	}
	return s.owner(t)
}

// files returns the descriptors of t, nil if there are none.
func (s *State) files(t *Thread) *fdTable {
	switch {
	case t == nil:
		return nil
	case t.fds != nil || t.group == nil || t.group.main == nil:
		return t.fds
	}
	return t.group.main.fds
}

// array returns the descriptors that stand in the record itself, nil if there are none.
func (t *Thread) array() *fdArray {
	if t.fds == nil {
		return nil
	}
	return t.fds.arr
}

// Cwd returns the working directory of t's process, with a slash at its end:
// "./" if its main thread is unknown, "" if it was never told.
func (s *State) Cwd(t *Thread) string {
	if o := s.folder(t); o != nil {
		return o.Cwd
	}
	return "./"
}

// Env returns the environment of t's process, as it was at exec.
func (s *State) Env(t *Thread) []string {
	if o := s.owner(t); o != nil {
		return o.Env
	}
	return t.Env
}

// FDLimit returns how many descriptors t's process may have, -1 if unknown.
func (s *State) FDLimit(t *Thread) int64 {
	if o := s.owner(t); o != nil {
		return o.FDLimit
	}
	return -1
}

// FD returns descriptor n of t's process, nil if it is not known.
func (s *State) FD(t *Thread, n int64) *FD {
	if tbl := s.files(t); tbl != nil {
		return tbl.get(n)
	}
	return nil
}

// FDCount returns how many descriptors of t's process are known.
func (s *State) FDCount(t *Thread) int {
	if tbl := s.files(t); tbl != nil {
		return tbl.arr.count()
	}
	return 0
}

// FDs calls visit with each descriptor of t's process in the order of their
// numbers until it returns false.
func (s *State) FDs(t *Thread, visit func(n int64, f *FD) bool) {
	if tbl := s.files(t); tbl != nil {
		tbl.arr.each(visit)
	}
}

// IsLocal reports whether addr belongs to this machine, as t sees it.
//
// In a container that is its own address, and the host's as well; while nobody has
// told its own, that of any container. IPv6 is never local there.
func (s *State) IsLocal(t *Thread, addr netip.Addr) bool {
	if t != nil && t.ContainerID != "" {
		switch {
		case !addr.Is4():
			return false
		case t.container.Info() == nil:
			return s.containers.addrs[addr] > 0
		case t.container.ip == addr:
			return true
		}
	}
	if !addr.IsValid() {
		return false
	}
	for _, p := range s.Machine.Addrs {
		if addr.Is4() && p.Addr() == addr {
			return true
		}
		if addr.Is6() && p.Addr().Is6() {
			if net64, err := p.Addr().Prefix(64); err == nil && net64.Contains(addr) {
				return true
			}
		}
	}
	return false
}

// FirstTS returns the time of the first event that was about a thread, 0 before it.
func (s *State) FirstTS() uint64 { return s.firstTS }
