// SPDX-License-Identifier: Apache-2.0

// Package driver is the daemon's end of the kernel module: it opens the
// device, says what is wanted, maps the rings and reads the books. It is the
// one door to golang.org/x/sys/unix.
//
// The conversation is told in driver/uapi/falco.h; the layouts are generated
// from pkg/schema/abi.tbl. Ring memory is handed out as byte slices, which
// pkg/ring knows how to read.
package driver

import (
	"errors"
	"fmt"

	"github.com/falco-go/falco/pkg/schema"
)

// Path is where the module puts its device.
const Path = "/dev/falco"

// Errors that a caller may want to tell apart.
var (
	ErrUnsupported = errors.New("the kernel module works on Linux only")
	ErrVersion     = errors.New("kernel module and daemon do not fit together")
)

// Info is what the module says about itself and this consumer's rings.
type Info struct {
	ABIVersion    uint32
	APIVersion    Version
	SchemaVersion Version
	CPUs          int // possible CPUs; rings may be missing for some
	RingBytes     int // of one CPU; 0 before Configure
	Watermark     int
	Started       bool
	PageFaults    bool // this kernel lets them be traced
	Generation    uint32
	PageSize      int
}

// Config sizes a consumer's rings.
type Config struct {
	RingBytes int // of one CPU, a power of two; 0 means the module's default
	Watermark int // unread bytes that wake a sleeping reader; 0: a quarter of the ring
	Snaplen   int // bytes of I/O data in an event; 0 means the default
}

// Filter says which events a consumer wants.
type Filter struct {
	Syscalls     []schema.SyscallCode // calls and tracepoint rows
	SuccessOnly  bool                 // leave out calls that failed
	Enter        bool                 // also the enter events of open, creat, openat, openat2, connect
	Realpath     bool                 // event.ExtRealpath behind the events of calls that opened a file
	FDSyscalls   []schema.SyscallCode // of Syscalls, those that are wanted of some kinds of descriptors only
	FDKinds      uint32               // schema.ABIFd*: these
	IgnoredTgids []int                // in the initial pid namespace
	HeardTid     int                  // a thread that is told of although its group is ignored; 0 is none
}

// Loss counts events that did not reach the ring, by cause.
type Loss struct {
	Full, TooBig, Nested, NoMemory, NoRing uint64
}

// Total returns the sum over all causes.
func (l Loss) Total() uint64 { return l.Full + l.TooBig + l.Nested + l.NoMemory + l.NoRing }

// Add adds other to l.
func (l *Loss) Add(other Loss) {
	l.Full += other.Full
	l.TooBig += other.TooBig
	l.Nested += other.Nested
	l.NoMemory += other.NoMemory
	l.NoRing += other.NoRing
}

// lossOf reads the kernel's array.
func lossOf(a [schema.ABILostCauses]uint64) Loss {
	return Loss{
		Full:     a[schema.ABILostFull],
		TooBig:   a[schema.ABILostTooBig],
		Nested:   a[schema.ABILostNested],
		NoMemory: a[schema.ABILostNoMemory],
		NoRing:   a[schema.ABILostNoRing],
	}
}

// Stats are the module's books for one CPU: Produced = Published + Lost.Total().
type Stats struct {
	Produced  uint64 // events that passed the filter
	Published uint64 // events written to the ring
	Lost      Loss
	Hooks     uint64 // calls of the module's hooks while this consumer was started
}

// Add adds other to s.
func (s *Stats) Add(other Stats) {
	s.Produced += other.Produced
	s.Published += other.Published
	s.Hooks += other.Hooks
	s.Lost.Add(other.Lost)
}

// TypeStats are the books for one event type.
type TypeStats struct {
	Produced uint64
	Lost     Loss
}

// Version is a packed major << 44 | minor << 24 | patch.
type Version uint64

// Version parts.
func (v Version) Major() uint64 { return uint64(v) >> 44 }

// Minor returns the second part.
func (v Version) Minor() uint64 { return uint64(v) >> 24 & (1<<20 - 1) }

// Patch returns the third part.
func (v Version) Patch() uint64 { return uint64(v) & (1<<24 - 1) }

// String returns "major.minor.patch".
func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major(), v.Minor(), v.Patch()) }

// pack makes a Version.
func pack(major, minor, patch uint64) Version { return Version(major<<44 | minor<<24 | patch) }

// Versions that this daemon asks for.
var (
	APIVersion    = pack(schema.ABIApiMajor, schema.ABIApiMinor, schema.ABIApiPatch)
	SchemaVersion = pack(schema.ABISchemaMajor, schema.ABISchemaMinor, schema.ABISchemaPatch)
)

// accepts reports whether a producer of version have serves a consumer that
// needs v: equal major, and (minor, patch) not lower (driver.md §1).
func (v Version) accepts(have Version) bool {
	return have.Major() == v.Major() && have >= v
}

// compatible checks what the module said about itself.
func compatible(i *Info) error {
	if i.ABIVersion != schema.ABIAbiVersion {
		return fmt.Errorf("%w: module ABI %d, daemon ABI %d", ErrVersion, i.ABIVersion, schema.ABIAbiVersion)
	}
	if !APIVersion.accepts(i.APIVersion) {
		return fmt.Errorf("%w: module API %s, daemon needs %s", ErrVersion, i.APIVersion, APIVersion)
	}
	if !SchemaVersion.accepts(i.SchemaVersion) {
		return fmt.Errorf("%w: module schema %s, daemon needs %s", ErrVersion, i.SchemaVersion, SchemaVersion)
	}
	return nil
}
