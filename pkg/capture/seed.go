// SPDX-License-Identifier: Apache-2.0

package capture

import "net/netip"

// Tables takes in what a section tells of the time before its first event. The
// records own their memory. Begin voids what an earlier section told; End comes
// before the first event.
type Tables interface {
	Begin()
	Machine(*Machine)
	Interface(*Interface)
	User(*User)
	Group(*Group)
	Proc(*Proc)
	FD(*FD)
	End()
}

// Machine is where a capture was made.
type Machine struct {
	CPUs     uint32
	Memory   uint64 // bytes
	MaxPid   uint64
	Hostname string
	BootTime uint64 // ns since the epoch; 0 in old files
	Flags    uint64
}

// Interface is a network interface. Addresses are all of one family.
type Interface struct {
	Name      string
	Addr      netip.Addr
	Netmask   netip.Addr
	Broadcast netip.Addr
	Speed     uint64 // Mbit/s; 0 if not told
}

// User is a line of passwd, Group one of group.
type User struct {
	UID, GID          uint32
	Name, Home, Shell string
}

// Group is a group of users.
type Group struct {
	GID  uint32
	Name string
}

// Proc is one thread. Ids are -1 and LoginUID is NoID where a file does not tell.
type Proc struct {
	Tid, Pid, Ptid        int64
	Sid, Vpgid, Pgid      int64
	Vtid, Vpid            int64
	Comm, Exe, ExePath    string
	Args, Env, Cgroups    []string
	Cwd, Root             string
	FDLimit               int64
	Flags                 uint32 // clone_flags of flags.tbl
	UID, GID, LoginUID    uint32
	VMSize, VMRSS, VMSwap uint32 // kB
	PfMajor, PfMinor      uint64
	PidnsStartTS          uint64
	TTY                   uint32
	CapInh, CapPrm        uint64
	CapEff                uint64
	ExeIno                uint64
	ExeCtime, ExeMtime    uint64 // ns since the epoch
	ExeWritable           bool
	ExeUpper, ExeLower    bool // layers of an overlay
	ExeMemfd              bool
}

// NoID is the uid, gid or login uid of somebody who has none.
const NoID = 0xffffffff

// FD is one open descriptor of a thread.
type FD struct {
	Tid  int64
	Num  int64
	Ino  uint64
	Type FDType
	Name string // path, or what stands for it

	OpenFlags uint32 // file_flags of flags.tbl; of FDFileV2
	Dev       uint32 // of FDFileV2

	L4       uint8          // of internet sockets: 0 unknown, 1 none, 2 tcp, 3 udp, 4 icmp, 5 raw
	Src, Dst netip.AddrPort // a listening socket has only Dst

	UnixSrc, UnixDst uint64 // of FDUnix
}

// FDType is the kind of a descriptor, numbered as files do.
type FDType uint8

// Values of FDType.
const (
	FDUnknown FDType = iota
	FDFile           // before 2019
	FDDirectory
	FDIPv4
	FDIPv6
	FDIPv4Server
	FDIPv6Server
	FDFifo
	FDUnix
	FDEvent
	FDUnsupported
	FDSignal
	FDEpoll
	FDInotify
	FDTimer
	FDNetlink
	FDFileV2
	FDBPF
	FDUserfault
	FDIOUring
	FDMemfd
	FDPidfd
	numFDTypes
)
