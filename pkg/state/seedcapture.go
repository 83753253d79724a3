// SPDX-License-Identifier: Apache-2.0

package state

import (
	"math"
	"net/netip"
	"strings"

	"github.com/falco-go/falco/pkg/capture"
	"github.com/falco-go/falco/pkg/schema"
)

// SeedCapture takes in what a capture tells of the time before its first event:
// the machine, its users, processes and descriptors. What r tells later, at the
// start of another section, replaces all that. /proc is not looked at.
//
// It must be called before the first r.Next, and r.Next while no event is
// between Apply and Settle. Errors are those of r.Next.
func (s *State) SeedCapture(r *capture.Reader) error {
	return r.Seed(&captureSeed{s: s})
}

// captureSeed is the State as a capture sees it: a set of tables to be filled.
type captureSeed struct {
	s    *State
	wait []capture.FD // whose threads have not been told of yet
}

// maxWaiting bounds the descriptors that come before their threads.
const maxWaiting = 1 << 16

// Begin forgets what an earlier section told.
func (c *captureSeed) Begin() {
	s := c.s
	for _, t := range s.threads {
		s.dropFDs(t)
		s.unweigh(t)
	}
	s.stats.ThreadsRemoved += uint64(len(s.threads))
	clear(s.threads)
	clear(s.groups)
	s.users.init()
	s.containers.init(s.containers.patience)
	s.forgetCgroups() // they know their containers
	s.recent = [len(s.recent)]*Thread{}
	s.exited = exitRing{}
	s.oldest, s.newest, s.closing, s.exiting = nil, nil, nil, nil
	s.scene = Scene{State: s}
	s.ports, s.switchTS = nil, nil
	s.Machine = Machine{}
	c.wait = nil
}

// Machine takes in name and boot time.
func (c *captureSeed) Machine(m *capture.Machine) {
	c.s.Machine.Hostname, c.s.Machine.BootTime = m.Hostname, m.BootTime
}

// maxAddrs bounds the addresses of the machine.
const maxAddrs = 4096

// Interface adds an address of the machine.
func (c *captureSeed) Interface(i *capture.Interface) {
	bits := 0
	for _, b := range i.Netmask.AsSlice() {
		for ; b&0x80 != 0; b <<= 1 {
			bits++
		}
	}
	if p := netip.PrefixFrom(i.Addr, bits); p.IsValid() && len(c.s.Machine.Addrs) < maxAddrs {
		c.s.Machine.Addrs = append(c.s.Machine.Addrs, p)
	}
}

// User adds a user of the host.
func (c *captureSeed) User(u *capture.User) {
	c.s.users.addUser("", User{UID: u.UID, GID: u.GID, Name: u.Name, Home: u.Home, Shell: u.Shell}, false)
}

// Group adds a group of the host.
func (c *captureSeed) Group(g *capture.Group) { c.s.users.addGroup("", g.GID, g.Name, false) }

// Proc adds a thread.
func (c *captureSeed) Proc(p *capture.Proc) {
	s := c.s
	if t := s.threads[p.Tid]; p.Tid < 0 || t != nil && t.Valid() {
		return // the first one counts
	}
	t := s.fromProc(p)
	s.place(t)
	if t.Valid() {
		s.join(t)
	}
}

// FD adds a descriptor of a process. Lists of threads that are not the main one
// repeat what the process has.
func (c *captureSeed) FD(f *capture.FD) {
	t := c.s.threads[f.Tid]
	switch {
	case f.Num < 0 || f.Num > math.MaxInt32:
	case t != nil && t.IsMain():
		c.s.putFD(c.s.tableOf(t), f.Num, c.s.fromCaptureFD(f))
	case t == nil && len(c.wait) < maxWaiting:
		c.wait = append(c.wait, *f)
	}
}

// End ties the records together.
func (c *captureSeed) End() {
	wait := c.wait
	c.wait = nil
	for i := range wait {
		if c.s.threads[wait[i].Tid] != nil {
			c.FD(&wait[i])
		}
	}
	c.s.Seeded()
}

// fromProc makes a record of what a capture tells of a thread.
func (s *State) fromProc(p *capture.Proc) *Thread {
	t := s.newThread(p.Tid)
	t.Pid, t.Ptid, t.Vtid, t.Vpid, t.Vpgid = p.Pid, p.Ptid, p.Vtid, p.Vpid, p.Vpgid
	t.Sid, t.Pgid, t.TTY = p.Sid, p.Pgid, p.TTY
	t.Comm, t.Exe = s.names.str(p.Comm), s.names.str(p.Exe)
	t.ExePath, t.Root = s.names.str(strings.TrimSuffix(p.ExePath, deletedSuffix)), s.names.str(p.Root)
	t.Args, t.Env = p.Args, p.Env
	t.Cmdline = s.cmdline(t.Comm, t.Args)
	if p.Cwd != "" {
		t.Cwd = s.names.str(withSlash(p.Cwd))
	}
	t.UID, t.GID, t.LoginUID = p.UID, p.GID, p.LoginUID
	t.CapInh, t.CapPrm, t.CapEff = p.CapInh&capsAll, p.CapPrm&capsAll, p.CapEff&capsAll
	t.FDLimit, t.PfMajor, t.PfMinor = p.FDLimit, p.PfMajor, p.PfMinor
	t.VMSize, t.VMRSS, t.VMSwp = p.VMSize, p.VMRSS, p.VMSwap
	t.ExeIno, t.ExeCtime, t.ExeMtime = p.ExeIno, p.ExeCtime, p.ExeMtime
	for _, f := range [...]struct {
		set  bool
		flag uint32
	}{
		{p.ExeWritable, schema.ExeWritable}, {p.ExeUpper, schema.ExeUpperLayer},
		{p.ExeMemfd, schema.ExeFromMemfd}, {p.ExeLower, schema.ExeLowerLayer},
	} {
		if f.set {
			t.ExeFlags |= f.flag
		}
	}
	t.Flags, t.PidnsStartTS = p.Flags, p.PidnsStartTS
	t.exeTimes()
	s.setCgroups(t, s.cgroupList(p.Cgroups))
	s.weighArgs(t, nil)
	s.weighEnv(t, nil)
	return t
}

// fromFDType is the inverse of dumpTypes, and knows a kind that nobody writes
// any more.
var fromFDType = func() (from [256]FDType) {
	for i := range from {
		from[i] = FDUnsupported
	}
	for ours, theirs := range dumpTypes {
		from[theirs] = FDType(ours)
	}
	from[capture.FDFile] = FDFile
	return from
}()

var fromCaptureL4 = [256]L4{2: L4TCP, 3: L4UDP, 4: L4ICMP, 5: L4Raw}

// fromCaptureFD makes a record of what a capture tells of a descriptor.
func (s *State) fromCaptureFD(d *capture.FD) *FD {
	f := s.newFD()
	*f = FD{Type: fromFDType[d.Type], Flags: FDFromProc, Ino: d.Ino, Dev: d.Dev, OpenFlags: d.OpenFlags}
	if d.OpenFlags&schema.OCloexec != 0 {
		f.Flags |= FDCloexec
	}
	switch f.Type {
	case FDIPv4, FDIPv6, FDIPv4Server, FDIPv6Server:
		f.L4 = fromCaptureL4[d.L4]
		server := f.Type.IsServer()
		if server {
			f.Dst = unmapOne(d.Dst)
		} else {
			f.Src, f.Dst = unmap(d.Src, d.Dst)
		}
		f.Type = inetType(f.Dst.Addr(), server)
		if !server && f.L4 == L4TCP && !f.Dst.Addr().IsUnspecified() {
			f.Flags |= FDConnected
		}
		f.Name = s.socketName(f)
	case FDUnix:
		f.UnixSrc, f.UnixDst = d.UnixSrc, d.UnixDst
		f.Name = s.names.str(d.Name)
	default:
		f.Name = s.names.str(d.Name)
	}
	return f
}
