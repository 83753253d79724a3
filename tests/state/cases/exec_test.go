// SPDX-License-Identifier: Apache-2.0

package cases

import (
	"strings"

	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/procfs"
	"github.com/falco-go/falco/pkg/schema"
)

// Exec and credentials.
var execs = []scenario{
	{"C-041", func(w *world) {
		w.fork(100, 200)
		w.do(execve(200, "ls", "ls", []string{"-l", "/tmp"}, "trusted_exepath", "/usr/bin/ls"))
		w.want("proc.name", "ls", "proc.exe", "ls", "proc.exepath", "/usr/bin/ls", "proc.args", "-l /tmp", "proc.cmdline", "ls -l /tmp",
			"proc.args[1]", "/tmp", "proc.args[2]", "", "proc.cmdnargs", "2", "proc.cmdlenargs", "6", "evt.arg.args", "-l./tmp.",
			"proc.exeline", "ls -l /tmp")
	}},
	{"C-042", func(w *world) {
		w.do(execve(100, "ls", "ls", nil))
		w.want("proc.args", "", "proc.cmdline", "ls", "proc.exeline", "ls ")
	}},
	{"C-043", func(w *world) {
		w.do(openat(100, atCwd, "/x", schema.OCloexec|schema.ORdonly, 3))
		w.do(execve(100, "/nope", "bash", []string{"a"}, "res", -2))
		w.want("proc.name", "bash", "proc.exe", "-bash", "proc.args", "", "evt.arg.exe", "/nope", "evt.res", "ENOENT")
		w.same("descriptor", w.fd(100, 3), "/x")
	}},
	{"C-044", func(w *world) {
		w.do(openat(100, atCwd, "/x", schema.OCloexec|schema.ORdonly, 3))
		w.do(openat(100, atCwd, "/y", schema.ORdonly, 4))
		w.do(call(schema.EpollCreate1X, 100, "res", 5, "flags", schema.EpollCloexec))
		w.do(call(schema.MemfdCreateX, 100, "fd", 6, "name", "m", "flags", 1))
		w.same("before", w.fds(100), "0 1 2 3 4 5 6")
		w.do(execve(100, "ls", "ls", nil))
		w.same("after", w.fds(100), "0 1 2 4")
	}},
	{"C-045", func(w *world) {
		w.do(openat(100, atCwd, "/x", schema.OCloexec|schema.ORdonly, 3))
		w.do(openat(100, atCwd, "/y", schema.ORdonly, 4))
		w.do(call(schema.FcntlX, 100, "res", 0, "fd", 4, "cmd", schema.FSetfd, "arg", cloexec))
		w.do(call(schema.FcntlX, 100, "res", 0, "fd", 3, "cmd", schema.FSetfd, "arg", 0))
		w.do(execve(100, "ls", "ls", nil))
		w.same("after", w.fds(100), "0 1 2 3")
	}},
	{"C-046", func(w *world) {
		w.do(execve(100, "a", "a", nil, "trusted_exepath", "/tmp/a (deleted)"))
		w.want("proc.exepath", "/tmp/a")
	}},
	{"C-047", func(w *world) {
		w.do(execve(100, "/bin/sh", "run.sh", []string{"./run.sh", "x"}, "trusted_exepath", "/usr/bin/dash"))
		w.want("proc.name", "run.sh", "proc.exepath", "/usr/bin/dash", "proc.cmdline", "run.sh ./run.sh x", "proc.exe", "/bin/sh")
	}},
	{"C-048", func(w *world) {
		w.do(execve(100, "x", "x", nil, "flags", schema.ExeFromMemfd, "trusted_exepath", "/memfd:x (deleted)"))
		w.want("proc.is_exe_from_memfd", "true", "proc.exepath", "/memfd:x")
		w.holds("evt.arg.flags contains EXE_FROM_MEMFD")
	}},
	{"C-049", func(w *world) {
		w.do(execve(100, "x", "x", nil, "flags", schema.ExeWritable|schema.ExeUpperLayer))
		w.want("proc.is_exe_writable", "true", "proc.is_exe_upper_layer", "true", "proc.is_exe_lower_layer", "false")
		w.fork(100, 200)
		w.want("proc.is_exe_writable", "true", "proc.is_exe_upper_layer", "true")
	}},
	{"C-050", func(w *world) {
		w.do(execve(100, "x", "x", nil, "exe_ino_ctime", uint64(t0-2*sec)))
		w.want("proc.exe_ino.ctime_duration_proc_start", "2000000000")
		w.fork(100, 200)
		w.want("proc.exe_ino.ctime_duration_proc_start", "2000000000")
	}},
	{"C-051", func(w *world) {
		w.do(execve(100, "x", "x", nil, "exe_ino_ctime", uint64(t0+5)))
		w.want("proc.exe_ino.ctime_duration_proc_start", "18446744073709551611")
		w.holds("proc.exe_ino.ctime_duration_proc_start > 0")
	}},
	{"C-052", func(w *world) {
		w.do(made(schema.CloneX, 501, 0, 501, 100, schema.CloneNewpid, "vtid", 1, "vpid", 1, "pidns_init_start_ts", 42*sec))
		w.do(execve(501, "x", "x", nil, "exe_ino_ctime", uint64(boot+47*sec)))
		w.want("proc.exe_ino.ctime_duration_pidns_start", "5000000000")
		w.do(execve(100, "x", "x", nil, "exe_ino_ctime", uint64(boot-sec)))
		w.want("proc.exe_ino.ctime_duration_pidns_start", null)
	}},
	// Environments have 32 KiB of their own, so that none of 4,096 bytes needs a second look.
	{"C-053", func(w *world) {
		env := []string{"PAD=" + strings.Repeat("x", 4096-5-len("VAR=z\x00")), "VAR=z"}
		w.do(execve(100, "x", "x", nil, "env", env))
		w.want("proc.env[VAR]", "z")
		w.do(execve(100, "x", "x", nil, "env", []string{"PAD=" + strings.Repeat("x", 33<<10), "VAR=z"}))
		w.want("proc.env[VAR]", "")
		w.same("flagged as cut", w.last.Thread.Cut != 0, true)
	}},
	{"C-054", func(w *world) {
		w.at(100)
		w.want("proc.env[A]", "x", "proc.env[HOM]", "", "proc.env[HOME]", "/root")
	}},
	{"C-055", func(w *world) {
		w.fork(100, 200)
		w.do(execve(200, "a", "a", nil, "env", []string{"LD_PRELOAD=/l.so", "B=1"}, "ptid", 100))
		w.fork(200, 300)
		w.do(execve(300, "b", "b", nil, "env", []string{"C=1"}, "ptid", 200))
		w.fork(300, 400)
		w.do(execve(400, "c", "c", nil, "env", []string{"D=1"}, "ptid", 300))
		w.want("proc.aenv[LD_PRELOAD]", "/l.so", "proc.env[LD_PRELOAD]", "", "proc.aenv[1]", "C=1", "proc.aenv[2]", "LD_PRELOAD=/l.so B=1")
	}},
	{"C-056", func(w *world) {
		w.threads()
		w.do(exits(100, 0))
		w.do(exits(102, 0))
		w.do(execve(100, "new", "new", nil))
		w.want("proc.name", "new", "proc.nthreads", "1", "thread.ismain", "true")
		w.same("101", w.known(101), false)
		w.same("102", w.known(102), false)
		w.same("descriptors", w.fds(100), "0 1 2 4")
	}},
	{"C-057", func(w *world) {
		w.threads()
		w.do(exits(100, 0))
		w.do(execve(100, "new", "new", nil))
		w.want("proc.nthreads", "1")
		w.same("102", w.known(102), false)
	}},
	{"C-058", func(w *world) {
		w.at(900)
		w.want("proc.name", "<NA>")
		w.do(execve(900, "ls", "ls", nil, "ptid", 100))
		w.want("proc.ppid", "100", "thread.vtid", "900", "proc.vpid", "900", "proc.pname", "bash", "proc.name", "ls")
	}},
	{"C-059", func(w *world) {
		w.do(call(schema.SetuidX, 100, "res", 0, "uid", 1000))
		w.want("user.uid", "1000", "user.name", "alice", "user.loginuid", "1000", "user.loginname", "alice", "user.homedir", "/home/alice")
	}},
	{"C-060", func(w *world) {
		w.do(call(schema.SetuidX, 100, "res", -1, "uid", 1000))
		w.want("user.uid", "0", "user.name", "root")
	}},
	{"C-061", func(w *world) {
		w.do(call(schema.SetresuidX, 100, "res", 0, "ruid", uint32(1<<32-1), "euid", 1000, "suid", uint32(1<<32-1)))
		w.want("user.uid", "1000")
		w.do(call(schema.SetresuidX, 100, "res", 0, "ruid", 0, "euid", uint32(1<<32-1), "suid", 0))
		w.want("user.uid", "1000")
	}},
	{"C-062", func(w *world) {
		w.do(call(schema.SetgidX, 100, "res", 0, "gid", 5))
		w.want("group.gid", "5", "group.name", "tty")
	}},
	{"C-063", func(w *world) {
		w.do(call(schema.CapsetX, 100, "res", 0, "cap_inheritable", 0, "cap_permitted", 1, "cap_effective", 1))
		w.want("thread.cap_effective", "CAP_CHOWN", "thread.cap_permitted", "CAP_CHOWN", "thread.cap_inheritable", "")
	}},
	{"C-064", func(w *world) {
		w.do(call(schema.UnshareX, 100, "res", 0, "flags", schema.CloneNewuser))
		for _, set := range []string{"thread.cap_effective", "thread.cap_permitted", "thread.cap_inheritable"} {
			w.same(set, len(strings.Fields(w.field(set))), 41)
		}
	}},
	{"C-065", func(w *world) {
		w.do(call(schema.CapsetX, 100, "res", 0, "cap_inheritable", 0, "cap_permitted", 1, "cap_effective", 1))
		w.do(call(schema.SetnsX, 100, "res", 0, "fd", 3, "nstype", 0))
		w.want("thread.cap_effective", "CAP_CHOWN")
	}},
	{"C-066", func(w *world) {
		w.do(execve(100, "x", "x", nil, "loginuid", uint32(1<<32-1)))
		w.want("user.loginuid", "-1", "user.loginname", "<NA>")
	}},
	{"C-067", func(w *world) {
		w.do(execve(100, "x", "x", nil, "tty", 34816))
		w.want("proc.tty", "34816")
		w.do(call(schema.SetsidX, 100, "res", 100))
		w.want("proc.tty", "0")
	}},
	{"C-068", func(w *world) {
		w.do(thread(101, 100, 1))
		w.do(call(schema.PrlimitX, 101, "res", 0, "newcur", 64, "pid", 0, "resource", rlimitNofile))
		w.at(100)
		w.want("proc.fdlimit", "64", "proc.fdusage", "4.7")
	}},
	{"C-069", func(w *world) {
		w.do(call(schema.ChrootX, 100, "res", 0, "path", "/srv"))
		w.fork(100, 200)
		w.same("root", w.st.Lookup(200).Root, "/srv")
	}},
	{"C-070", func(w *world) {
		w.do(openat(100, atCwd, "/opt", schema.ODirectory|schema.ORdonly, 5))
		w.do(execve(100, "tool", "tool", nil, "trusted_exepath", "/opt/tool"))
		w.want("proc.exepath", "/opt/tool", "evt.type", "execve")
		// The kernel's path was not always told; then it is put together.
		w.do(openat(100, atCwd, "/opt", schema.ODirectory|schema.ORdonly, 5))
		w.do(call(schema.ExecveatE, 100, "dirfd", 5, "pathname", "tool"))
		b := eventtest.New(schema.ExecveatX).Tid(100)
		w.do(set(b, []any{"res", 0, "exe", "tool", "tid", 100, "pid", 100, "ptid", 1, "comm", "tool"}))
		w.want("proc.exepath", "/opt/tool")
	}},
}

// threads gives process 100 the threads 101 and 102, and two descriptors, one of
// which an exec drops.
func (w *world) threads() {
	w.do(thread(101, 100, 1))
	w.do(thread(102, 100, 1))
	w.do(openat(102, atCwd, "/x", schema.OCloexec|schema.ORdonly, 3))
	w.do(openat(102, atCwd, "/y", schema.ORdonly, 4))
}

// inProc makes /proc know a process.
func (w *world) inProc(tid, ppid int64, comm string, more func(*procfs.Task)) {
	w.proc.tasks[tid] = task(tid, tid, ppid, comm, func(k *procfs.Task) {
		k.ReadAt = w.ts
		if more != nil {
			more(k)
		}
	})
}
