// SPDX-License-Identifier: Apache-2.0

package state

import (
	"slices"
	"strings"

	"github.com/falco-go/falco/pkg/schema"
)

// Unknown is the text of names that nobody knows.
const Unknown = "<NA>"

// noID is the uid, gid or login uid of a record that has none.
const noID = 0xffffffff

// Thread is the record of one task. Strings in it are owned by it; slices are
// shared between records and never changed in place.
//
// Ids are those of the initial pid namespace, those with a v in front of the
// task's own innermost one. -1 is an id that is not known.
//
// What a process has once (descriptors, working directory, environment) stands
// in the record of its main thread; Cwd, Env, FD and FDs of a State go there. A
// thread can part with its process (unshare(2)) and have its own.
type Thread struct {
	Tid, Pid, Ptid       int64
	Vtid, Vpid, Vpgid    int64
	Sid, Pgid            int64
	Comm                 string
	Exe                  string // argv[0]
	ExePath              string // resolved path of the executable, without " (deleted)"
	Args                 []string
	Cmdline              string   // comm and args, as they were at the last clone, exec or scan
	Env                  []string // of main threads; see State.Env
	Cgroups              []string // "subsystem=path"
	Cwd                  string   // of main threads, ends with a slash; see State.Cwd
	Root                 string
	UID, GID, LoginUID   uint32
	CapInh, CapPrm       uint64
	CapEff               uint64
	TTY                  uint32
	FDLimit              int64
	PfMajor, PfMinor     uint64
	VMSize, VMRSS, VMSwp uint32 // kB
	ExeFlags             uint32 // execve_flags of flags.tbl
	ExeIno               uint64
	ExeCtime, ExeMtime   uint64 // ns since the epoch
	CtimeToClone         uint64 // clone time − ctime of the executable, modulo 2^64; 0 if unknown
	PidnsToCtime         uint64 // ctime of the executable − start of the pid namespace; 0 if not later
	CloneTS, LastExecTS  uint64 // ns since the epoch
	PidnsStartTS         uint64
	TotExecTime          uint64 // ns on a CPU, summed over switch events
	ContainerID          string // "" on the host
	Cut                  Cut    // what was longer than the limits

	Flags     uint32 // clone_flags of flags.tbl, and the marks below
	ReaperTid int64
	Dead      bool // has exited; kept because siblings live

	container        *Container // nil on the host
	group            *Group
	parent           *Thread // who has this record in its list of children
	children         *Thread
	prevSib, nextSib *Thread
	fds              *fdTable // nil: that of the main thread, or none
	enter            *pending // of the system call that the thread is in; nil if none was told
	seededAt         uint64   // events up to this time are already in the fields; 0 if not seeded
	scannedAt        uint64   // the same, of working directory and descriptors
	madeTS           uint64   // of place holders: when they were made
	lruTS            uint64   // time of its last move in the LRU list
	older, newer     *Thread  // LRU list of the State
	suppressed       bool
	forgotten        bool // is in no table and soon another one (pool.go)
	ownFiles, ownFS  bool // a thread that does not share descriptors, or the directory, with its process
	askedSockets     bool
	secure           uint8 // noSetuidFixup, keepCaps

	args, env *memo // what the texts take
	cgroup    *cgroupSet
	weight    int // bytes that are counted for the rest; 0 if it is in no table
}

// Cut says which texts of a record were longer than their limits.
type Cut uint8

// Values of Cut.
const (
	CutArgs Cut = 1 << iota
	CutEnv
	CutCwd
	CutName
)

// Valid reports whether the record describes a task that was seen, and is not
// only a place holder for one that could not be found.
func (t *Thread) Valid() bool { return t.Tid >= 0 && t.Pid >= 0 && t.Ptid >= 0 }

// IsMain reports whether t is the main thread of its process.
func (t *Thread) IsMain() bool { return t.Tid == t.Pid || t.Flags&flagMain != 0 }

// InPidns reports whether t lives in a pid namespace other than the initial one.
func (t *Thread) InPidns() bool {
	return t.Flags&schema.CloneChildInPidns != 0 || t.Vtid >= 0 && t.Vtid != t.Tid
}

// PipeSource and PipeTarget report whether the task has moved a descriptor to
// its standard output or input, as the two sides of a shell's pipe do.
func (t *Thread) PipeSource() bool { return t.Flags&flagPipeSrc != 0 }

// PipeTarget is the other side of PipeSource.
func (t *Thread) PipeTarget() bool { return t.Flags&flagPipeDst != 0 }

// Group returns the process that t belongs to; nil for a place holder.
func (t *Thread) Group() *Group { return t.group }

// EnvValue returns the value of the environment variable called name in env,
// without spaces around it, "" if there is none.
func EnvValue(env []string, name string) string {
	for _, e := range env {
		if len(e) > len(name) && e[len(name)] == '=' && e[:len(name)] == name {
			return strings.Trim(e[len(name)+1:], " ")
		}
	}
	return ""
}

// Group is a process: its threads, of which the main one may be missing.
type Group struct {
	Pid     int64
	Reaper  bool // adopts the orphans among its descendants
	Alive   int  // threads that have not exited
	main    *Thread
	members []*Thread
}

// Main returns the record of the main thread, nil if there is none.
func (g *Group) Main() *Thread { return g.main }

// Threads returns how many threads live, the main one included.
func (g *Group) Threads() int { return g.Alive }

// Others returns how many threads live beside the main one. A main thread that
// has exited before its siblings is not subtracted twice.
func (g *Group) Others() int {
	n := g.Alive
	if g.main != nil && !g.main.Dead {
		n--
	}
	return n
}

func (g *Group) remove(t *Thread) {
	if i := slices.Index(g.members, t); i >= 0 {
		g.members = slices.Delete(g.members, i, i+1)
	}
	if g.main == t {
		g.main = nil
	}
}
