// SPDX-License-Identifier: Apache-2.0

package state

import (
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/schema"
)

// Parameters of the clone family's exits. They describe the task that returns.
const (
	cloneRes, cloneExe, cloneArgs, clonePid, clonePtid = 0, 1, 2, 4, 5
	cloneFDLimit, cloneMem, cloneComm, cloneCgroups    = 7, 8, 13, 14
	cloneFlags, cloneUID, cloneGID, cloneVtid          = 15, 16, 17, 18
	cloneVpid, clonePidnsStart                         = 19, 20
)

// cloneFresh is how long a record that the caller's event has made is taken for the
// child that tells of itself.
const cloneFresh = 2 * second

// clone handles both of the events that a clone, clone3, fork or vfork makes: the
// caller's, with the child's id, and the child's, with 0. They come in any order,
// either may be lost, and the child may be dead when the caller's comes.
func (s *State) clone(ev *event.Event) {
	res, ok := ev.Int(cloneRes)
	switch {
	case !ok || res < 0:
	case res == 0:
		s.cloneChild(ev)
	default:
		s.cloneCaller(ev, res)
	}
}

func (s *State) cloneCaller(ev *event.Event, child int64) {
	c := s.resolve(ev.Tid, findAnywhere)
	s.scene.Thread = c
	if c == nil {
		s.stats.UnknownClones++
		return
	}
	wasValid := c.Valid()
	if !wasValid {
		s.become(c, intOr(ev, clonePid, c.Tid), intOr(ev, clonePtid, 0), intOr(ev, cloneVtid, c.Tid), intOr(ev, cloneVpid, c.Tid))
		c.Exe, c.Comm = s.textOr(ev, cloneExe, c.Exe), s.textOr(ev, cloneComm, c.Comm)
		c.Args, _ = s.names.list(ev.Param(cloneArgs), nil)
		c.Cmdline = s.cmdline(c.Comm, c.Args)
		s.weighArgs(c, nil)
	}
	flags := uint32(uintOr(ev, cloneFlags, 0))
	if flags&(inPidnsFlags|schema.CloneParent) != 0 || c.Tid != c.Vtid {
		if wasValid && flags&noPromise == 0 && ev.Type != schema.VforkX {
			s.promise(c, child, flags)
		}
		return // the id that was returned may be another namespace's: the child's event tells
	}
	if flags&schema.CloneVfork != 0 || ev.Type == schema.VforkX {
		return // the child has run already
	}
	if s.exited.has(c, child, flags&schema.CloneThread != 0, s.now) {
		return
	}
	if old := s.Lookup(child); old != nil {
		if old.Flags&schema.CloneInverted != 0 || old.seededAt >= s.now {
			return // the child's event, or /proc, was first
		}
		s.replace(old)
		if c = s.Lookup(ev.Tid); c == nil {
			c = s.resolve(ev.Tid, findAnywhere)
		}
		s.scene.Thread = c
	}
	x := s.newThread(child)
	x.Flags = flags &^ schema.CloneInverted
	if flags&schema.CloneThread != 0 {
		x.Pid, x.Ptid = c.Pid, c.Ptid
		x.Flags |= schema.CloneFiles
		x.LastExecTS = c.LastExecTS
	} else {
		x.Pid, x.Ptid = child, c.Tid
	}
	x.Vtid, x.Vpid = x.Tid, x.Pid
	s.fillClone(ev, x, c)
	x.PidnsStartTS = s.Machine.BootTime
	if wasValid {
		x.inherit(c)
		s.forkProcess(x, c, flags)
	}
	s.insert(x)
}

func (s *State) cloneChild(ev *event.Event) {
	if old := s.Lookup(ev.Tid); old != nil {
		keep := old.seededAt >= s.now || old.CloneTS != 0 && s.now-min(old.CloneTS, s.now) < cloneFresh
		if keep && old.Valid() {
			s.scene.Thread = old
			return
		}
		s.replace(old)
	}
	x := s.newThread(ev.Tid)
	x.Pid, x.Ptid = intOr(ev, clonePid, x.Tid), intOr(ev, clonePtid, 0)
	x.Vtid, x.Vpid = intOr(ev, cloneVtid, x.Tid), intOr(ev, cloneVpid, x.Pid)
	x.Flags = uint32(uintOr(ev, cloneFlags, 0)) | schema.CloneInverted
	thread := x.Pid != x.Tid
	from := x.Ptid
	if thread {
		x.Flags |= schema.CloneFiles | schema.CloneThread
		from = x.Pid
	}
	var p *Thread
	if from != x.Tid {
		p = s.resolve(from, findAnywhere)
	}
	if p != nil && !p.Valid() && thread {
		p.Exe, p.Comm = s.textOr(ev, cloneExe, p.Exe), s.textOr(ev, cloneComm, p.Comm)
		p.Args, _ = s.names.list(ev.Param(cloneArgs), nil)
		p.Cmdline = s.cmdline(p.Comm, p.Args)
		s.weighArgs(p, nil)
		s.become(p, x.Pid, x.Ptid, x.Vpid, x.Vpid)
		if s.exited.lately(p.Tid, s.now) { // before its last thread could say that it is there
			s.die(p)
		}
	}
	s.fillClone(ev, x, p)
	x.PidnsStartTS = s.Machine.BootTime
	if x.Flags&inPidnsFlags != 0 || x.Tid != x.Vtid {
		x.PidnsStartTS = s.Machine.BootTime + uintOr(ev, clonePidnsStart, 0)
	}
	if promised := s.promised(x, x.PidnsStartTS); promised != nil {
		s.bear(x, promised)
	} else if p != nil && p.Valid() {
		s.refresh(p) // it is not to be evicted for its child
		x.inherit(p)
		if thread {
			x.LastExecTS = p.LastExecTS
		}
		flags := uint32(uintOr(ev, cloneFlags, 0))
		if thread && flags&schema.CloneThread == 0 { // flags were not told
			flags = schema.CloneThread | schema.CloneFiles
		}
		s.forkProcess(x, p, flags)
	}
	if x.Vtid != x.Tid && x.Vpgid == x.Pgid && x.Pgid > 0 {
		x.Vpgid = 0 // its group is of the namespace outside
	}
	s.insert(x)
	s.scene.Thread = x
}

// replace removes a record whose task must be gone, as its id is used again.
func (s *State) replace(old *Thread) {
	s.remove(old)
	if s.threads[old.Tid] == old {
		s.forget(old) // kept for siblings, but the id is needed
	}
}

// fillClone takes over what the event says. p, which may be nil, is whom strings
// and lists are shared with.
func (s *State) fillClone(ev *event.Event, x, p *Thread) {
	if p == nil {
		p = x
	}
	x.Exe = s.textLike(ev, cloneExe, p.Exe)
	x.Comm = s.textLike(ev, cloneComm, p.Comm)
	var cut bool
	if x.Args, cut = s.names.list(ev.Param(cloneArgs), p.Args); cut {
		x.Cut |= CutArgs
	}
	if x.Comm == p.Comm && sameStrings(x.Args, p.Args) && p.Cmdline != "" {
		x.Cmdline = p.Cmdline
	} else {
		x.Cmdline = s.cmdline(x.Comm, x.Args)
	}
	s.weighArgs(x, p)
	x.FDLimit = intOr(ev, cloneFDLimit, -1)
	x.setMemory(ev, cloneMem)
	x.UID, x.GID = uint32(uintOr(ev, cloneUID, noID)), uint32(uintOr(ev, cloneGID, noID))
	if b := ev.Param(cloneCgroups); b != nil {
		s.setCgroups(x, s.cgroupBytes(b))
	} else if p.cgroup != nil {
		s.setCgroups(x, p.cgroup)
	}
	x.CloneTS = s.now
	x.suppressed = p.suppressed
}

// forkProcess gives a new task what its maker's process has: descriptors,
// directory and environment. Threads share all that and processes none of it,
// unless flags, those of the call, say otherwise of descriptors. CLONE_FS is taken
// for granted among threads, and for absent among processes.
func (s *State) forkProcess(x, maker *Thread, flags uint32) {
	files := s.files(maker)
	if flags&schema.CloneThread != 0 {
		if flags&schema.CloneFiles == 0 && files != nil {
			x.fds, x.ownFiles = s.fork(files), true
		}
		if maker.ownFS {
			x.Cwd, x.ownFS = maker.Cwd, true
		}
		return
	}
	o := s.owner(maker)
	if o == nil {
		return
	}
	switch {
	case files == nil:
	case flags&schema.CloneFiles != 0:
		x.fds = files
		files.users++
		s.shareAsks(x.fds, x.Pid)
	default:
		x.fds = s.fork(files)
		s.shareAsks(x.fds, x.Pid)
	}
	x.Cwd, x.Env = s.Cwd(maker), o.Env
	s.weighEnv(x, o)
	x.scannedAt = 0
}
