// SPDX-License-Identifier: Apache-2.0

package field

import (
	"math/bits"
	"strconv"
	"strings"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

var threadFields = []Def{
	{Name: "thread.tid", Type: Int64, Get: threadTid,
		Desc: "Thread id, as the host sees it."},
	{Name: "thread.ismain", Type: Bool, Get: threadBool(func(_ *state.Scene, t *state.Thread) bool { return t.IsMain() }),
		Desc: "Whether the thread is the main one of its process."},
	{Name: "thread.vtid", Type: Int64, Get: knownID(func(t *state.Thread) int64 { return t.Vtid }),
		Desc: "Thread id, as the thread sees it in its own pid namespace."},
	{Name: "thread.nametid", Type: String, Traits: Hidden, Get: nameTid,
		Desc: "proc.name and the thread id in one word."},
	{Name: "thread.exectime", Type: RelTime, Get: evtNum(func(s *state.Scene) uint64 { return s.ExecTime }),
		Desc: "Of a context switch: nanoseconds that the thread which leaves has run; else 0."},
	{Name: "thread.totexectime", Type: RelTime, Traits: Stateful, Get: threadNum(func(_ *state.Scene, t *state.Thread) uint64 { return t.TotExecTime }),
		Desc: "Nanoseconds that the thread has run in all, as far as context switches were seen."},
	{Name: "thread.cgroups", Type: String, Get: cgroups,
		Desc: "All control groups of the thread, as subsystem=path."},
	{Name: "thread.cgroup", Type: String, Args: ArgDot | ArgRequired, Get: cgroup,
		Desc: "Path of the thread's control group in one subsystem: thread.cgroup.cpuset."},
	{Name: "thread.cap_permitted", Type: String, Get: capText(func(t *state.Thread) uint64 { return t.CapPrm }),
		Desc: "Names of the capabilities that the thread may use."},
	{Name: "thread.cap_inheritable", Type: String, Get: capText(func(t *state.Thread) uint64 { return t.CapInh }),
		Desc: "Names of the capabilities that the thread may keep over an exec."},
	{Name: "thread.cap_effective", Type: String, Get: capText(func(t *state.Thread) uint64 { return t.CapEff }),
		Desc: "Names of the capabilities that the thread uses."},
	{Name: "thread.pfmajor", Type: Uint64, Get: threadNum(func(_ *state.Scene, t *state.Thread) uint64 { return t.PfMajor }),
		Desc: "Page faults of the thread that had to read from a disk."},
	{Name: "thread.pfminor", Type: Uint64, Get: threadNum(func(_ *state.Scene, t *state.Thread) uint64 { return t.PfMinor }),
		Desc: "Page faults of the thread that had not."},
	{Name: "thread.cpu", Type: Double, Get: load(func(l state.Load) uint64 { return l.User + l.System }),
		Desc: "Share of a CPU that the thread has used since its last load report, in percent."},
	{Name: "thread.cpu.user", Type: Double, Get: load(func(l state.Load) uint64 { return l.User }),
		Desc: "The part of thread.cpu that was used outside the kernel."},
	{Name: "thread.cpu.system", Type: Double, Get: load(func(l state.Load) uint64 { return l.System }),
		Desc: "The part of thread.cpu that was used in the kernel."},
	{Name: "thread.vmsize", Type: Uint64, Get: threadNum(ofMain(mainMemory(vmSize, 1))),
		Desc: "proc.vmsize for the main thread, 0 for others, so that they can be added up."},
	{Name: "thread.vmrss", Type: Uint64, Get: threadNum(ofMain(mainMemory(vmRSS, 1))),
		Desc: "proc.vmrss for the main thread, 0 for others, so that they can be added up."},
	{Name: "thread.vmsize.b", Type: Uint64, Traits: Hidden, Get: threadNum(ofMain(mainMemory(vmSize, 1024))),
		Desc: "thread.vmsize in bytes."},
	{Name: "thread.vmrss.b", Type: Uint64, Traits: Hidden, Get: threadNum(ofMain(mainMemory(vmRSS, 1024))),
		Desc: "thread.vmrss in bytes."},
}

// threadTid needs no record: the event itself says it.
func threadTid(s *state.Scene, _ *Arg, out []Value) []Value {
	if s.Event.Tid < -1 || s.Event.Tid >= 1<<32 {
		return out
	}
	return number(out, uint64(s.Event.Tid))
}

func nameTid(s *state.Scene, a *Arg, out []Value) []Value {
	if s.Thread == nil {
		return out
	}
	a.buf = strconv.AppendInt(append(a.buf[:0], s.Thread.Comm...), s.Event.Tid, 10)
	return text(out, event.View(a.buf))
}

func cgroups(s *state.Scene, a *Arg, out []Value) []Value {
	if s.Thread == nil || len(s.Thread.Cgroups) == 0 {
		return out
	}
	return text(out, a.join(s.Thread.Cgroups))
}

func cgroup(s *state.Scene, a *Arg, out []Value) []Value {
	if s.Thread == nil {
		return out
	}
	for _, c := range s.Thread.Cgroups {
		if name, path, ok := strings.Cut(c, "="); ok && name == a.Text {
			return text(out, path)
		}
	}
	return out
}

// ofMain is 0 for all threads but the main one.
func ofMain(f func(*state.Scene, *state.Thread) uint64) func(*state.Scene, *state.Thread) uint64 {
	return func(s *state.Scene, t *state.Thread) uint64 {
		if !t.IsMain() {
			return 0
		}
		return f(s, t)
	}
}

// capNames are the capabilities by bit.
var capNames = [...]string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
	"CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST",
	"CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE",
	"CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
}

func capText(f func(*state.Thread) uint64) getter {
	return func(s *state.Scene, a *Arg, out []Value) []Value {
		if s.Thread == nil {
			return out
		}
		a.buf = appendCaps(a.buf[:0], f(s.Thread))
		return text(out, event.View(a.buf))
	}
}

func appendCaps(buf []byte, set uint64) []byte {
	start := len(buf)
	for set != 0 {
		i := bits.TrailingZeros64(set)
		set &^= 1 << i
		if i >= len(capNames) {
			break
		}
		if len(buf) > start {
			buf = append(buf, ' ')
		}
		buf = append(buf, capNames[i]...)
	}
	return buf
}

// load gives a part of what a load report says, at most 100 percent.
func load(f func(state.Load) uint64) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		if s.Event.Type != schema.ProcinfoE || s.Thread == nil {
			return out
		}
		return double(out, float64(min(f(s.Load), 100)))
	}
}
