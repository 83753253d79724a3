// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Task is what /proc tells of one task. Ids are those of the initial pid
// namespace, or of the one whose proc is mounted; those that begin with NS are
// those of the task's innermost one.
type Task struct {
	ReadAt uint64 // time before the first read, ns since the epoch

	Tid, Pid, PPid       int64 // PPid is the tid of a main thread
	NSTid, NSPid, NSPgid int64
	Pgid                 int64
	Sid                  int64  // innermost, as what setsid returns
	PidNS                uint64 // inode of its pid namespace if it is not the initial one
	Threads              int    // of its process
	Comm, Exe            string // Exe is argv[0]
	Args, Env            []string
	ArgsCut, EnvCut      bool
	ExePath, Cwd, Root   string
	UID, GID, LoginUID   uint32 // effective; 0xffffffff if unset
	CapInh, CapPrm       uint64
	CapEff               uint64
	TTY                  uint32
	FDLimit              int64 // -1 if unknown
	MinFlt, MajFlt       uint64
	VMSize, VMRSS, VMSwp uint32 // kB
	ExeIno               uint64
	ExeCtime, ExeMtime   uint64 // ns since the epoch
	Start                uint64 // ns since the epoch, exact to 10 ms
	Cgroups              []string
	FDs                  []FD // of main threads, by number
}

// IsMain reports whether t is the main thread of its process.
func (t *Task) IsMain() bool { return t.Tid == t.Pid }

// Kind is what a descriptor refers to.
type Kind uint8

// Values of Kind.
const (
	Unsupported Kind = iota
	File
	Directory
	Pipe
	Memfd
	Event
	Signal
	Timer
	Inotify
	Epoll
	BPF
	Userfault
	IOUring
	Pidfd
	Inet  // Socket tells which
	Unix  // Name is its path
	Other // a socket that no table lists
	Netlink
)

// FD is what /proc tells of one descriptor.
type FD struct {
	Num    int64
	Kind   Kind
	Name   string // what the link says: a path, "pipe:[77]", …
	Flags  uint32 // of open(2), as the host writes them
	MntID  int32
	Dev    uint32 // kernel's new encoding, 0 if unknown
	Ino    uint64
	Pid    int64 // of a pidfd
	Socket Socket
}

// Socket is a row of /proc/net/{tcp,udp,raw,…}.
type Socket struct {
	Proto         Proto
	Local, Remote netip.AddrPort
}

// Proto is the table that a socket was found in.
type Proto uint8

// Values of Proto.
const (
	NoProto Proto = iota
	TCP
	UDP
	ICMP
	Raw
)

// ErrNoTask is returned for kernel threads and zombies: there is nothing to tell.
var ErrNoTask = errors.New("task has no image")

// Task reads the task tid, be it a main thread or not. Errors wrap os.ErrNotExist
// if it is not there, ErrNoTask if it is a kernel thread or a zombie.
func (fs *FS) Task(tid int64) (*Task, error) {
	// /proc/TID exists for every thread, though it is not listed.
	return fs.task(fs.mount+"/"+strconv.FormatInt(tid, 10), tid)
}

func (fs *FS) task(dir string, tid int64) (*Task, error) {
	t := &Task{ReadAt: uint64(fs.now().UnixNano()), Tid: tid, NSPgid: -1, LoginUID: ^uint32(0), FDLimit: -1}
	bufs := pool.Get().(*buffers)
	defer pool.Put(bufs)
	buf := bufs.small

	b, err := fs.read(buf, dir+"/status", maxSmall)
	if err != nil {
		return nil, err
	}
	if err := parseStatus(b, t); err != nil {
		return nil, fmt.Errorf("read %s/status: %w", dir, err)
	}
	if b, err = fs.read(buf, dir+"/stat", maxSmall); err != nil {
		return nil, err
	}
	if err := fs.parseStat(b, t); err != nil {
		return nil, fmt.Errorf("read %s/stat: %w", dir, err)
	}

	cmd, cmdErr := fs.read(bufs.big, dir+"/cmdline", maxArgs)
	exe, exeErr := fs.readlink(dir + "/exe")
	if exeErr != nil && (cmdErr != nil || len(cmd) == 0) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNoTask)
	}
	t.ExePath = strings.TrimSuffix(exe, " (deleted)")
	argv := parseStrings(cmd)
	if len(argv) > 0 {
		t.Exe, t.Args = argv[0], argv[1:]
	}
	t.ArgsCut = len(cmd) == maxArgs
	if st, err := fs.stat(dir + "/exe"); err == nil {
		t.ExeIno, t.ExeCtime, t.ExeMtime = st.ino, st.ctime, st.mtime
	}
	if t.IsMain() {
		env, _ := fs.read(bufs.big, dir+"/environ", maxArgs)
		t.Env, t.EnvCut = parseStrings(env), len(env) == maxArgs
		t.Cwd, _ = fs.readlink(dir + "/cwd")
		if b, err := fs.read(buf, dir+"/limits", maxSmall); err == nil {
			t.FDLimit = parseLimits(b)
		}
	}
	t.Root, _ = fs.readlink(dir + "/root")
	if b, err := fs.read(buf, dir+"/loginuid", maxSmall); err == nil {
		if v, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 32); err == nil {
			t.LoginUID = uint32(v)
		}
	}
	if b, err := fs.read(buf, dir+"/cgroup", maxSmall); err == nil {
		t.Cgroups = parseCgroup(b)
	}
	if t.NSTid != t.Tid {
		if link, err := fs.readlink(dir + "/ns/pid"); err == nil {
			t.PidNS = inodeOf(link, "pid:")
		}
	}
	if t.IsMain() {
		fs.readFDs(dir, t)
	}
	return t, nil
}

// Comm returns the name of the thread tid of process pid.
func (fs *FS) Comm(pid, tid int64) (string, error) {
	b, err := fs.read(nil, fmt.Sprintf("%s/%d/task/%d/comm", fs.mount, pid, tid), maxSmall)
	return strings.TrimSuffix(string(b), "\n"), err
}
