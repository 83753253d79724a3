// SPDX-License-Identifier: Apache-2.0

package state

import "github.com/falco-go/falco/pkg/schema"

// How records hang together: every valid one is in the Group of its process and
// in the list of children of the thread that its ptid names.

// insert puts a new record into the table and links it.
func (s *State) insert(t *Thread) {
	s.place(t)
	s.link(t)
}

// place puts a new record into the table, instead of whatever was there.
func (s *State) place(t *Thread) {
	if old := s.threads[t.Tid]; old != nil {
		s.forget(old)
	}
	s.makeRoom(nil)
	s.threads[t.Tid] = t
	s.stats.ThreadsAdded++
	s.recent[uint64(t.Tid)%uint64(len(s.recent))] = t
	s.enlist(t)
	s.weigh(t)
	t.lruTS = max(t.lruTS, t.seededAt)
	if s.suppress != nil && s.suppress[t.Comm] {
		t.suppressed = true
	}
	if t.ContainerID != "" {
		s.askNewUsers(t)
	}
}

// link puts t into its group and below its parent; place holders have neither.
func (s *State) link(t *Thread) {
	if !t.Valid() {
		return
	}
	s.join(t)
	s.adopt(t)
}

// join puts t into the group of its process.
func (s *State) join(t *Thread) {
	g := s.groups[t.Pid]
	if g == nil {
		g = take(&s.pool.groups)
		*g = Group{Pid: t.Pid, Reaper: t.Pid == 1 || t.Vpid == 1, members: g.members[:0]}
		s.groups[t.Pid] = g
	}
	t.group = g
	g.members = append(g.members, t)
	g.Alive++
	if t.IsMain() {
		g.main = t
	} else if !t.ownFiles {
		s.dropFDs(t) // threads use those of the main one
	}
}

// adopt puts t below the thread that its ptid names. A parent that nobody knows
// is no parent.
func (s *State) adopt(t *Thread) {
	if t.Tid == 1 {
		return
	}
	p := s.Lookup(t.Ptid)
	if p == nil || !p.Valid() || p == t {
		t.Ptid = 0
		return
	}
	t.parent = p
	t.prevSib, t.nextSib = nil, p.children
	if p.children != nil {
		p.children.prevSib = t
	}
	p.children = t
}

func (s *State) orphan(t *Thread) {
	if t.parent == nil {
		return
	}
	if t.prevSib != nil {
		t.prevSib.nextSib = t.nextSib
	} else {
		t.parent.children = t.nextSib
	}
	if t.nextSib != nil {
		t.nextSib.prevSib = t.prevSib
	}
	t.parent, t.prevSib, t.nextSib = nil, nil, nil
}

// die marks t as exited.
func (s *State) die(t *Thread) {
	if !t.Dead {
		t.Dead = true
		if t.group != nil {
			t.group.Alive--
		}
	}
}

// remove takes t out of the tables, and finds new parents for its children. A
// main thread with living siblings stays, dead: it holds their descriptors.
func (s *State) remove(t *Thread) {
	g := t.group
	if g == nil {
		s.forget(t)
		return
	}
	s.die(t)
	s.rehome(t)
	if g.Alive <= 0 {
		if s.first(t) {
			s.users.ended(t.ContainerID)
			s.containers.end(t.ContainerID, s.now)
			s.ended = t.container
		}
		for len(g.members) > 0 {
			s.forget(g.members[len(g.members)-1])
		}
		return
	}
	if g.main != t {
		s.forget(t)
	}
}

// first reports whether t is what its container began with, and so ends with. One
// that is first in a pid namespace which somebody has made within the container has
// its parent there.
func (s *State) first(t *Thread) bool {
	if t.Vpid != 1 || t.ContainerID == "" {
		return false
	}
	parent := s.Lookup(t.Ptid)
	return parent == nil || parent.ContainerID != t.ContainerID
}

// forget takes t out of every table and list. Its children keep its id: it may
// come back, read from /proc.
func (s *State) forget(t *Thread) {
	for t.children != nil {
		s.orphan(t.children)
	}
	s.orphan(t)
	s.unlist(t)
	s.dropFDs(t)
	s.unweigh(t)
	if s.threads[t.Tid] == t {
		delete(s.threads, t.Tid)
		s.stats.ThreadsRemoved++
	}
	if slot := &s.recent[uint64(t.Tid)%uint64(len(s.recent))]; *slot == t {
		*slot = nil
	}
	if g := t.group; g != nil {
		if !t.Dead {
			g.Alive--
		}
		g.remove(t)
		t.group = nil
		if m := g.main; m != nil && m.Dead && g.Alive <= 0 && m != s.exiting {
			s.forget(m) // it was kept for t
		} else if len(g.members) == 0 && s.groups[g.Pid] == g {
			delete(s.groups, g.Pid)
			give(&s.pool.groups, g)
		}
	}
	if s.scene.Thread == t {
		s.scene.Thread = nil
	}
	if s.exiting == t {
		s.exiting = nil
	}
	s.discard(t)
}

// rehome gives t's children to whoever the kernel said, or would have said.
func (s *State) rehome(t *Thread) {
	if t.children == nil {
		return
	}
	var reaper *Thread
	if t.ReaperTid > 0 {
		if reaper = s.Lookup(t.ReaperTid); reaper != nil && (!reaper.Valid() || reaper == t) {
			reaper = nil
		}
	}
	if reaper == nil {
		reaper = s.findReaper(t)
	}
	if reaper != nil && reaper.group != nil && reaper.group != t.group {
		reaper.group.Reaper = true
	}
	for c := t.children; c != nil; c = t.children {
		s.orphan(c)
		if reaper == nil || reaper == c {
			c.Ptid = 0
			continue
		}
		c.Ptid = reaper.Tid
		s.adopt(c)
	}
}

// findReaper does what the kernel does when a thread exits: its own siblings,
// then the nearest ancestor in the same pid namespace that adopts.
func (s *State) findReaper(t *Thread) *Thread {
	if r := aliveIn(t.group, t); r != nil {
		return r
	}
	inside := t.InPidns()
	w := Walker{s: s, start: t, at: t, slow: t}
	for w.Next() {
		a := w.Thread
		if a.InPidns() != inside {
			return nil
		}
		if a.group != nil && a.group.Reaper {
			if r := aliveIn(a.group, t); r != nil {
				return r
			}
		}
	}
	return nil
}

// aliveIn returns a living thread of g other than t, the main one if it lives.
func aliveIn(g *Group, t *Thread) *Thread {
	if g == nil {
		return nil
	}
	if g.main != nil && !g.main.Dead && g.main != t {
		return g.main
	}
	for _, m := range g.members {
		if !m.Dead && m != t {
			return m
		}
	}
	return nil
}

// become makes a place holder a record of a task, now that its ids are known.
func (s *State) become(t *Thread, pid, ptid, vtid, vpid int64) {
	t.Pid, t.Ptid, t.Vtid, t.Vpid = pid, ptid, vtid, vpid
	s.link(t)
}

// inherit copies what a task has from the one that made it.
func (t *Thread) inherit(p *Thread) {
	t.ExePath, t.Root, t.LoginUID, t.TTY = p.ExePath, p.Root, p.LoginUID, p.TTY
	t.CapInh, t.CapPrm, t.CapEff, t.secure = p.CapInh, p.CapPrm, p.CapEff, p.secure
	t.Sid, t.Vpgid, t.Pgid = p.Sid, p.Vpgid, p.Pgid
	t.ExeFlags, t.ExeIno, t.ExeCtime, t.ExeMtime = p.ExeFlags, p.ExeIno, p.ExeCtime, p.ExeMtime
	t.CtimeToClone = p.CtimeToClone
	t.Cut = p.Cut &^ (CutArgs | CutName)
	t.suppressed = p.suppressed
}

// inPidnsFlags says whether the flags of a clone event let the child's id differ
// from what the caller was told.
const inPidnsFlags = schema.CloneChildInPidns | schema.CloneNewpid
