// SPDX-License-Identifier: Apache-2.0

package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/falco-go/falco/pkg/capture"
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/schema"
)

// told collects what it is told.
type told struct {
	machine    capture.Machine
	interfaces []capture.Interface
	users      []capture.User
	groups     []capture.Group
	procs      []capture.Proc
	fds        []capture.FD
	ends       int
}

func (c *told) Begin()                         { *c = told{ends: c.ends} }
func (c *told) Machine(m *capture.Machine)     { c.machine = *m }
func (c *told) Interface(i *capture.Interface) { c.interfaces = append(c.interfaces, *i) }
func (c *told) User(u *capture.User)           { c.users = append(c.users, *u) }
func (c *told) Group(g *capture.Group)         { c.groups = append(c.groups, *g) }
func (c *told) Proc(p *capture.Proc)           { c.procs = append(c.procs, *p) }
func (c *told) FD(f *capture.FD)               { c.fds = append(c.fds, *f) }
func (c *told) End()                           { c.ends++ }

// seedFrom hands all of c to a new State.
func seedFrom(c *told) *State {
	s := New(Options{})
	to := &captureSeed{s: s}
	to.Begin()
	c.tell(to)
	return s
}

func (c *told) tell(to capture.Tables) {
	to.Machine(&c.machine)
	for i := range c.interfaces {
		to.Interface(&c.interfaces[i])
	}
	for i := range c.users {
		to.User(&c.users[i])
	}
	for i := range c.groups {
		to.Group(&c.groups[i])
	}
	for i := range c.fds { // before their threads: order is free
		to.FD(&c.fds[i])
	}
	for i := range c.procs {
		to.Proc(&c.procs[i])
	}
	to.End()
}

func sampleTold() *told {
	addr := netip.MustParseAddrPort
	return &told{
		machine:    capture.Machine{CPUs: 2, Hostname: "elsewhere", BootTime: boot},
		interfaces: []capture.Interface{{Name: "eth0", Addr: netip.MustParseAddr("10.0.0.9"), Netmask: netip.MustParseAddr("255.255.240.0"), Broadcast: netip.MustParseAddr("10.0.15.255")}},
		users:      []capture.User{{UID: 33, GID: 34, Name: "www", Home: "/srv", Shell: "/bin/false"}},
		groups:     []capture.Group{{GID: 34, Name: "web"}},
		procs: []capture.Proc{
			{Tid: 1, Pid: 1, Vtid: 1, Vpid: 1, Comm: "init", Exe: "/sbin/init", ExePath: "/sbin/init", Cwd: "/", Root: "/", FDLimit: 1024, LoginUID: noID},
			{
				Tid: 50, Pid: 50, Ptid: 1, Sid: 50, Vpgid: 50, Pgid: 50, Vtid: 50, Vpid: 50, Comm: "nginx", Exe: "nginx",
				ExePath: "/usr/sbin/nginx", Args: []string{"-g", "", "daemon off;"}, Env: []string{"A=b", "C="}, Cgroups: []string{"cpu=/docker/" + hex64},
				Cwd: "/srv/", Root: "/", FDLimit: 99, Flags: schema.CloneFiles, UID: 33, GID: 34, LoginUID: 1000, VMSize: 3, VMRSS: 2, VMSwap: 1,
				PfMajor: 7, PfMinor: 8, PidnsStartTS: boot, TTY: 34816, CapInh: 1, CapPrm: 3, CapEff: 2, ExeIno: 77, ExeCtime: t0, ExeMtime: t0 - 1,
				ExeWritable: true, ExeLower: true,
			},
		},
		fds: []capture.FD{
			{Tid: 50, Num: 0, Type: capture.FDFileV2, Name: "/dev/null", OpenFlags: schema.ORdonly, Dev: 5, Ino: 6},
			{Tid: 50, Num: 1, Type: capture.FDFifo, Name: "pipe:[12]", Ino: 12},
			{Tid: 50, Num: 2, Type: capture.FDDirectory, Name: "/srv"},
			{Tid: 50, Num: 3, Type: capture.FDIPv4Server, Dst: addr("0.0.0.0:80"), L4: 2, Name: "0.0.0.0:80"},
			{Tid: 50, Num: 4, Type: capture.FDIPv4, Src: addr("10.0.0.9:80"), Dst: addr("10.0.0.2:4000"), L4: 2, Name: "10.0.0.2:4000->10.0.0.9:80"},
			{Tid: 50, Num: 5, Type: capture.FDIPv6, Src: addr("[fe80::1]:1"), Dst: addr("[fe80::2]:2"), L4: 3, Name: "fe80::1:1->fe80::2:2"},
			{Tid: 50, Num: 6, Type: capture.FDUnix, Name: "/run/x", UnixSrc: 0xa, UnixDst: 0xb},
			{Tid: 50, Num: 7, Type: capture.FDPidfd, Name: "pidfd:1"},
		},
	}
}

// What a file tells is what the tables hold, and what they tell on.
func TestSeedFromCapture(t *testing.T) {
	want := sampleTold()
	s := seedFrom(want)
	var got told
	s.Dump(&got, capture.Machine{CPUs: 2})
	want.ends = 1
	want.interfaces[0].Name = "" // the tables know addresses, not interfaces
	for i := range want.procs {
		if want.procs[i].PidnsStartTS == 0 {
			want.procs[i].PidnsStartTS = boot
		}
	}
	// Only IP socket names are composed anew; the roles are found out.
	opts := cmp.Options{cmp.AllowUnexported(told{}), cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}), cmpopts.EquateEmpty()}
	if d := cmp.Diff(want, &got, opts); d != "" {
		t.Error(d)
	}
	nginx := s.Lookup(50)
	if f := s.FD(nginx, 4); f == nil || !f.Has(FDServer) || f.Src != netip.MustParseAddrPort("10.0.0.2:4000") {
		t.Errorf("the server's end of a connection is %+v", f)
	}
	if nginx.ContainerID != dockID || nginx.Cmdline != "nginx -g  daemon off;" {
		t.Errorf("container %q, command line %q", nginx.ContainerID, nginx.Cmdline)
	}
	if got := s.Machine.Addrs; len(got) != 1 || got[0] != netip.MustParsePrefix("10.0.0.9/20") {
		t.Errorf("addresses of the machine: %v", got)
	}
}

// A second section replaces everything.
func TestSeedFromSecondSection(t *testing.T) {
	first := sampleTold()
	s := seedFrom(first)
	to := &captureSeed{s: s}
	to.Begin()
	second := &told{procs: []capture.Proc{{Tid: 9, Pid: 9, Comm: "only"}}}
	second.tell(to)
	var got told
	s.Dump(&got, capture.Machine{})
	if len(got.procs) != 1 || got.procs[0].Comm != "only" || len(got.fds)+len(got.users)+len(got.interfaces) != 0 || got.machine.Hostname != "" {
		t.Errorf("of the first section remains: %+v", got)
	}
	if st := s.Stats(); st.Threads != 1 || st.FDs != 0 {
		t.Errorf("%d threads, %d descriptors", st.Threads, st.FDs)
	}
}

// What files claim does not grow the tables beyond their limits.
func TestSeedFromHostileCapture(t *testing.T) {
	s := New(Options{Limits: Limits{Threads: 10, FDs: 5}})
	to := &captureSeed{s: s}
	to.Begin()
	for i := int64(-2); i < 100; i++ {
		to.Proc(&capture.Proc{Tid: i, Pid: i, Ptid: i})
		to.Proc(&capture.Proc{Tid: i, Pid: i + 1, Ptid: i})
		for n := int64(-3); n < 20; n++ {
			to.FD(&capture.FD{Tid: i, Num: n, Type: capture.FDType(n)})
			to.FD(&capture.FD{Tid: i, Num: n << 40})
		}
	}
	to.End()
	if st := s.Stats(); st.Threads > 10 || st.FDs > 50 {
		t.Errorf("%d threads, %d descriptors", st.Threads, st.FDs)
	}
}

// The recordings' own machine is what the tables know after the start, and
// their events go in.
func TestSeedFromRecordings(t *testing.T) {
	shared := os.Getenv("FALCO_SHARED")
	if shared == "" {
		shared = "../../../shared"
	}
	for _, name := range []string{"sysdig029-a-shell", "libs0254-a-shell"} {
		t.Run(name, func(t *testing.T) {
			file, err := os.ReadFile(filepath.Join(shared, "data/captures", name+".scap"))
			if err != nil {
				t.Skipf("SKIP 1 case: FALCO_SHARED not found: %v", err)
			}
			r, err := capture.NewReader(bytes.NewReader(file))
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			s := New(Options{})
			if err := s.SeedCapture(r); err != nil {
				t.Fatal(err)
			}
			if st := s.Stats(); st.Threads < 4 || st.FDs < 15 {
				t.Errorf("%d threads, %d descriptors before the first event", st.Threads, st.FDs)
			}
			var ev event.Event
			unknown, all := 0, 0
			for {
				rec, err := r.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if _, err := ev.Decode(rec.Event); err != nil {
					t.Fatalf("event %d, type %d: %v", rec.Num, binary.LittleEndian.Uint16(rec.Event[20:]), err)
				}
				ev.Num, ev.CPU = rec.Num, rec.CPU
				if sc := s.Apply(&ev); sc != nil && sc.Thread != nil {
					all++
					if !sc.Thread.Valid() {
						unknown++
					}
				}
				s.Settle()
			}
			if all < 10_000 || unknown > all/1000 {
				t.Errorf("of %d events, %d are of threads that nobody knows", all, unknown)
			}
		})
	}
}
