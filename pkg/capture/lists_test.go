// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var compare = cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})

func TestMachine(t *testing.T) {
	host := make([]byte, hostnameBytes)
	copy(host, "somewhere")
	body := bin(uint32(4), uint64(1<<30), uint64(99), host, uint64(123), uint64(7), uint64(0), uint64(0))
	for _, typ := range []BlockType{BlockMachine, 0x8002ABCD} {
		s := mustRead(t, section(), block(typ, body), block(typ, body[:100]), evBlock(0, closeX(1)))
		want := []Machine{{CPUs: 4, Memory: 1 << 30, MaxPid: 99, Hostname: "somewhere", BootTime: 123, Flags: 7}}
		if d := cmp.Diff(want, s.Machines); d != "" || s.Stats.BadEntries != 1 {
			t.Errorf("%v: %d bad\n%s", typ, s.Stats.BadEntries, d)
		}
	}
}

func TestInterfaces(t *testing.T) {
	v4 := bin(uint16(1), uint16(4), u8(10), u8(0), u8(0), u8(1), u32(0xffffff), u32(0xff00000a), uint64(1000), []byte("eth0"))
	six := make([]byte, 16)
	six[0], six[15] = 0xfe, 1
	v6 := bin(uint16(4), uint16(2), six, six, six, []byte("lo"))
	a6 := netip.MustParseAddr("fe00::1")
	want := []Interface{
		{"eth0", netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("255.255.255.0"), netip.MustParseAddr("10.0.0.255"), 1000},
		{"lo", a6, a6, a6, 0},
	}
	for typ, body := range map[BlockType][]byte{
		BlockInterfaces1: bin(v4, v6), 0x8011ABCD: bin(v4, v6),
		// Those of today tell their length, and may be of kinds that nobody knows.
		BlockInterfaces: bin(entry(false, v4, "and more"), entry(false, uint16(77), "what"), entry(false, v6)),
	} {
		s := mustRead(t, section(), block(typ, body), evBlock(0, closeX(1)))
		if d := cmp.Diff(want, s.Interfaces, compare); d != "" {
			t.Errorf("%v: %s", typ, d)
		}
	}
}

func TestUsers(t *testing.T) {
	user, group := bin(u8(0), uint32(1), uint32(2), "me", "/home", "/bin/sh"), bin(u8(1), uint32(3), "us")
	for typ, body := range map[BlockType][]byte{
		BlockUsers1: bin(user, group), 0x8012ABCD: bin(user, group),
		BlockUsers: bin(entry(true, user, "and more"), entry(true, u8(9), "who"), entry(true, u8(0), "cut"), entry(true, group)),
	} {
		s := mustRead(t, section(), block(typ, body), evBlock(0, closeX(1)))
		if d := cmp.Diff([]User{{1, 2, "me", "/home", "/bin/sh"}}, s.Users); d != "" {
			t.Errorf("%v: %s", typ, d)
		}
		if d := cmp.Diff([]Group{{3, "us"}}, s.Groups); d != "" {
			t.Errorf("%v: %s", typ, d)
		}
		if typ == BlockUsers && s.Stats.BadEntries != 2 {
			t.Errorf("%d entries not understood, expected 2", s.Stats.BadEntries)
		}
	}
}

// procOf returns a process as a list of the given version tells it, and what is
// to be read of it.
func procOf(version int) (body []byte, p Proc) {
	full := Proc{
		Tid: 7, Pid: 8, Ptid: 9, Sid: 10, Vpgid: 11, Pgid: -1, Vtid: 12, Vpid: 13, Comm: "comm", Exe: "exe", ExePath: "/exe",
		Args: []string{"a", "", "b"}, Env: []string{"E=f"}, Cgroups: []string{"cpu=/x", "mem=/y"}, Cwd: "/cwd", Root: "/root",
		FDLimit: 14, Flags: 15, UID: 16, GID: 17, LoginUID: NoID, VMSize: 18, VMRSS: 19, VMSwap: 20, PfMajor: 21, PfMinor: 22,
	}
	type part struct {
		from  int
		bytes []byte
		undo  func()
	}
	for _, x := range []part{
		{1, bin(full.Tid, full.Pid, full.Ptid), nil},
		{6, bin(full.Sid), func() { full.Sid = -1 }},
		{8, bin(full.Vpgid), func() { full.Vpgid = -1 }},
		{1, bin("comm", "exe"), nil},
		{7, bin("/exe"), func() { full.ExePath = "" }},
		{1, bin("a\x00\x00b\x00", "/cwd", full.FDLimit, full.Flags, full.UID, full.GID), nil},
		{2, bin(full.VMSize, full.VMRSS, full.VMSwap, full.PfMajor, full.PfMinor), func() {
			full.VMSize, full.VMRSS, full.VMSwap, full.PfMajor, full.PfMinor = 0, 0, 0, 0, 0
		}},
		{3, bin("E=f"), func() { full.Env = nil }},
		{4, bin(full.Vtid, full.Vpid, "cpu=/x\n\x00mem=/y\n\x00"), func() { full.Vtid, full.Vpid, full.Cgroups = -1, -1, nil }},
		{5, bin("/root"), func() { full.Root = "" }},
	} {
		if version >= x.from {
			body = append(body, x.bytes...)
		} else {
			x.undo()
		}
	}
	return body, full
}

func TestProcesses(t *testing.T) {
	types := map[BlockType]int{
		BlockProcs1: 1, BlockProcs2: 2, BlockProcs3: 3, BlockProcs4: 4, BlockProcs5: 5, BlockProcs6: 6, BlockProcs7: 7,
		BlockProcs8: 8, 0x8000ABCD: 1, 0x8013ABCD: 2, 0x8014ABCD: 3,
	}
	for typ, version := range types {
		body, want := procOf(version)
		s := mustRead(t, section(), block(typ, body, body), evBlock(0, closeX(1)))
		if d := cmp.Diff([]Proc{want, want}, s.Procs); d != "" || s.Stats.BadEntries != 0 {
			t.Errorf("%v: %d bad\n%s", typ, s.Stats.BadEntries, d)
		}
	}
}

// Version 9 has grown a tail, piece by piece, and once by its front.
func TestTailsOfProcesses(t *testing.T) {
	tail := bin(uint64(100), uint32(101), uint32(102), u8(1), uint64(103), uint64(104), uint64(105), u8(1),
		uint64(106), uint64(107), uint64(108), u8(1), u8(1), int64(109))
	if len(tail) != 76 {
		t.Fatalf("the tail has %d bytes", len(tail))
	}
	loginuid := func(p *Proc) { p.LoginUID = 102 }
	writable := func(p *Proc) { loginuid(p); p.ExeWritable = true }
	caps := func(p *Proc) { writable(p); p.CapInh, p.CapPrm, p.CapEff = 103, 104, 105 }
	start := func(p *Proc) { caps(p); p.PidnsStartTS, p.TTY = 100, 101 }
	upper := func(p *Proc) { start(p); p.ExeUpper = true }
	times := func(p *Proc) { upper(p); p.ExeIno, p.ExeCtime, p.ExeMtime = 106, 107, 108 }
	memfd := func(p *Proc) { times(p); p.ExeMemfd = true }
	all := func(p *Proc) { memfd(p); p.ExeLower, p.Pgid = true, 109 }
	for name, c := range map[string]struct {
		tail []byte
		want func(*Proc)
	}{
		"none":               {nil, func(*Proc) {}},
		"old, login uid":     {tail[12:16], loginuid},
		"old, writable":      {tail[12:17], writable},
		"old, capabilities":  {tail[12:41], caps},
		"capabilities":       {tail[:41], start},
		"upper layer":        {tail[:42], upper},
		"times":              {tail[:66], times},
		"memfd":              {tail[:67], memfd},
		"all":                {tail, all},
		"more than is known": {append(tail[:76:76], "what will come"...), all},
	} {
		body, want := procOf(9)
		c.want(&want)
		one := entry(true, body, c.tail)
		s := mustRead(t, section(), block(BlockProcs9, one, one), evBlock(0, closeX(1)))
		if d := cmp.Diff([]Proc{want, want}, s.Procs); d != "" || s.Stats.BadEntries != 0 {
			t.Errorf("%s: %d bad\n%s", name, s.Stats.BadEntries, d)
		}
	}
}

// An entry that does not add up costs itself, not its neighbours; one that reaches
// beyond its list ends the list, not the file.
func TestBadEntries(t *testing.T) {
	body, want := procOf(9)
	good := entry(true, body)
	cut := entry(true, body[:60])
	long := bin(uint32(1<<20), body)
	s := mustRead(t, section(), block(BlockProcs9, good, cut, good), block(BlockProcs9, good, long),
		block(BlockProcs9, bin(uint32(3)), good), block(BlockProcs1, body[:30]), evBlock(0, closeX(1)))
	if d := cmp.Diff([]Proc{want, want, want}, s.Procs); d != "" || s.Stats.BadEntries != 4 || len(s.Events) != 1 {
		t.Errorf("%d bad, %d events\n%s", s.Stats.BadEntries, len(s.Events), d)
	}
}

func TestDescriptors(t *testing.T) {
	ip := func(a string) []byte { return netip.MustParseAddr(a).AsSlice() }
	port := netip.MustParseAddrPort
	head := func(n int64, typ FDType) []byte { return bin(n, uint64(1000+n), u8(uint8(typ))) }
	want := []FD{
		{Num: 0, Type: FDUnknown},
		{Num: 1, Type: FDFile, Name: "/old"},
		{Num: 2, Type: FDIPv4, Src: port("1.2.3.4:5"), Dst: port("6.7.8.9:80"), L4: 2},
		{Num: 3, Type: FDIPv6, Src: port("[fe80::1]:5"), Dst: port("[fe80::2]:80"), L4: 3},
		{Num: 4, Type: FDIPv4Server, Dst: port("0.0.0.0:22"), L4: 2},
		{Num: 5, Type: FDIPv6Server, Dst: port("[::]:22"), L4: 2},
		{Num: 6, Type: FDUnix, Name: "/sock", UnixSrc: 1, UnixDst: 2},
		{Num: 7, Type: FDFileV2, Name: "/new", OpenFlags: 3},
		{Num: 8, Type: FDPidfd, Name: "pidfd"},
	}
	body := [][]byte{
		head(0, FDUnknown),
		bin(head(1, FDFile), "/old"),
		bin(head(2, FDIPv4), ip("1.2.3.4"), ip("6.7.8.9"), uint16(5), uint16(80), u8(2)),
		bin(head(3, FDIPv6), ip("fe80::1"), ip("fe80::2"), uint16(5), uint16(80), u8(3)),
		bin(head(4, FDIPv4Server), ip("0.0.0.0"), uint16(22), u8(2)),
		bin(head(5, FDIPv6Server), ip("::"), uint16(22), u8(2)),
		bin(head(6, FDUnix), uint64(1), uint64(2), "/sock"),
		bin(head(7, FDFileV2), uint32(3), "/new"),
		bin(head(8, FDPidfd), "pidfd"),
	}
	for i := range want {
		want[i].Tid, want[i].Ino = 77, uint64(1000+i)
	}
	var v1, v2 []byte
	for _, b := range body {
		v1 = append(v1, b...)
		v2 = append(v2, entry(true, b)...)
	}
	for _, typ := range []BlockType{BlockFDs1, 0x8001ABCD} {
		s := mustRead(t, section(), block(typ, int64(77), v1), evBlock(0, closeX(1)))
		if d := cmp.Diff(want, s.FDs, compare); d != "" {
			t.Errorf("%v: %s", typ, d)
		}
	}
	// Since 2022 files have their devices, and kinds to come can be told.
	v2 = append(v2, entry(true, head(9, FDFileV2), uint32(3), "/dev", uint32(44))...)
	v2 = append(v2, entry(true, head(10, 99), "future")...)
	want = append(want, FD{Tid: 77, Num: 9, Ino: 1009, Type: FDFileV2, Name: "/dev", OpenFlags: 3, Dev: 44},
		FD{Tid: 77, Num: 10, Ino: 1010, Type: FDUnsupported})
	s := mustRead(t, section(), block(BlockFDs, int64(77), v2), block(BlockFDs, uint32(1)), evBlock(0, closeX(1)))
	if d := cmp.Diff(want, s.FDs, compare); d != "" || s.Stats.BadEntries != 1 {
		t.Errorf("%d bad\n%s", s.Stats.BadEntries, d)
	}
	if s := mustRead(t, section(), block(BlockFDs1, int64(77), head(10, 99), v1), evBlock(0, closeX(1))); len(s.FDs) != 0 || s.Stats.BadEntries != 1 {
		t.Errorf("behind an unknown kind without a length: %v", s.FDs)
	}
}

// Lists may be longer than the window.
func TestLongLists(t *testing.T) {
	body, want := procOf(9)
	one := entry(true, body)
	var list []byte
	n := 0
	for len(list) < 3*window {
		list = append(list, one...)
		n++
	}
	s := mustRead(t, section(), block(BlockProcs9, list), evBlock(0, closeX(1)))
	if len(s.Procs) != n || cmp.Diff(want, s.Procs[n-1]) != "" {
		t.Errorf("%d processes of %d", len(s.Procs), n)
	}
}

// Nobody needs to ask for the lists.
func TestWithoutSeed(t *testing.T) {
	body, _ := procOf(9)
	r, err := NewReader(bytes.NewReader(file(section(), block(BlockProcs9, entry(true, body)), evBlock(0, closeX(1)))))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if rec, err := r.Next(); err != nil || rec.Num != 1 {
		t.Errorf("%+v, %v", rec, err)
	}
	if err := r.Seed(&seen{}); err == nil {
		t.Error("seeded after the first event")
	}
}
