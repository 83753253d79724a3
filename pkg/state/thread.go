// SPDX-License-Identifier: Apache-2.0

package state

// Thread is the record of one task. Strings in it are owned by it.
//
// Ids are those of the initial pid namespace, those with a v in front of the
// task's own innermost one.
type Thread struct {
	Tid, Pid, Ptid       int64
	Vtid, Vpid, Vpgid    int64
	Sid, Pgid            int64
	Comm                 string
	Exe                  string // argv[0]
	ExePath              string // resolved path of the executable
	Args                 []string
	Env                  []string
	Cgroups              []string // "subsystem=path"
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
	CloneTS, LastExecTS  uint64 // ns since the epoch
	PidnsStartTS         uint64
	ContainerID          string // "" on the host
}
