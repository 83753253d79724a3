// SPDX-License-Identifier: Apache-2.0

package state

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"github.com/falco-go/falco/pkg/capture"
	"github.com/falco-go/falco/pkg/schema"
)

// Dump tells to what the tables hold now, by number, so that a capture can begin
// here. m is what is known of the machine; its name and the time of its boot are
// those of the State. Place holders for threads that nobody has seen are left
// out. Dump changes nothing, and keeps nothing of to.
func (s *State) Dump(to capture.Tables, m capture.Machine) {
	to.Begin()
	m.Hostname, m.BootTime = s.Machine.Hostname, s.Machine.BootTime
	to.Machine(&m)
	for _, p := range s.Machine.Addrs {
		i := dumpInterface(p)
		to.Interface(&i)
	}
	s.dumpUsers(to)
	threads := make([]*Thread, 0, len(s.threads))
	for _, t := range s.threads {
		if t.Valid() {
			threads = append(threads, t)
		}
	}
	slices.SortFunc(threads, func(a, b *Thread) int { return cmp.Compare(a.Tid, b.Tid) })
	for _, t := range threads {
		p := s.dumpThread(t)
		to.Proc(&p)
	}
	for _, t := range threads {
		for n, fd := range t.array().each {
			f := dumpFD(fd)
			f.Tid, f.Num = t.Tid, n
			to.FD(&f)
		}
	}
	to.End()
}

// dumpUsers leaves out those of containers: a file has users of the host alone.
// Theirs come again as events.
func (s *State) dumpUsers(to capture.Tables) {
	users := slices.SortedFunc(maps.Values(s.users.host.users), func(a, b User) int { return cmp.Compare(a.UID, b.UID) })
	for _, u := range users {
		to.User(&capture.User{UID: u.UID, GID: u.GID, Name: u.Name, Home: u.Home, Shell: u.Shell})
	}
	var groups []capture.Group
	for gid, name := range s.users.host.groups {
		groups = append(groups, capture.Group{GID: gid, Name: name})
	}
	slices.SortFunc(groups, func(a, b capture.Group) int { return cmp.Compare(a.GID, b.GID) })
	for i := range groups {
		to.Group(&groups[i])
	}
}

func (s *State) dumpThread(t *Thread) capture.Proc {
	return capture.Proc{
		Tid: t.Tid, Pid: t.Pid, Ptid: t.Ptid, Sid: t.Sid, Vpgid: t.Vpgid, Pgid: t.Pgid, Vtid: t.Vtid, Vpid: t.Vpid,
		Comm: t.Comm, Exe: t.Exe, ExePath: t.ExePath, Args: t.Args, Env: t.Env, Cgroups: t.Cgroups, Cwd: t.Cwd, Root: t.Root,
		FDLimit: t.FDLimit, Flags: t.Flags, UID: t.UID, GID: t.GID, LoginUID: t.LoginUID,
		VMSize: t.VMSize, VMRSS: t.VMRSS, VMSwap: t.VMSwp, PfMajor: t.PfMajor, PfMinor: t.PfMinor,
		PidnsStartTS: t.PidnsStartTS, TTY: t.TTY, CapInh: t.CapInh, CapPrm: t.CapPrm, CapEff: t.CapEff,
		ExeIno: t.ExeIno, ExeCtime: t.ExeCtime, ExeMtime: t.ExeMtime,
		ExeWritable: t.ExeFlags&schema.ExeWritable != 0, ExeMemfd: t.ExeFlags&schema.ExeFromMemfd != 0,
		ExeUpper: t.ExeFlags&schema.ExeUpperLayer != 0, ExeLower: t.ExeFlags&schema.ExeLowerLayer != 0,
	}
}

var dumpTypes = [numFDTypes]capture.FDType{
	FDUnknown: capture.FDUnknown, FDFile: capture.FDFileV2, FDDirectory: capture.FDDirectory,
	FDIPv4: capture.FDIPv4, FDIPv6: capture.FDIPv6, FDIPv4Server: capture.FDIPv4Server, FDIPv6Server: capture.FDIPv6Server,
	FDUnix: capture.FDUnix, FDPipe: capture.FDFifo, FDEvent: capture.FDEvent, FDSignal: capture.FDSignal,
	FDEpoll: capture.FDEpoll, FDInotify: capture.FDInotify, FDTimer: capture.FDTimer, FDNetlink: capture.FDNetlink,
	FDBPF: capture.FDBPF, FDUserfault: capture.FDUserfault, FDIOUring: capture.FDIOUring, FDMemfd: capture.FDMemfd,
	FDPidfd: capture.FDPidfd, FDUnsupported: capture.FDUnsupported,
}

var dumpL4 = [...]uint8{L4Unknown: 0, L4TCP: 2, L4UDP: 3, L4ICMP: 4, L4Raw: 5}

// dumpFD tells of a socket what /proc would: this end, then the other. Whoever
// reads finds out anew which of them is the server.
func dumpFD(f *FD) capture.FD {
	d := capture.FD{
		Ino: f.Ino, Type: dumpTypes[f.Type], Name: f.Name, OpenFlags: f.OpenFlags, Dev: f.Dev,
		L4: dumpL4[f.L4], Src: f.Src, Dst: f.Dst, UnixSrc: f.UnixSrc, UnixDst: f.UnixDst,
	}
	if f.Has(FDServer) && !f.Type.IsServer() {
		d.Src, d.Dst = f.Dst, f.Src
	}
	return d
}

func dumpInterface(p netip.Prefix) capture.Interface {
	i := capture.Interface{Addr: p.Addr()}
	mask, all := p.Addr().AsSlice(), p.Addr().AsSlice()
	for n := range mask {
		ones := min(max(p.Bits()-8*n, 0), 8)
		mask[n] = ^byte(0xff >> ones)
		all[n] |= ^mask[n]
	}
	i.Netmask, _ = netip.AddrFromSlice(mask)
	if p.Addr().Is4() {
		i.Broadcast, _ = netip.AddrFromSlice(all)
	}
	return i
}
