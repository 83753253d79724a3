// SPDX-License-Identifier: Apache-2.0

package state

import (
	"net/netip"
)

// FDType is the kind of object behind a descriptor.
type FDType uint8

// Values of FDType.
const (
	FDUnknown   FDType = iota
	FDFile             // regular files and devices
	FDDirectory        // opened with O_DIRECTORY, or a directory in /proc
	FDIPv4             // connected, or not bound to anything
	FDIPv6
	FDIPv4Server // bound to a port
	FDIPv6Server
	FDUnix
	FDPipe // pipes and named pipes
	FDEvent
	FDSignal
	FDEpoll
	FDInotify
	FDTimer
	FDNetlink
	FDBPF
	FDUserfault
	FDIOUring
	FDMemfd
	FDPidfd
	FDUnsupported // seen in /proc, of a kind that has no name here
	numFDTypes
)

var fdTypes = [numFDTypes]struct {
	name string
	char byte
}{
	FDUnknown: {"<NA>", 'o'}, FDFile: {"file", 'f'}, FDDirectory: {"directory", 'd'},
	FDIPv4: {"ipv4", '4'}, FDIPv6: {"ipv6", '6'}, FDIPv4Server: {"ipv4", '4'}, FDIPv6Server: {"ipv6", '6'},
	FDUnix: {"unix", 'u'}, FDPipe: {"pipe", 'p'}, FDEvent: {"event", 'e'}, FDSignal: {"signalfd", 's'},
	FDEpoll: {"eventpoll", 'l'}, FDInotify: {"inotify", 'i'}, FDTimer: {"timerfd", 't'}, FDNetlink: {"netlink", 'n'},
	FDBPF: {"bpf", 'b'}, FDUserfault: {"userfaultfd", 'u'}, FDIOUring: {"io_uring", 'r'}, FDMemfd: {"memfd", 'm'},
	FDPidfd: {"pidfd", 'P'}, FDUnsupported: {"<NA>", 'X'},
}

// String returns what fd.type prints; server sockets share the names of the others.
func (t FDType) String() string { return fdTypes[t].name }

// Char returns what fd.typechar prints.
func (t FDType) Char() byte { return fdTypes[t].char }

// IsIP reports whether t is a socket of an internet family.
func (t FDType) IsIP() bool { return t >= FDIPv4 && t <= FDIPv6Server }

// IsServer reports whether t is a socket that is bound to a port.
func (t FDType) IsServer() bool { return t == FDIPv4Server || t == FDIPv6Server }

// L4 is the transport of an internet socket.
type L4 uint8

// Values of L4.
const (
	L4Unknown L4 = iota
	L4TCP
	L4UDP
	L4ICMP
	L4Raw
)

var l4Names = [...]string{"<NA>", "tcp", "udp", "icmp", "raw"}

func (l L4) String() string { return l4Names[l] }

// FDFlags are the yes-or-no properties of a descriptor.
type FDFlags uint16

// Values of FDFlags.
const (
	FDCloexec   FDFlags = 1 << iota // an exec drops it
	FDFromProc                      // was found in /proc, not told by an event
	FDClient                        // role: this end asked
	FDServer                        // role: this end was asked
	FDConnected                     // has a peer, or has had one
	FDUpper                         // in the upper layer of an overlay
	FDLower                         // in the lower layer of an overlay
	FDCut                           // Name was longer than the limit
	FDPending                       // somebody is asked what it is; Pid is the number of that question
)

// FD is the record of one open descriptor. Strings in it are owned by it.
//
// A record may be shared by the tables of several processes after a fork: it
// is read through a State and never written from outside.
type FD struct {
	Type    FDType
	L4      L4
	Flags   FDFlags
	path    uint16 // of a unix socket that is called after its ends: where in Name its path begins
	Name    string // what fd.name prints
	RawName string // the path as the caller gave it, runs of slashes made one

	OpenFlags uint32 // file_flags of flags.tbl
	Dev       uint32 // kernel's new encoding
	MntID     int32  // of a record from /proc whose Dev is still to be found
	Ino       uint64
	Pid       int64 // of a pidfd: the process that it stands for, else 0

	// Src and Dst are the ends of an internet socket: client and server. A server
	// socket has only Dst, the address that it is bound to.
	Src, Dst netip.AddrPort

	// UnixSrc and UnixDst tell the ends of a unix socket apart; they are no addresses.
	UnixSrc, UnixDst uint64

	refs int32 // arrays that hold it
	cost int32 // bytes that are counted for it
}

// Has reports whether all of x are set.
func (f *FD) Has(x FDFlags) bool { return f.Flags&x == x }

// HasRole reports whether it is known which end of the socket is the client.
func (f *FD) HasRole() bool { return f.Flags&(FDClient|FDServer) != 0 }
