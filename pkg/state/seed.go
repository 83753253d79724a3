// SPDX-License-Identifier: Apache-2.0

package state

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/falco-go/falco/pkg/procfs"
	"github.com/falco-go/falco/pkg/schema"
)

// Seed takes in a task that was there before the first event. After the last
// one comes Seeded. Tasks may come in any order, and between events.
//
// A seeded record carries the time at which it was read. Events up to that time
// are already in it: Apply leaves its own fields alone then. Descriptors are
// named by absolute numbers, so that all events about them are applied; and an
// exec tells all there is, so it is applied too, and those behind it.
func (s *State) Seed(task *procfs.Task) {
	if t := s.Lookup(task.Tid); t != nil && t.Valid() {
		return // events have told of it, which is never older
	}
	t := s.fromTask(task)
	s.place(t)
	s.join(t)
	if s.bytes > s.limits.Bytes {
		s.shrink()
	}
}

// Seeded ties the seeded records together, and finds out which end of their
// sockets is the server: the one whose port somebody listens on.
func (s *State) Seeded() {
	ports := make(map[uint16]bool)
	for _, t := range s.threads {
		for _, f := range t.array().each {
			if f.Type.IsServer() {
				ports[f.Dst.Port()] = true
			}
		}
	}
	s.ports = ports
	tids := make([]int64, 0, len(s.threads))
	for tid := range s.threads {
		tids = append(tids, tid)
	}
	slices.Sort(tids)
	for _, tid := range tids {
		t := s.threads[tid]
		if !t.Valid() {
			continue
		}
		if t.parent == nil && t.Ptid > 0 {
			s.adopt(t)
		}
		s.giveRoles(t)
		if t.PidnsStartTS == 0 {
			t.PidnsStartTS = s.pidnsStart(t)
		}
	}
}

// addTask takes in a task that was read because an event asked for it.
func (s *State) addTask(task *procfs.Task) *Thread {
	t := s.fromTask(task)
	s.insert(t)
	s.giveRoles(t)
	t.PidnsStartTS = s.pidnsStart(t)
	s.askSockets(t)
	return t
}

func (s *State) fromTask(k *procfs.Task) *Thread {
	t := s.newThread(k.Tid)
	t.Pid, t.Ptid = k.Pid, k.PPid
	t.Vtid, t.Vpid, t.Vpgid = k.NSTid, k.NSPid, k.NSPgid
	t.Sid, t.Pgid, t.TTY = k.Sid, k.Pgid, k.TTY
	t.Comm, t.Exe, t.ExePath = s.names.str(k.Comm), s.names.str(k.Exe), s.names.str(k.ExePath)
	t.Args, t.Env, t.Root = k.Args, k.Env, s.names.str(k.Root)
	t.Cmdline = s.cmdline(t.Comm, t.Args)
	if k.ArgsCut {
		t.Cut |= CutArgs
	}
	if k.EnvCut {
		t.Cut |= CutEnv
	}
	if k.Cwd != "" {
		t.Cwd = s.names.str(withSlash(k.Cwd))
	}
	t.UID, t.GID, t.LoginUID = k.UID, k.GID, k.LoginUID
	t.CapInh, t.CapPrm, t.CapEff = k.CapInh&capsAll, k.CapPrm&capsAll, k.CapEff&capsAll
	t.FDLimit, t.PfMajor, t.PfMinor = k.FDLimit, k.MajFlt, k.MinFlt
	t.VMSize, t.VMRSS, t.VMSwp = k.VMSize, k.VMRSS, k.VMSwp
	t.ExeIno, t.ExeCtime, t.ExeMtime = k.ExeIno, k.ExeCtime, k.ExeMtime
	t.CloneTS = k.Start
	t.exeTimes()
	s.setCgroups(t, s.cgroupList(k.Cgroups))
	s.weighArgs(t, nil)
	s.weighEnv(t, nil)
	t.seededAt, t.scannedAt = max(k.ReadAt, 1), max(k.ReadAt, 1)
	if !k.IsMain() {
		t.Flags |= schema.CloneThread | schema.CloneFiles
		return t
	}
	if len(k.FDs) > 0 {
		t.fds = s.newTable()
	}
	for i := range k.FDs {
		s.putFD(t.fds, k.FDs[i].Num, s.fromDescriptor(&k.FDs[i]))
	}
	return t
}

// pidnsStart returns when the pid namespace of t began: with its first process,
// which is an ancestor of all others, or with the machine.
func (s *State) pidnsStart(t *Thread) uint64 {
	if !t.InPidns() {
		return s.Machine.BootTime
	}
	if t.Vpid == 1 {
		return t.CloneTS
	}
	for w := s.Walk(t); w.Next(); {
		a := w.Thread
		if !a.InPidns() {
			break
		}
		if a.Vpid == 1 {
			return a.CloneTS
		}
	}
	return s.Machine.BootTime
}

var fromKind = [...]FDType{
	procfs.Unsupported: FDUnsupported, procfs.File: FDFile, procfs.Directory: FDDirectory, procfs.Pipe: FDPipe,
	procfs.Memfd: FDMemfd, procfs.Event: FDEvent, procfs.Signal: FDSignal, procfs.Timer: FDTimer,
	procfs.Inotify: FDInotify, procfs.Epoll: FDEpoll, procfs.BPF: FDBPF, procfs.Userfault: FDUserfault,
	procfs.IOUring: FDIOUring, procfs.Pidfd: FDPidfd, procfs.Inet: FDIPv4, procfs.Unix: FDUnix,
	procfs.Other: FDUnknown, procfs.Netlink: FDNetlink,
}

var fromProto = [...]L4{procfs.NoProto: L4Unknown, procfs.TCP: L4TCP, procfs.UDP: L4UDP, procfs.ICMP: L4ICMP, procfs.Raw: L4Raw}

// fromDescriptor makes a record of what /proc tells of a descriptor.
func (s *State) fromDescriptor(d *procfs.FD) *FD {
	f := s.newFD()
	*f = FD{Type: fromKind[d.Kind], Flags: FDFromProc, MntID: d.MntID, Dev: d.Dev, Ino: d.Ino}
	f.OpenFlags = openFlagsFromHost(d.Flags)
	if d.Flags&hostCloexec != 0 {
		f.Flags |= FDCloexec
	}
	switch d.Kind {
	case procfs.Inet:
		f.L4 = fromProto[d.Socket.Proto]
		f.Src, f.Dst = unmap(d.Socket.Local, d.Socket.Remote)
		server := f.Dst.Addr().IsUnspecified() || !f.Dst.IsValid()
		if server {
			f.Src, f.Dst = netip.AddrPort{}, f.Src
		}
		f.Type = inetType(f.Dst.Addr(), server)
		if !server && f.L4 == L4TCP {
			f.Flags |= FDConnected
		}
		f.Name = s.socketName(f)
	case procfs.Pidfd:
		f.Pid = d.Pid
		f.Name = s.pidfdName(d.Pid)
	case procfs.Netlink, procfs.Other, procfs.Event, procfs.Signal, procfs.Timer, procfs.Inotify, procfs.Epoll,
		procfs.BPF, procfs.Userfault, procfs.IOUring:
	default:
		f.Name = s.names.str(d.Name)
	}
	return f
}

// giveRoles tells client and server apart for the connections of t: a local port
// that is listened on is the server's.
func (s *State) giveRoles(t *Thread) {
	for n, f := range t.array().each {
		if f.Type != FDIPv4 && f.Type != FDIPv6 || !f.Has(FDFromProc) || f.HasRole() || !f.Dst.IsValid() {
			continue
		}
		if f = s.writable(t, n); f == nil {
			continue
		}
		if s.ports[f.Src.Port()] {
			f.Src, f.Dst = f.Dst, f.Src
			f.Flags |= FDServer
			f.Name = s.socketName(f)
		} else {
			f.Flags |= FDClient
		}
	}
}

// openFlagsFromHost translates the flags of open(2) that fdinfo shows.
func openFlagsFromHost(h uint32) uint32 {
	flags := h&3 + 1 // O_RDONLY, O_WRONLY, O_RDWR
	if h&3 == 3 {
		flags = schema.ORdonly
	}
	for _, m := range [...]struct{ host, ours uint32 }{
		{0o2000, schema.OAppend}, {0o4000, schema.ONonblock}, {0o10000, schema.ODsync}, {0o200000, schema.ODirectory},
		{hostCloexec, schema.OCloexec},
	} {
		if h&m.host != 0 {
			flags |= m.ours
		}
	}
	return flags
}

// unmap makes IPv4 addresses of a pair that holds IPv4 in IPv6.
func unmap(a, b netip.AddrPort) (netip.AddrPort, netip.AddrPort) {
	if !a.Addr().Is4In6() && !b.Addr().Is4In6() {
		return a, b
	}
	return unmapOne(a), unmapOne(b)
}

func unmapOne(a netip.AddrPort) netip.AddrPort {
	switch {
	case a.Addr().Is4In6():
		return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	case a.Addr() == netip.IPv6Unspecified():
		return netip.AddrPortFrom(netip.IPv4Unspecified(), a.Port())
	}
	return a
}

func withSlash(p string) string {
	if strings.HasSuffix(p, "/") {
		return p
	}
	return p + "/"
}
