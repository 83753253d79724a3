// SPDX-License-Identifier: Apache-2.0

package state

import (
	"strings"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/schema"
)

// Parameters of execve and execveat.
const (
	execExe, execArgs, execPid, execPtid, execFDLimit, execMem       = 1, 2, 4, 5, 7, 8
	execComm, execCgroups, execEnv, execTTY, execVpgid, execLoginUID = 13, 14, 15, 16, 17, 18
	execFlags, execCapInh, execCapPrm, execCapEff                    = 19, 20, 21, 22
	execIno, execCtime, execMtime, execUID, execPath                 = 23, 24, 25, 26, 27
	execPgid, execGID, execFilename                                  = 28, 29, 30
)

// exec gives a process its new image. A thread that is not the main one and execs
// has taken over the id of the main one when the event is made.
func (s *State) exec(ev *event.Event) {
	t := s.scene.Thread
	if res, ok := ev.Int(0); !ok || res != 0 || t == nil {
		return
	}
	if !t.Valid() {
		vtid, vpid := t.Tid, intOr(ev, execPid, t.Tid)
		if t.Flags&schema.CloneChildInPidns != 0 {
			vtid, vpid = t.Vtid, t.Vpid
		}
		s.become(t, intOr(ev, execPid, t.Tid), intOr(ev, execPtid, 0), vtid, vpid)
	}
	if t.Dead {
		t.Dead = false
		if t.group != nil {
			t.group.Alive++
		}
	}
	if s.exiting == t {
		s.exiting = nil
	}
	t.LastExecTS = s.now
	t.Exe = s.textOr(ev, execExe, t.Exe)
	t.Comm = s.textOr(ev, execComm, t.Exe)
	t.Cut = 0
	var cut bool
	if t.Args, cut = s.names.list(ev.Param(execArgs), t.Args); cut {
		t.Cut |= CutArgs
	}
	t.Cmdline = s.cmdline(t.Comm, t.Args)
	s.weighArgs(t, nil)
	if b := ev.Param(execEnv); b != nil { // absent: nobody could read it, the old one is the best guess
		old := t.Env
		if t.Env, cut = s.names.list(b, old); cut {
			t.Cut |= CutEnv
		}
		if !sameStrings(t.Env, old) {
			s.weighEnv(t, nil)
		}
	}
	t.FDLimit = intOr(ev, execFDLimit, t.FDLimit)
	t.setMemory(ev, execMem)
	if b := ev.Param(execCgroups); b != nil {
		s.setCgroups(t, s.cgroupBytes(b))
	}
	if t.ContainerID != "" {
		s.askUsers(t)
	}
	t.TTY = uint32(uintOr(ev, execTTY, uint64(t.TTY)))
	t.Vpgid = intOr(ev, execVpgid, t.Vpgid)
	t.Pgid = intOr(ev, execPgid, -1)
	t.LoginUID = uint32(uintOr(ev, execLoginUID, uint64(t.LoginUID)))
	t.UID = uint32(uintOr(ev, execUID, uint64(t.UID)))
	t.GID = uint32(uintOr(ev, execGID, uint64(t.GID)))
	t.ExeFlags = uint32(uintOr(ev, execFlags, uint64(t.ExeFlags)))
	t.CapInh = uintOr(ev, execCapInh, t.CapInh)
	t.CapPrm = uintOr(ev, execCapPrm, t.CapPrm)
	t.CapEff = uintOr(ev, execCapEff, t.CapEff)
	t.secure &^= keepCaps
	t.ExeIno = uintOr(ev, execIno, t.ExeIno)
	t.ExeCtime = uintOr(ev, execCtime, t.ExeCtime)
	t.ExeMtime = uintOr(ev, execMtime, t.ExeMtime)
	t.exeTimes()
	if p, ok := ev.Str(execPath); ok && p != "" {
		t.ExePath = s.names.str(strings.TrimSuffix(p, deletedSuffix))
	} else {
		t.ExePath = s.calledPath(ev, t)
	}
	t.Flags = flagActive | schema.NameChanged | t.Flags&(flagPipeSrc|flagPipeDst|flagMain|schema.CloneInverted|schema.CloneChildInPidns)
	if s.suppress != nil && s.suppress[t.Comm] {
		t.suppressed = true
	}
	s.weigh(t)

	// What the scan has found after the exec survived it.
	old := s.now <= t.scannedAt
	s.unshareFiles(t)
	if tbl := s.files(t); tbl != nil {
		s.filterFDs(tbl, func(_ int64, f *FD) bool { return f.Has(FDCloexec) && !(old && f.Has(FDFromProc)) })
		s.askAgain(tbl, t.Pid)
	}
	t.seededAt = 0 // the record is as of now: what comes behind is to be applied
	if g := t.group; g != nil {
		for i := len(g.members) - 1; i >= 0; i-- {
			if m := g.members[i]; m != t && m != g.main {
				s.remove(m)
			}
		}
	}
}

// execEmptyPath is AT_EMPTY_PATH as execveat_flags of flags.tbl has it.
const execEmptyPath = 0x1

// calledPath puts the path of the executable together from what was asked for.
// Events of captures before 2022 do not tell what the kernel made of it.
func (s *State) calledPath(ev *event.Event, t *Thread) string {
	dirfd, name := int64(atFDCWD), ""
	switch ev.Type {
	case schema.ExecveX:
		name, _ = ev.Str(execFilename)
	case schema.ExecveatX:
		p := s.entered(ev)
		if p == nil {
			return Unknown
		}
		dirfd, name = p.dirfd, event.View(p.name)
		if f := s.FD(t, dirfd); name == "" && p.flags&execEmptyPath != 0 && f != nil {
			return f.Name
		}
	}
	if name == "" || name == Unknown {
		return Unknown
	}
	path, _ := s.pathAt(t, dirfd, name)
	return path
}

// exeTimes computes how the times of the executable stand to those of the task.
func (t *Thread) exeTimes() {
	t.PidnsToCtime = 0
	if t.CloneTS != 0 && t.ExeCtime != 0 {
		t.CtimeToClone = t.CloneTS - t.ExeCtime
	}
	if t.PidnsStartTS != 0 && t.ExeCtime > t.PidnsStartTS {
		t.PidnsToCtime = t.ExeCtime - t.PidnsStartTS
	}
}

// exit marks a thread that has ended; Settle removes it.
func (s *State) exit(ev *event.Event) {
	t := s.scene.Thread
	if t == nil || t.seededAt >= s.now && t.seededAt != 0 {
		return // /proc has shown a later task of the same id
	}
	s.die(t)
	if t.children != nil {
		t.ReaperTid = intOr(ev, 4, -1)
	}
	s.exiting = t
}

// seeded reports whether the record of t already knows of the event at hand.
func (s *State) seeded(t *Thread) bool { return s.now <= t.seededAt }

// setsid makes t's process the leader of a session and of a group, without a
// terminal. Ids in a child pid namespace are its own.
func (s *State) setsid(ev *event.Event) {
	t := s.scene.Thread
	res, ok := ev.Return()
	if !ok || res < 0 || t == nil || s.seeded(t) {
		return
	}
	for _, m := range t.process() {
		m.Sid, m.Vpgid, m.TTY = res, res, 0
		if m.Pid >= 0 {
			m.Pgid = m.Pid
		}
	}
}

// process returns the threads of t's process, t alone if it is a place holder.
func (t *Thread) process() []*Thread {
	if t.group == nil {
		return []*Thread{t}
	}
	return t.group.members
}

// setpgid moves a process into a group. It can be the caller's own or a child's;
// both numbers are of the caller's pid namespace.
func (s *State) setpgid(ev *event.Event) {
	t := s.scene.Thread
	res, ok := ev.Return()
	if !ok || res != 0 || t == nil {
		return
	}
	pid, pgid := intOr(ev, 1, 0), intOr(ev, 2, 0)
	target := t
	if pid != 0 && pid != t.Vpid {
		if target = s.childByVpid(t, pid); target == nil {
			return
		}
	}
	if s.seeded(target) {
		return
	}
	if pgid == 0 {
		pgid = target.Vpid
	}
	host := int64(-1)
	switch {
	case pgid == target.Vpid:
		host = target.Pid
	case !target.InPidns():
		host = pgid
	}
	for _, m := range target.process() {
		m.Vpgid = pgid
		if host >= 0 {
			m.Pgid = host
		}
	}
}

// childByVpid finds a child of t's process by the pid that t knows it by.
func (s *State) childByVpid(t *Thread, vpid int64) *Thread {
	if !t.InPidns() {
		return s.Lookup(vpid)
	}
	for _, m := range t.process() {
		for c := m.children; c != nil; c = c.nextSib {
			if c.Vpid == vpid && c.Pid != t.Pid {
				return c
			}
		}
	}
	return nil
}

// prctl notes who adopts orphans.
func (s *State) prctl(ev *event.Event) {
	t := s.scene.Thread
	if res, ok := ev.Return(); !ok || res < 0 || t == nil || t.group == nil {
		return
	}
	v, ok := ev.Int(3)
	if !ok {
		return
	}
	switch opt, _ := ev.Uint(1); opt {
	case prSetSubreaper, prGetSubreaper:
		t.group.Reaper = v != 0
	case prSetKeepcaps:
		t.secure &^= keepCaps
		if v != 0 {
			t.secure |= keepCaps
		}
	case prSetSecurebits:
		t.secure = uint8(v) & (noSetuidFixup | keepCaps)
	}
}

// maxCPUs bounds the table of context switches.
const maxCPUs = 1 << 14

// switched counts the time that a thread was on a CPU. The event is about the one
// that leaves it.
func (s *State) switched(ev *event.Event) {
	if ev.CPU < 0 || ev.CPU >= maxCPUs {
		return
	}
	for len(s.switchTS) <= ev.CPU {
		s.switchTS = append(s.switchTS, 0)
	}
	last := s.switchTS[ev.CPU]
	s.switchTS[ev.CPU] = s.now
	if last != 0 && s.now > last {
		s.scene.ExecTime, s.rare = s.now-last, true
	}
	t := s.scene.Thread
	if t == nil {
		return
	}
	t.TotExecTime += s.scene.ExecTime
	t.PfMajor, t.PfMinor = uintOr(ev, 1, t.PfMajor), uintOr(ev, 2, t.PfMinor)
	if m := s.owner(t); m != nil {
		m.VMSize = uint32(uintOr(ev, 3, uint64(m.VMSize)))
		m.VMRSS = uint32(uintOr(ev, 4, uint64(m.VMRSS)))
		m.VMSwp = uint32(uintOr(ev, 5, uint64(m.VMSwp)))
	}
}
