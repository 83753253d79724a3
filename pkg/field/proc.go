// SPDX-License-Identifier: Apache-2.0

package field

import (
	"strings"

	"github.com/falco-go/falco/pkg/container"
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// Bits of Thread.ExeFlags.
const (
	exeWritable   = schema.ExeWritable
	exeUpperLayer = schema.ExeUpperLayer
	exeFromMemfd  = schema.ExeFromMemfd
	exeLowerLayer = schema.ExeLowerLayer
)

var procFields = []Def{
	{Name: "proc.pid", Type: Int64, Get: procPid,
		Desc: "Process id, as the host sees it."},
	{Name: "proc.exe", Type: String, Get: threadText(exe),
		Desc: "First word of the command line (argv[0]), which the caller of exec may choose freely."},
	{Name: "proc.pexe", Type: String, Get: parentText(exe),
		Desc: "proc.exe of the parent process."},
	{Name: "proc.aexe", Type: String, Args: ArgIndex, Traits: ancestorTraits, Get: ancestors(exe),
		Desc: "proc.exe of an ancestor: [1] is the parent, [2] the grandparent, … Without a number, any of them."},
	{Name: "proc.exepath", Type: String, Get: threadText(exePath), Text: ownExePath,
		Desc: "Path of the executable, as the kernel resolved it."},
	{Name: "proc.pexepath", Type: String, Get: parentText(exePath),
		Desc: "proc.exepath of the parent process."},
	{Name: "proc.aexepath", Type: String, Args: ArgIndex, Traits: ancestorTraits, Get: ancestors(exePath),
		Desc: "proc.exepath of an ancestor: [1] is the parent, [2] the grandparent, … Without a number, any of them."},
	{Name: "proc.name", Type: String, Get: threadText(comm), Text: ownComm,
		Desc: "Name of the program, cut to 15 bytes by the kernel."},
	{Name: "proc.pname", Type: String, Get: parentText(comm),
		Desc: "proc.name of the parent process."},
	{Name: "proc.aname", Type: String, Args: ArgIndex, Traits: ancestorTraits, Get: ancestors(comm),
		Desc: "proc.name of an ancestor: [1] is the parent, [2] the grandparent, … Without a number, any of them."},
	{Name: "proc.args", Type: String, Args: ArgIndex, Get: procArgs,
		Desc: "Arguments behind the first word of the command line, or the one whose number is given, from 0."},
	{Name: "proc.aargs", Type: String, Args: ArgIndex, Traits: NoRHS | NoTransform, Get: ancestorArgs,
		Desc: "proc.args of an ancestor: [1] is the parent, [2] the grandparent, … Without a number, those of all in one text."},
	{Name: "proc.cmdline", Type: String, Get: threadText(cmdline),
		Desc: "proc.name and proc.args in one text."},
	{Name: "proc.pcmdline", Type: String, Get: parentText(cmdline),
		Desc: "proc.cmdline of the parent process."},
	{Name: "proc.acmdline", Type: String, Args: ArgIndex, Traits: ancestorTraits, Get: ancestors(cmdline),
		Desc: "proc.cmdline of an ancestor: [1] is the parent, [2] the grandparent, … Without a number, any of them."},
	{Name: "proc.cmdnargs", Type: Uint64, Get: threadNum(func(_ *state.Scene, t *state.Thread) uint64 { return uint64(len(t.Args)) }),
		Desc: "Number of arguments behind the first word of the command line."},
	{Name: "proc.cmdlenargs", Type: Uint64, Get: threadNum(argsLen),
		Desc: "Bytes in these arguments, without the blanks between them."},
	{Name: "proc.exeline", Type: String, Get: exeLine,
		Desc: "proc.exe and proc.args in one text."},
	{Name: "proc.env", Type: String, Args: ArgIndex | ArgKey, Get: procEnv,
		Desc: "Environment of the process, or the value of one variable of it: proc.env[PATH]."},
	{Name: "proc.aenv", Type: String, Args: ArgIndex | ArgKey, Traits: ancestorTraits, Get: ancestorEnv, Print: printAncestorEnv,
		Desc: "Environment of an ancestor by number, or the nearest ancestor's value of a variable. Without either, the environment of any of them."},
	{Name: "proc.cwd", Type: String, Get: threadText(func(s *state.Scene, t *state.Thread) string { return s.State.Cwd(t) }),
		Desc: "Working directory of the process, with a slash at its end."},
	{Name: "proc.loginshellid", Type: Int64, Get: loginShell,
		Desc: "Process id of the oldest shell among the process and its ancestors."},
	{Name: "proc.tty", Type: Uint32, Get: threadNum(func(_ *state.Scene, t *state.Thread) uint64 { return uint64(t.TTY) }),
		Desc: "Number of the terminal that controls the process, 0 if there is none."},
	{Name: "proc.ppid", Type: Int64, Get: parentNum(func(_ *state.Scene, p *state.Thread) uint64 { return uint64(p.Pid) }),
		Desc: "Process id of the parent process."},
	{Name: "proc.apid", Type: Int64, Args: ArgIndex, Traits: ancestorTraits, Get: ancestorPid, Print: printAncestorPid,
		Desc: "Process id of an ancestor: [1] is the parent, [2] the grandparent, … Without a number, any of them."},
	{Name: "proc.vpid", Type: Int64, Get: knownID(func(t *state.Thread) int64 { return t.Vpid }),
		Desc: "Process id, as the process sees it in its own pid namespace."},
	{Name: "proc.pvpid", Type: Int64, Get: parentVpid,
		Desc: "Process id of the parent, as that sees it in its own pid namespace."},
	{Name: "proc.sid", Type: Int64, Get: threadNum(func(_ *state.Scene, t *state.Thread) uint64 { return uint64(t.Sid) }),
		Desc: "Session id, in the pid namespace of the process."},
	{Name: "proc.sname", Type: String, Get: leaderText(sessionLeader, comm),
		Desc: "proc.name of the leader of the session."},
	{Name: "proc.sid.exe", Type: String, Get: leaderText(sessionLeader, exe),
		Desc: "proc.exe of the leader of the session."},
	{Name: "proc.sid.exepath", Type: String, Get: leaderText(sessionLeader, exePath),
		Desc: "proc.exepath of the leader of the session."},
	{Name: "proc.vpgid", Type: Int64, Get: threadNum(func(_ *state.Scene, t *state.Thread) uint64 { return uint64(t.Vpgid) }),
		Desc: "Process group id, in the pid namespace of the process."},
	{Name: "proc.vpgid.name", Type: String, Get: leaderText(vpgidLeader, comm),
		Desc: "proc.name of the leader of the process group, found in the pid namespace of the process."},
	{Name: "proc.vpgid.exe", Type: String, Get: leaderText(vpgidLeader, exe),
		Desc: "proc.exe of the leader of the process group, found in the pid namespace of the process."},
	{Name: "proc.vpgid.exepath", Type: String, Get: leaderText(vpgidLeader, exePath),
		Desc: "proc.exepath of the leader of the process group, found in the pid namespace of the process."},
	{Name: "proc.pgid", Type: Int64, Get: threadNum(func(_ *state.Scene, t *state.Thread) uint64 { return uint64(t.Pgid) }),
		Desc: "Process group id, as the host sees it."},
	{Name: "proc.pgid.name", Type: String, Get: leaderText(pgidLeader, comm),
		Desc: "proc.name of the leader of the process group."},
	{Name: "proc.pgid.exe", Type: String, Get: leaderText(pgidLeader, exe),
		Desc: "proc.exe of the leader of the process group."},
	{Name: "proc.pgid.exepath", Type: String, Get: leaderText(pgidLeader, exePath),
		Desc: "proc.exepath of the leader of the process group."},
	{Name: "proc.duration", Type: RelTime, Get: procDuration,
		Desc: "Nanoseconds since the process was started."},
	{Name: "proc.ppid.duration", Type: RelTime, Get: parentDuration,
		Desc: "Nanoseconds since the parent process was started."},
	{Name: "proc.pid.ts", Type: RelTime, Get: threadTime(func(_ *state.Scene, t *state.Thread) uint64 { return t.CloneTS }),
		Desc: "When the process was started, in nanoseconds since 1970."},
	{Name: "proc.ppid.ts", Type: RelTime, Get: parentTS,
		Desc: "When the parent process was started, in nanoseconds since 1970."},
	{Name: "proc.is_exe_writable", Type: Bool, Get: threadBool(exeFlag(exeWritable)),
		Desc: "Whether the user that runs the executable may write to it."},
	{Name: "proc.is_exe_upper_layer", Type: Bool, Get: threadBool(exeFlag(exeUpperLayer)),
		Desc: "Whether the executable lies in the upper layer of an overlay: it was added or changed after a container's start."},
	{Name: "proc.is_exe_lower_layer", Type: Bool, Get: threadBool(exeFlag(exeLowerLayer)),
		Desc: "Whether the executable lies in a lower layer of an overlay: it came with a container's image."},
	{Name: "proc.is_exe_from_memfd", Type: Bool, Get: threadBool(exeFlag(exeFromMemfd)),
		Desc: "Whether the executable never was in a file system: it is a memfd."},
	{Name: "proc.is_sid_leader", Type: Bool, Get: threadBool(func(_ *state.Scene, t *state.Thread) bool { return t.Sid == t.Vpid }),
		Desc: "Whether the process leads its session."},
	{Name: "proc.is_vpgid_leader", Type: Bool, Get: threadBool(func(_ *state.Scene, t *state.Thread) bool { return t.Vpgid == t.Vpid }),
		Desc: "Whether the process leads its process group, in its pid namespace."},
	{Name: "proc.is_pgid_leader", Type: Bool, Get: threadBool(func(_ *state.Scene, t *state.Thread) bool { return t.Pgid == t.Pid }),
		Desc: "Whether the process leads its process group."},
	{Name: "proc.exe_ino", Type: Int64, Get: threadTime(func(_ *state.Scene, t *state.Thread) uint64 { return t.ExeIno }),
		Desc: "Inode number of the executable."},
	{Name: "proc.exe_ino.ctime", Type: AbsTime, Get: threadTime(func(_ *state.Scene, t *state.Thread) uint64 { return t.ExeCtime }),
		Desc: "When the inode of the executable was last changed, in nanoseconds since 1970."},
	{Name: "proc.exe_ino.mtime", Type: AbsTime, Get: threadTime(func(_ *state.Scene, t *state.Thread) uint64 { return t.ExeMtime }),
		Desc: "When the contents of the executable were last changed, in nanoseconds since 1970."},
	{Name: "proc.exe_ino.ctime_duration_proc_start", Type: AbsTime, Get: threadTime(func(_ *state.Scene, t *state.Thread) uint64 { return t.CtimeToClone }),
		Desc: "Nanoseconds from the last change of the executable's inode to the start of the process."},
	{Name: "proc.exe_ino.ctime_duration_pidns_start", Type: AbsTime, Get: threadTime(func(_ *state.Scene, t *state.Thread) uint64 { return t.PidnsToCtime }),
		Desc: "Nanoseconds from the start of the pid namespace to the last change of the executable's inode."},
	{Name: "proc.pidns_init_start_ts", Type: Uint64, Get: threadTime(func(_ *state.Scene, t *state.Thread) uint64 { return t.PidnsStartTS }),
		Desc: "When the pid namespace of the process was started, in nanoseconds since 1970; on the host, when the machine was."},
	{Name: "proc.fdopencount", Type: Uint64, Get: threadNum(func(s *state.Scene, t *state.Thread) uint64 { return uint64(s.State.FDCount(t)) }),
		Desc: "Number of descriptors that the process has open."},
	{Name: "proc.fdlimit", Type: Int64, Get: threadNum(func(s *state.Scene, t *state.Thread) uint64 { return uint64(s.State.FDLimit(t)) }),
		Desc: "Number of descriptors that the process may have open, -1 if that is not known."},
	{Name: "proc.fdusage", Type: Double, Get: fdUsage,
		Desc: "proc.fdopencount as a percentage of proc.fdlimit."},
	{Name: "proc.vmsize", Type: Uint64, Get: threadNum(mainMemory(vmSize, 1)),
		Desc: "Memory that the process has mapped, in kB."},
	{Name: "proc.vmrss", Type: Uint64, Get: threadNum(mainMemory(vmRSS, 1)),
		Desc: "Memory of the process that is not swapped out, in kB."},
	{Name: "proc.vmswap", Type: Uint64, Get: threadNum(mainMemory(vmSwap, 1)),
		Desc: "Memory of the process that is swapped out, in kB."},
	{Name: "proc.nthreads", Type: Uint64, Get: threadNum(func(_ *state.Scene, t *state.Thread) uint64 { return groupCount(t, (*state.Group).Threads) }),
		Desc: "Number of threads that the process has."},
	{Name: "proc.nchilds", Type: Uint64, Get: threadNum(func(_ *state.Scene, t *state.Thread) uint64 { return groupCount(t, (*state.Group).Others) }),
		Desc: "Number of threads that the process has beside the main one."},
	{Name: "proc.stdin.type", Type: String, Get: stdText(0, fdType),
		Desc: "fd.type of the standard input."},
	{Name: "proc.stdout.type", Type: String, Get: stdText(1, fdType),
		Desc: "fd.type of the standard output."},
	{Name: "proc.stderr.type", Type: String, Get: stdText(2, fdType),
		Desc: "fd.type of the standard error output."},
	{Name: "proc.stdin.name", Type: String, Get: stdText(0, fdName),
		Desc: "fd.name of the standard input."},
	{Name: "proc.stdout.name", Type: String, Get: stdText(1, fdName),
		Desc: "fd.name of the standard output."},
	{Name: "proc.stderr.name", Type: String, Get: stdText(2, fdName),
		Desc: "fd.name of the standard error output."},
	{Name: "proc.is_container_healthcheck", Type: Bool, Traits: Deprecated | Metadata | Lineage, Get: probeField(func(i *container.Info) *container.Probe { return i.Healthcheck }),
		Desc: "Whether the process is the health check of its container, or descends from it. Found for docker's and nerdctl's."},
	{Name: "proc.is_container_liveness_probe", Type: Bool, Traits: Deprecated | Metadata | Lineage, Get: probeField(func(i *container.Info) *container.Probe { return i.Liveness }),
		Desc: "Whether the process is the liveness probe of its container, or descends from it. Found for pods that kubectl has applied."},
	{Name: "proc.is_container_readiness_probe", Type: Bool, Traits: Deprecated | Metadata | Lineage, Get: probeField(func(i *container.Info) *container.Probe { return i.Readiness }),
		Desc: "Whether the process is the readiness probe of its container, or descends from it. Found for pods that kubectl has applied."},
}

func exe(_ *state.Scene, t *state.Thread) string     { return t.Exe }
func exePath(_ *state.Scene, t *state.Thread) string { return t.ExePath }
func comm(_ *state.Scene, t *state.Thread) string    { return t.Comm }
func cmdline(_ *state.Scene, t *state.Thread) string { return t.Cmdline }

func ownComm(s *state.Scene) (string, bool) {
	if t := s.Thread; t != nil {
		return t.Comm, true
	}
	return "", false
}

func ownExePath(s *state.Scene) (string, bool) {
	if t := s.Thread; t != nil {
		return t.ExePath, true
	}
	return "", false
}

func exeFlag(bit uint32) func(*state.Scene, *state.Thread) bool {
	return func(_ *state.Scene, t *state.Thread) bool { return t.ExeFlags&bit != 0 }
}

// procPid has no value beyond the numbers that a pid can be.
func procPid(s *state.Scene, _ *Arg, out []Value) []Value {
	if s.Thread == nil || s.Thread.Pid < -1 || s.Thread.Pid >= 1<<32 {
		return out
	}
	return number(out, uint64(s.Thread.Pid))
}

// knownID has no value for an id of -1.
func knownID(f func(t *state.Thread) int64) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		if s.Thread == nil || f(s.Thread) == -1 {
			return out
		}
		return number(out, uint64(f(s.Thread)))
	}
}

func parentText(f func(*state.Scene, *state.Thread) string) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		if p := s.State.Parent(s.Thread); p != nil {
			return text(out, f(s, p))
		}
		return out
	}
}

func parentNum(f func(*state.Scene, *state.Thread) uint64) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		if p := s.State.Parent(s.Thread); p != nil {
			return number(out, f(s, p))
		}
		return out
	}
}

func parentVpid(s *state.Scene, _ *Arg, out []Value) []Value {
	if p := s.State.ParentThread(s.Thread); p != nil {
		return number(out, uint64(p.Vpid))
	}
	return out
}

func parentTS(s *state.Scene, _ *Arg, out []Value) []Value {
	if p := s.State.ParentThread(s.Thread); p != nil {
		return number(out, p.CloneTS)
	}
	return out
}

func procDuration(s *state.Scene, _ *Arg, out []Value) []Value {
	if s.Thread == nil {
		return out
	}
	return duration(s, s.Thread, out)
}

func parentDuration(s *state.Scene, _ *Arg, out []Value) []Value {
	if p := s.State.Parent(s.Thread); p != nil {
		return duration(s, p, out)
	}
	return out
}

// duration is the age of t at the time of the event.
func duration(s *state.Scene, t *state.Thread, out []Value) []Value {
	if t.CloneTS == 0 {
		return out
	}
	return number(out, s.Event.TS-t.CloneTS)
}

func sessionLeader(s *state.Scene) *state.Thread { return s.State.SessionLeader(s.Thread) }
func vpgidLeader(s *state.Scene) *state.Thread   { return s.State.VpgidLeader(s.Thread) }
func pgidLeader(s *state.Scene) *state.Thread    { return s.State.PgidLeader(s.Thread) }

// leaderText is empty where there is no leader.
func leaderText(leader func(*state.Scene) *state.Thread, f func(*state.Scene, *state.Thread) string) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		if s.Thread == nil {
			return out
		}
		if l := leader(s); l != nil {
			return text(out, f(s, l))
		}
		return text(out, "")
	}
}

func argsLen(_ *state.Scene, t *state.Thread) (n uint64) {
	for _, a := range t.Args {
		n += uint64(len(a))
	}
	return n
}

// procArgs is empty for an argument that is not there.
func procArgs(s *state.Scene, a *Arg, out []Value) []Value {
	switch {
	case s.Thread == nil:
		return out
	case !a.Given:
		return text(out, a.join(s.Thread.Args))
	case a.Index < len(s.Thread.Args):
		return text(out, s.Thread.Args[a.Index])
	}
	return text(out, "")
}

// exeLine has a blank behind the first word even if nothing follows.
func exeLine(s *state.Scene, a *Arg, out []Value) []Value {
	if s.Thread == nil {
		return out
	}
	a.buf = append(append(a.buf[:0], s.Thread.Exe...), ' ')
	a.buf = appendJoined(a.buf, s.Thread.Args)
	return text(out, event.View(a.buf))
}

// procEnv takes a number for a position that it does not understand, and gives
// the whole environment.
func procEnv(s *state.Scene, a *Arg, out []Value) []Value {
	if s.Thread == nil {
		return out
	}
	env := s.State.Env(s.Thread)
	if a.Given && a.Index < 0 {
		return text(out, state.EnvValue(env, a.Text))
	}
	return text(out, a.join(env))
}

// loginShell looks at the process and all its ancestors; the last one counts.
func loginShell(s *state.Scene, _ *Arg, out []Value) []Value {
	t := s.State.Main(s.Thread)
	if t == nil {
		return out
	}
	pid, found := t.Pid, strings.HasSuffix(t.Comm, "sh")
	for w := s.State.Walk(t); w.Next(); {
		if strings.HasSuffix(w.Thread.Comm, "sh") {
			pid, found = w.Thread.Pid, true
		}
	}
	if !found {
		return out
	}
	return number(out, uint64(pid))
}

// fdUsage is 0 where the limit is not known, and never more than 100.
func fdUsage(s *state.Scene, _ *Arg, out []Value) []Value {
	if s.Thread == nil {
		return out
	}
	limit := s.State.FDLimit(s.Thread)
	if limit <= 0 {
		return double(out, 0)
	}
	return double(out, min(100, 100*float64(s.State.FDCount(s.Thread))/float64(limit)))
}

func vmSize(t *state.Thread) uint32 { return t.VMSize }
func vmRSS(t *state.Thread) uint32  { return t.VMRSS }
func vmSwap(t *state.Thread) uint32 { return t.VMSwp }

func mainMemory(f func(*state.Thread) uint32, unit uint64) func(*state.Scene, *state.Thread) uint64 {
	return func(_ *state.Scene, t *state.Thread) uint64 { return uint64(f(t)) * unit }
}

func groupCount(t *state.Thread, f func(*state.Group) int) uint64 {
	if g := t.Group(); g != nil {
		return uint64(max(0, f(g)))
	}
	return 0
}

func fdType(f *state.FD) string { return f.Type.String() }
func fdName(f *state.FD) string { return f.Name }

// stdText reads one of the first three descriptors.
func stdText(num int64, f func(*state.FD) string) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		if s.Thread == nil {
			return out
		}
		if fd := s.State.FD(s.Thread, num); fd != nil {
			return text(out, f(fd))
		}
		return out
	}
}
