// SPDX-License-Identifier: Apache-2.0

package state

import (
	"slices"
	"testing"

	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/procfs"
	"github.com/falco-go/falco/pkg/schema"
)

const (
	threadFlags = schema.CloneThread | schema.CloneVm | schema.CloneFiles
	inPidns     = schema.CloneChildInPidns
)

type scenario struct {
	id  string
	run func(w *world)
}

func runAll(t *testing.T, cases []scenario) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.id, func(t *testing.T) { c.run(newWorld(t)) })
	}
}

func comms(s *State, t *Thread) (names []string) {
	s.Ancestors(t, func(a *Thread) bool { names = append(names, a.Comm); return true })
	return names
}

func TestClone(t *testing.T) {
	runAll(t, []scenario{
		{"C-001", func(w *world) {
			w.do(made(schema.ForkX, 100, 200, 100, 1, 0))
			parentTS := w.ts
			sc := w.do(made(schema.ForkX, 200, 0, 200, 100, 0))
			x := sc.Thread
			w.same("tid", x.Tid, 200)
			w.same("ptid", x.Ptid, 100)
			w.same("pid", x.Pid, 200)
			w.same("cwd", w.s.Cwd(x), "/root/")
			w.same("pname", w.s.Parent(x).Comm, "bash")
			w.same("clone ts", x.CloneTS, parentTS)
			w.same("fd 2", w.fdName(200, 2), "/dev/pts/0")
			w.same("env", w.s.Env(x), w.s.Env(w.s.Lookup(100)))
			w.same("login uid", x.LoginUID, 1000)
			w.same("tty", x.TTY, 34816)
		}},
		{"C-002", func(w *world) {
			x := w.do(made(schema.ForkX, 200, 0, 200, 100, 0)).Thread
			ts := w.ts
			w.do(made(schema.ForkX, 100, 200, 100, 1, 0))
			w.same("record", w.s.Lookup(200) == x, true)
			w.same("inverted", x.Flags&schema.CloneInverted != 0, true)
			w.same("clone ts", x.CloneTS, ts)
		}},
		{"C-003", func(w *world) {
			w.do(made(schema.ForkX, 100, 200, 100, 1, 0))
			sc := w.do(exits(200, 0))
			w.same("name", sc.Thread.Comm, "bash")
			w.same("parent", w.s.Parent(sc.Thread).Comm, "bash")
			w.nothing(1)
			w.same("gone", w.s.Lookup(200) == nil, true)
		}},
		{"C-004", func(w *world) {
			w.do(made(schema.ForkX, 200, 0, 200, 100, 0))
			w.do(exits(200, 0))
			w.do(closed(1, 9, 0))
			w.do(made(schema.ForkX, 100, 200, 100, 1, 0))
			w.same("not raised", w.s.Lookup(200) == nil, true)
		}},
		{"C-005", func(w *world) {
			w.do(made(schema.ForkX, 200, 0, 200, 100, 0))
			w.do(exits(200, 0))
			w.ts += 9 * sec // the original forgets after two
			w.do(made(schema.ForkX, 100, 200, 100, 1, 0))
			w.same("not raised", w.s.Lookup(200) == nil, true)
			w.ts += 2 * sec
			w.do(made(schema.ForkX, 100, 200, 100, 1, 0))
			w.same("made", w.s.Lookup(200) != nil, true)
		}},
		{"C-004 of a thread", func(w *world) {
			w.do(made(schema.CloneX, 101, 0, 100, 1, threadFlags))
			w.do(exits(101, 0))
			w.do(closed(1, 9, 0))
			w.do(made(schema.CloneX, 100, 101, 100, 1, threadFlags))
			w.same("not raised", w.s.Lookup(101) == nil, true)
			w.do(exits(100, 0))
			w.nothing(1)
			w.same("nor is the process", w.s.Lookup(100) == nil, true)
		}},
		{"number of the last thread", func(w *world) {
			w.do(made(schema.CloneX, 101, 0, 100, 1, threadFlags))
			w.do(exits(100, 0)) // the main thread stays for the other one
			w.nothing(1)
			w.same("stays", w.s.Lookup(100) != nil, true)
			w.ts += 3 * sec
			w.do(made(schema.ForkX, 101, 0, 101, 1, 0)) // whose end was lost: the number is another's
			w.same("gone", w.s.Lookup(100) == nil, true)
		}},
		{"C-006", func(w *world) {
			w.do(made(schema.VforkX, 200, 0, 200, 100, schema.CloneVfork))
			w.do(execve(200, "ls", "ls", nil))
			w.do(exits(200, 0))
			w.ts += 3 * sec
			w.do(made(schema.VforkX, 100, 200, 100, 1, 0))
			w.same("not made", w.s.Lookup(200) == nil, true)
		}},
		{"C-007", func(w *world) {
			w.do(made(schema.Clone3X, 100, 200, 100, 1, schema.CloneVfork|schema.CloneVm))
			w.same("not made", w.s.Lookup(200) == nil, true)
			w.do(made(schema.Clone3X, 200, 0, 200, 100, schema.CloneVfork|schema.CloneVm))
			w.same("made", w.s.Lookup(200) != nil, true)
		}},
		{"C-008", func(w *world) {
			w.do(made(schema.CloneX, 100, 101, 100, 1, threadFlags))
			sc := w.do(made(schema.CloneX, 101, 0, 100, 1, threadFlags))
			w.same("pid", sc.Thread.Pid, 100)
			w.same("ptid", sc.Thread.Ptid, 1)
			w.same("main", sc.Thread.IsMain(), false)
			w.same("threads", sc.Thread.Group().Threads(), 2)
			w.same("children", sc.Thread.Group().Others(), 1)
			w.fork(100, 200)
			w.do(execve(200, "x", "x", nil))
			execTS := w.ts
			w.same("last exec, child's event", w.do(made(schema.CloneX, 201, 0, 200, 100, threadFlags)).Thread.LastExecTS, execTS)
			w.do(made(schema.CloneX, 200, 202, 200, 100, threadFlags))
			w.same("last exec, caller's event", w.s.Lookup(202).LastExecTS, execTS)
		}},
		{"C-009", func(w *world) {
			w.do(made(schema.CloneX, 100, 101, 100, 1, threadFlags))
			w.do(made(schema.CloneX, 101, 0, 100, 1, threadFlags))
			w.do(openat(101, atCwd, "/tmp/x", schema.OCreat|schema.OWronly, 3))
			w.same("name", w.do(write(100, 3, 5)).FD.Name, "/tmp/x")
		}},
		{"C-010", func(w *world) {
			w.do(made(schema.CloneX, 101, 0, 100, 1, threadFlags))
			w.do(call(schema.ChdirX, 101, "res", 0, "path", "sub"))
			w.same("cwd", w.s.Cwd(w.nothing(100).Thread), "/root/sub/")
		}},
		{"C-011 C-012", func(w *world) {
			w.do(made(schema.CloneX, 101, 0, 100, 1, threadFlags))
			w.do(made(schema.ForkX, 101, 300, 100, 1, 0))
			sc := w.do(made(schema.ForkX, 300, 0, 300, 101, 0))
			w.same("ptid", sc.Thread.Ptid, 101)
			w.same("parent", w.s.Parent(sc.Thread).Tid, 100)
			w.same("fds", w.fdName(300, 0), "/dev/pts/0")
			w.do(exits(101, 100))
			w.nothing(300)
			w.same("ptid then", w.s.Lookup(300).Ptid, 100)
			w.same("aname[1]", w.s.Ancestor(w.s.Lookup(300), 1).Comm, "bash")
			w.same("reaper", w.s.Lookup(100).Group().Reaper, false)
		}},
		{"C-013", func(w *world) {
			w.fork(100, 200)
			w.fork(200, 300)
			w.do(exits(200, 1))
			sc := w.nothing(300)
			w.same("ptid", sc.Thread.Ptid, 1)
			w.same("pname", w.s.Parent(sc.Thread).Comm, "systemd")
			w.same("aname[2]", w.s.Ancestor(sc.Thread, 2) == nil, true)
		}},
		{"C-014", func(w *world) {
			w.fork(100, 200)
			w.fork(200, 300)
			w.do(call(schema.PrctlX, 100, "res", 0, "option", prSetSubreaper, "arg2_int", 1))
			w.do(exits(200, -1))
			w.same("ptid", w.nothing(300).Thread.Ptid, 100)
		}},
		{"C-015", func(w *world) {
			w.fork(100, 200)
			w.fork(200, 300)
			w.do(call(schema.PrctlX, 100, "res", 0, "option", prSetSubreaper, "arg2_int", 1))
			w.do(call(schema.PrctlX, 100, "res", 0, "option", prSetSubreaper, "arg2_int", 0))
			w.do(exits(200, -1))
			w.same("ptid", w.nothing(300).Thread.Ptid, 1)
		}},
		{"C-016", func(w *world) {
			w.do(call(schema.PrctlX, 100, "res", -1, "option", prSetSubreaper, "arg2_int", 1))
			w.same("reaper", w.s.Lookup(100).Group().Reaper, false)
		}},
		{"C-017 C-018", func(w *world) {
			w.do(made(schema.CloneX, 101, 0, 100, 1, threadFlags))
			w.do(exits(100, 0))
			sc := w.do(openat(101, atCwd, "r", schema.ORdonly, 4))
			w.same("main is kept", w.s.Lookup(100) != nil && w.s.Lookup(100).Dead, true)
			w.same("fd", sc.FD.Name, "/root/r")
			w.same("cwd", w.s.Cwd(sc.Thread), "/root/")
			w.same("threads", sc.Thread.Group().Threads(), 1)
			w.same("children", sc.Thread.Group().Others(), 1)
			w.do(exits(101, 0))
			w.nothing(1)
			w.same("100", w.s.Lookup(100) == nil, true)
			w.same("101", w.s.Lookup(101) == nil, true)
			w.same("group", w.s.groups[100] == nil, true)
			w.same("children of 1", w.s.Lookup(1).children == nil, true)
		}},
		{"C-019", func(w *world) {
			w.do(made(schema.ForkX, 100, 200, 100, 1, 0))
			w.fork(200, 300)
			old := w.s.Lookup(200)
			w.ts += 10 * sec
			w.do(made(schema.ForkX, 100, 200, 100, 1, 0))
			x := w.s.Lookup(200)
			w.same("new", x != old, true)
			w.same("clone ts", x.CloneTS, w.ts)
			w.same("child", w.s.Lookup(300).Ptid, 1)
		}},
		{"C-020", func(w *world) {
			w.fork(100, 200)
			old := w.s.Lookup(200)
			w.ts += 5 * sec
			w.do(made(schema.ForkX, 200, 0, 200, 100, 0))
			w.same("new", w.s.Lookup(200) != old, true)
			w.same("clone ts", w.s.Lookup(200).CloneTS, w.ts)
		}},
		{"C-021", func(w *world) {
			w.fork(100, 200)
			old := w.s.Lookup(200)
			w.ts += sec / 2
			w.same("thread", w.do(made(schema.ForkX, 200, 0, 200, 100, 0)).Thread == old, true)
		}},
		{"C-022", func(w *world) {
			w.do(made(schema.ForkX, 100, -11, 100, 1, 0))
			w.same("threads", w.s.Stats().Threads, 2)
		}},
		{"C-023 C-024", func(w *world) {
			w.do(made(schema.CloneX, 100, 7, 100, 1, schema.CloneNewpid))
			w.same("nothing made", w.s.Lookup(7) == nil, true)
			sc := w.do(made(schema.CloneX, 501, 0, 501, 100, schema.CloneNewpid, "vtid", 1, "vpid", 1, "pidns_init_start_ts", 42*sec))
			x := sc.Thread
			w.same("vpid", x.Vpid, 1)
			w.same("in pidns", x.InPidns(), true)
			w.same("pidns start", x.PidnsStartTS, boot+42*sec)
			w.do(made(schema.CloneX, 501, 12, 501, 100, inPidns, "vtid", 1, "vpid", 1))
			w.same("no 12", w.s.Lookup(12) == nil, true)
			sc = w.do(made(schema.CloneX, 620, 0, 620, 501, inPidns, "vtid", 12, "vpid", 12))
			w.same("vpid", sc.Thread.Vpid, 12)
			w.same("pvpid", w.s.ParentThread(sc.Thread).Vpid, 1)
		}},
		{"C-025", func(w *world) {
			w.container()
			w.do(exits(620, 501))
			w.same("ptid", w.nothing(630).Thread.Ptid, 501)
			w.same("reaper", w.s.Lookup(501).Group().Reaper, true)
		}},
		{"C-026", func(w *world) {
			w.container()
			w.do(call(schema.PrctlX, 100, "res", 0, "option", prSetSubreaper, "arg2_int", 1))
			w.do(exits(501, -1))
			w.same("620", w.nothing(620).Thread.Ptid, 0)
			w.do(exits(620, -1))
			sc := w.nothing(630)
			w.same("ptid", sc.Thread.Ptid, 0)
			w.same("parent", w.s.Parent(sc.Thread) == nil, true)
		}},
		{"C-027", func(w *world) {
			w.do(made(schema.CloneX, 100, 210, 100, 1, schema.CloneParent))
			w.same("nothing made", w.s.Lookup(210) == nil, true)
			w.same("ptid", w.do(made(schema.CloneX, 210, 0, 210, 1, schema.CloneParent)).Thread.Ptid, 1)
		}},
		{"C-028", func(w *world) {
			w.fork(100, 200)
			w.fork(200, 300)
			w.fork(300, 400)
			for tid, comm := range map[int64]string{200: "two", 300: "three", 400: "four"} {
				w.do(execve(tid, comm, comm, nil))
			}
			x := w.nothing(400).Thread
			for n, want := range []string{"four", "three", "two", "bash", "systemd"} {
				w.same("aname", w.s.Ancestor(x, n).Comm, want)
			}
			w.same("apid[2]", w.s.Ancestor(x, 2).Pid, 200)
			w.same("beyond", w.s.Ancestor(x, 5) == nil, true)
			w.same("all", comms(w.s, x), []string{"three", "two", "bash", "systemd"})
		}},
		{"C-030", func(w *world) {
			w.fork(100, 300)
			w.fork(300, 400)
			w.s.orphan(w.s.Lookup(300))
			w.s.Lookup(300).Ptid = 400
			w.s.adopt(w.s.Lookup(300))
			w.same("walk", comms(w.s, w.s.Lookup(400)), []string{"bash"})
			w.same("n-th", w.s.Ancestor(w.s.Lookup(400), 1<<40) == nil, true)
			w.same("from below", len(comms(w.s, w.s.Lookup(300))) < 4, true)
			w.fork(400, 500)
			w.same("from outside of the circle", len(comms(w.s, w.s.Lookup(500))) < 6, true)
			w.same("n-th from there", w.s.Ancestor(w.s.Lookup(500), 1<<40) == nil, true)
		}},
		{"C-032", func(w *world) {
			w.fork(100, 200)
			x := w.do(call(schema.SetsidX, 200, "res", 200)).Thread
			w.same("sid", x.Sid, 200)
			w.same("vpgid", x.Vpgid, 200)
			w.same("pgid", x.Pgid, 200)
			w.same("tty (C-067)", x.TTY, 0)
			w.same("leader", w.s.SessionLeader(x) == x, true)
		}},
		{"C-033", func(w *world) {
			w.fork(100, 200)
			w.do(call(schema.SetsidX, 200, "res", 200))
			w.do(execve(200, "sh", "sh", nil))
			w.fork(200, 300)
			w.same("leader", w.s.SessionLeader(w.s.Lookup(300)).Comm, "sh")
		}},
		{"C-034", func(w *world) {
			w.container()
			for _, tid := range []int64{501, 620, 630} {
				w.s.Lookup(tid).Sid = 1
			}
			w.do(execve(501, "init", "init", nil, "vpgid", 1))
			w.same("leader", w.s.SessionLeader(w.s.Lookup(630)).Comm, "init")
		}},
		{"C-035", func(w *world) {
			x := w.s.Lookup(100)
			x.Sid = -1
			w.same("leader", w.s.SessionLeader(x) == nil, true)
		}},
		{"C-036", func(w *world) {
			w.fork(100, 201)
			w.fork(100, 202)
			w.do(openat(201, atCwd, "/a", 1, 5))
			w.do(openat(202, atCwd, "/b", 1, 4))
			w.do(call(schema.Dup2X, 201, "res", 1, "oldfd", 5, "newfd", 1))
			w.do(call(schema.Dup2X, 202, "res", 0, "oldfd", 4, "newfd", 0))
			w.do(execve(201, "ls", "ls", nil))
			w.do(execve(202, "wc", "wc", nil))
			w.same("source", w.s.Lookup(201).PipeSource(), true)
			w.same("target", w.s.Lookup(202).PipeTarget(), true)
			w.same("not both", w.s.Lookup(202).PipeSource(), false)
		}},
		{"C-037", func(w *world) {
			w.fork(100, 200)
			w.fork(100, 300)
			w.do(execve(200, "ls", "ls", nil, "vpgid", 200))
			w.do(execve(300, "wc", "wc", nil, "vpgid", 200))
			w.same("leader", w.s.VpgidLeader(w.s.Lookup(300)).Comm, "ls")
			w.same("vpgid", w.s.Lookup(300).Vpgid, 200)
		}},
		{"C-038", func(w *world) {
			w.fork(100, 200)
			x := w.do(execve(200, "ls", "ls", nil, "pgid", []byte(nil))).Thread
			w.same("pgid", x.Pgid, -1)
			w.same("leader", w.s.PgidLeader(x) == nil, true)
		}},
		{"C-040", func(w *world) {
			x := w.do(made(schema.ForkX, 200, 0, 200, 150, 0)).Thread
			w.same("place holder", w.s.Lookup(150).Comm, "<NA>")
			w.same("ptid", x.Ptid, 0)
			w.same("parent", w.s.Parent(x) == nil, true)
		}},
		{"C-204", func(w *world) {
			w.nothing(900) // makes a place holder
			w.do(made(schema.ForkX, 900, 901, 900, 100, 0, "comm", "sh", "exe", "sh", "args", []string{"-c"}))
			c, x := w.s.Lookup(900), w.s.Lookup(901)
			w.same("caller", c.Valid(), true)
			w.same("comm", c.Comm, "sh")
			w.same("args", c.Args, []string{"-c"})
			w.same("parent", w.s.Parent(c).Tid, 100)
			w.same("child's parent", x.Ptid, 900)
			w.same("cwd", w.s.Cwd(x), "")
			w.same("fds", w.s.FDCount(x), 0)
		}},
		{"C-186", func(w *world) {
			w.s.suppress = map[string]bool{"noisy": true}
			w.fork(100, 200)
			w.same("exec", w.do(execve(200, "noisy", "noisy", nil)) == nil, true)
			w.same("child", w.do(made(schema.ForkX, 300, 0, 300, 200, 0)) == nil, true)
			w.same("after exec", w.do(execve(300, "quiet", "quiet", nil)) == nil, true)
			w.same("exit", w.do(exits(200, 0)) == nil, true)
			w.nothing(1)
			w.same("cleaned", w.s.Lookup(200) == nil, true)
		}},
		{"setpgid", func(w *world) {
			w.fork(100, 200)
			w.do(call(schema.SetpgidX, 100, "res", 0, "pid", 200, "pgid", 0))
			w.same("child", w.s.Lookup(200).Vpgid, 200)
			w.same("pgid", w.s.Lookup(200).Pgid, 200)
			w.do(call(schema.SetpgidX, 200, "res", 0, "pid", 0, "pgid", 100))
			w.same("self", w.s.Lookup(200).Vpgid, 100)
			w.do(call(schema.SetpgidX, 200, "res", -1, "pid", 0, "pgid", 1))
			w.same("failed", w.s.Lookup(200).Vpgid, 100)
		}},
	})
}

// container makes 501, init of a pid namespace, its child 620 and that one's 630.
func (w *world) container() {
	w.do(made(schema.CloneX, 501, 0, 501, 100, schema.CloneNewpid, "vtid", 1, "vpid", 1))
	w.do(made(schema.CloneX, 620, 0, 620, 501, inPidns, "vtid", 12, "vpid", 12))
	w.do(made(schema.CloneX, 630, 0, 630, 620, inPidns, "vtid", 13, "vpid", 13))
}

func TestExec(t *testing.T) {
	runAll(t, []scenario{
		{"C-041", func(w *world) {
			w.fork(100, 200)
			x := w.do(execve(200, "ls", "ls", []string{"-l", "/tmp"}, "trusted_exepath", "/usr/bin/ls")).Thread
			w.same("comm", x.Comm, "ls")
			w.same("exe", x.Exe, "ls")
			w.same("exepath", x.ExePath, "/usr/bin/ls")
			w.same("args", x.Args, []string{"-l", "/tmp"})
			w.same("cmdline", x.Cmdline, "ls -l /tmp")
			w.same("last exec", x.LastExecTS, w.ts)
		}},
		{"C-042", func(w *world) {
			w.fork(100, 200)
			x := w.do(execve(200, "ls", "ls", nil)).Thread
			w.same("args", len(x.Args), 0)
			w.same("cmdline", x.Cmdline, "ls")
		}},
		{"C-043", func(w *world) {
			w.do(openat(100, atCwd, "/x", schema.OCloexec|schema.ORdonly, 3))
			x := w.do(execve(100, "/nope", "nope", nil, "res", -2)).Thread
			w.same("comm", x.Comm, "bash")
			w.same("fd", w.fdName(100, 3), "/x")
		}},
		{"C-044", func(w *world) {
			w.do(openat(100, atCwd, "/x", schema.OCloexec|schema.ORdonly, 3))
			w.do(openat(100, atCwd, "/y", schema.ORdonly, 4))
			w.do(call(schema.EpollCreate1X, 100, "res", 5, "flags", schema.EpollCloexec))
			w.do(call(schema.MemfdCreateX, 100, "fd", 6, "name", "m", "flags", hostMFDCloexec))
			w.same("before", w.s.FDCount(w.s.Lookup(100)), 7)
			w.do(execve(100, "ls", "ls", nil))
			var left []int64
			w.s.FDs(w.s.Lookup(100), func(n int64, _ *FD) bool { left = append(left, n); return true })
			w.same("left", left, []int64{0, 1, 2, 4})
		}},
		{"C-045", func(w *world) {
			w.do(openat(100, atCwd, "/x", schema.OCloexec|schema.ORdonly, 3))
			w.do(openat(100, atCwd, "/y", schema.ORdonly, 4))
			w.do(call(schema.FcntlX, 100, "res", 0, "fd", 4, "cmd", schema.FSetfd, "arg", 1))
			w.do(call(schema.FcntlX, 100, "res", 0, "fd", 3, "cmd", schema.FSetfd, "arg", 0))
			w.do(execve(100, "ls", "ls", nil))
			w.same("3", w.fdName(100, 3), "/x")
			w.same("4", w.fdName(100, 4), "<nil>")
		}},
		{"C-046", func(w *world) {
			x := w.do(execve(100, "a", "a", nil, "trusted_exepath", "/tmp/a (deleted)")).Thread
			w.same("exepath", x.ExePath, "/tmp/a")
		}},
		{"C-047", func(w *world) {
			x := w.do(execve(100, "/bin/sh", "run.sh", []string{"./run.sh", "x"}, "trusted_exepath", "/usr/bin/dash")).Thread
			w.same("comm", x.Comm, "run.sh")
			w.same("exepath", x.ExePath, "/usr/bin/dash")
			w.same("cmdline", x.Cmdline, "run.sh ./run.sh x")
		}},
		{"C-048 C-049", func(w *world) {
			flags := schema.ExeFromMemfd | schema.ExeUpperLayer
			x := w.do(execve(100, "x", "x", nil, "flags", flags, "trusted_exepath", "/memfd:x (deleted)")).Thread
			w.same("flags", x.ExeFlags, flags)
			w.same("exepath", x.ExePath, "/memfd:x")
			w.fork(100, 200)
			w.same("child", w.s.Lookup(200).ExeFlags, flags)
		}},
		{"C-050", func(w *world) {
			ctime := w.s.Lookup(100).CloneTS - 2*sec
			x := w.do(execve(100, "x", "x", nil, "exe_ino_ctime", ctime)).Thread
			w.same("duration", x.CtimeToClone, 2*sec)
			w.fork(100, 200)
			w.same("child", w.s.Lookup(200).CtimeToClone, 2*sec)
		}},
		{"C-051", func(w *world) {
			ctime := w.s.Lookup(100).CloneTS + 5
			w.same("wraps", w.do(execve(100, "x", "x", nil, "exe_ino_ctime", ctime)).Thread.CtimeToClone, ^uint64(0)-4)
		}},
		{"C-052", func(w *world) {
			w.do(made(schema.CloneX, 501, 0, 501, 100, schema.CloneNewpid, "vtid", 1, "vpid", 1, "pidns_init_start_ts", 42*sec))
			x := w.do(execve(501, "x", "x", nil, "exe_ino_ctime", uint64(boot+47*sec))).Thread
			w.same("duration", x.PidnsToCtime, 5*sec)
			x = w.do(execve(100, "x", "x", nil, "exe_ino_ctime", uint64(boot-sec))).Thread
			w.same("older", x.PidnsToCtime, 0)
		}},
		{"C-054", func(w *world) {
			env := w.s.Env(w.s.Lookup(100))
			w.same("A", EnvValue(env, "A"), "x")
			w.same("HOM", EnvValue(env, "HOM"), "")
			w.same("HOME", EnvValue(env, "HOME"), "/root")
		}},
		{"C-056 C-057", func(w *world) {
			w.do(made(schema.CloneX, 101, 0, 100, 1, threadFlags))
			w.do(made(schema.CloneX, 102, 0, 100, 1, threadFlags))
			w.do(openat(102, atCwd, "/x", schema.ORdonly, 3))
			w.do(exits(100, 0))
			x := w.do(execve(100, "new", "new", nil)).Thread
			w.nothing(1)
			w.same("revived", x.Dead, false)
			w.same("101", w.s.Lookup(101) == nil, true)
			w.same("102", w.s.Lookup(102) == nil, true)
			w.same("threads", x.Group().Threads(), 1)
			w.same("comm", w.s.Lookup(100).Comm, "new")
			w.same("fd", w.fdName(100, 3), "/x")
		}},
		{"C-058", func(w *world) {
			w.nothing(900)
			x := w.do(execve(900, "ls", "ls", nil, "ptid", 100)).Thread
			w.same("valid", x.Valid(), true)
			w.same("vtid", x.Vtid, 900)
			w.same("vpid", x.Vpid, 900)
			w.same("pname", w.s.Parent(x).Comm, "bash")
		}},
		{"C-059", func(w *world) {
			x := w.do(call(schema.SetuidX, 100, "res", 0, "uid", 1000)).Thread
			u, ok := w.s.User(x, x.UID)
			w.same("name", u.Name, "alice")
			w.same("known", ok, true)
			w.same("login uid", x.LoginUID, 1000)
		}},
		{"C-060", func(w *world) {
			w.same("uid", w.do(call(schema.SetuidX, 100, "res", -1, "uid", 1000)).Thread.UID, 0)
		}},
		{"C-061", func(w *world) {
			w.do(call(schema.SetresuidX, 100, "res", 0, "ruid", uint32(noID), "euid", 1000, "suid", uint32(noID)))
			w.same("1st", w.s.Lookup(100).UID, 1000)
			w.do(call(schema.SetresuidX, 100, "res", 0, "ruid", 0, "euid", uint32(noID), "suid", 0))
			w.same("2nd", w.s.Lookup(100).UID, 1000)
		}},
		{"a thread that begins when its process has ended", func(w *world) {
			w.do(made(schema.ForkX, 200, 0, 200, 100, 0))
			w.do(exits(200, 0))
			w.nothing(1)
			x := w.do(made(schema.Clone3X, 201, 0, 200, 100, threadFlags)).Thread
			w.same("process", x.Pid, 200)
			w.same("main thread", w.s.Lookup(200).Dead, true)
			w.do(exits(201, 0))
			w.nothing(1)
			w.same("nobody is left", []bool{w.s.Lookup(200) == nil, w.s.Lookup(201) == nil}, []bool{true, true})
		}},
		{"capabilities follow the effective id", func(w *world) {
			x, none := w.s.Lookup(100), uint32(noID)
			sets := func(name string, prm, eff uint64) {
				w.Helper()
				w.same(name, []uint64{x.CapPrm, x.CapEff}, []uint64{prm, eff})
			}
			some := func() {
				w.do(call(schema.SetuidX, 100, "res", 0, "uid", 0))
				w.do(call(schema.CapsetX, 100, "res", 0, "cap_inheritable", 0, "cap_permitted", 0xff, "cap_effective", 0xf0))
			}
			some()
			w.do(call(schema.SetresuidX, 100, "res", 0, "ruid", none, "euid", 1000, "suid", none))
			sets("left", 0xff, 0)
			w.do(call(schema.SetresuidX, 100, "res", 0, "ruid", none, "euid", none, "suid", 0))
			sets("stays away", 0xff, 0)
			w.do(call(schema.SetreuidX, 100, "res", 0, "ruid", none, "euid", 0))
			sets("back", 0xff, 0xff)
			some()
			w.do(call(schema.SetuidX, 100, "res", 0, "uid", 0))
			sets("root again", 0xff, 0xf0)
			w.do(call(schema.SetuidX, 100, "res", -1, "uid", 1000))
			sets("refused", 0xff, 0xf0)
			w.do(call(schema.SetuidX, 100, "res", 0, "uid", 1000))
			sets("for good", 0, 0)
			some()
			w.do(call(schema.SetresuidX, 100, "res", 0, "ruid", 1, "euid", 2, "suid", 3))
			sets("all three", 0, 0)
			some()
			w.do(call(schema.SetreuidX, 100, "res", 0, "ruid", 0, "euid", 2))
			sets("one is root's", 0xff, 0)
			some()
			w.do(call(schema.PrctlX, 100, "res", 0, "option", prSetKeepcaps, "arg2_int", 1))
			w.do(call(schema.SetuidX, 100, "res", 0, "uid", 1000))
			sets("kept", 0xff, 0)
			w.do(call(schema.PrctlX, 100, "res", 0, "option", prSetKeepcaps, "arg2_int", 0))
			some()
			w.do(call(schema.PrctlX, 100, "res", 0, "option", prSetSecurebits, "arg2_int", noSetuidFixup))
			w.do(call(schema.SetuidX, 100, "res", 0, "uid", 1000))
			sets("as they were", 0xff, 0xf0)
		}},
		{"C-062", func(w *world) {
			x := w.do(call(schema.SetgidX, 100, "res", 0, "gid", 5)).Thread
			name, _ := w.s.GroupName(x, x.GID)
			w.same("name", name, "tty")
		}},
		{"C-063 C-064 C-065", func(w *world) {
			x := w.do(call(schema.CapsetX, 100, "res", 0, "cap_inheritable", 0, "cap_permitted", 1, "cap_effective", 1)).Thread
			w.same("sets", []uint64{x.CapInh, x.CapPrm, x.CapEff}, []uint64{0, 1, 1})
			w.do(call(schema.SetnsX, 100, "res", 0, "fd", 3, "nstype", 0))
			w.same("setns", x.CapEff, 1)
			w.do(call(schema.UnshareX, 100, "res", 0, "flags", schema.CloneNewuser))
			w.same("unshare", []uint64{x.CapInh, x.CapPrm, x.CapEff}, []uint64{1<<41 - 1, 1<<41 - 1, 1<<41 - 1})
		}},
		{"C-068", func(w *world) {
			w.do(made(schema.CloneX, 101, 0, 100, 1, threadFlags))
			w.do(call(schema.PrlimitX, 101, "res", 0, "newcur", 64, "pid", 0, "resource", rlimitNofile))
			w.same("limit", w.s.FDLimit(w.s.Lookup(100)), 64)
			w.do(call(schema.PrlimitX, 101, "res", 0, "newcur", 65, "pid", 0, "resource", 3))
			w.same("other resource", w.s.FDLimit(w.s.Lookup(101)), 64)
		}},
		{"C-069", func(w *world) {
			w.do(call(schema.ChrootX, 100, "res", 0, "path", "/srv"))
			w.fork(100, 200)
			w.same("root", w.s.Lookup(200).Root, "/srv")
		}},
		{"C-090", func(w *world) {
			cg := []string{"cpuset=/docker/" + hex64, "cpu=/"}
			x := w.do(made(schema.CloneX, 200, 0, 200, 100, 0, "cgroups", cg)).Thread
			w.same("id", x.ContainerID, dockID)
			w.same("cgroups", x.Cgroups, cg)
			w.same("host", w.s.Lookup(100).ContainerID, "")
		}},
		{"C-107", func(w *world) {
			w.fork(100, 700)
			w.same("at clone", w.s.Lookup(700).ContainerID, "")
			w.do(execve(700, "sh", "sh", nil, "cgroups", []string{"cpu=/docker/" + hex64}))
			w.same("at exec", w.s.Lookup(700).ContainerID, dockID)
		}},
	})
}

func TestSwitch(t *testing.T) {
	w := newWorld(t)
	sw := func() *eventtest.Builder {
		return call(schema.SwitchE, 100, "next", 1, "pgft_maj", 3, "vm_size", 77).CPU(2)
	}
	if sc := w.do(sw()); sc.ExecTime != 0 {
		t.Errorf("C-202: the first switch on a CPU took %d", sc.ExecTime)
	}
	if sc := w.do(sw()); sc.ExecTime != ms || sc.Thread.TotExecTime != ms {
		t.Errorf("C-202: took %d, in sum %d, want 1 ms", sc.ExecTime, sc.Thread.TotExecTime)
	}
	if x := w.s.Lookup(100); x.PfMajor != 3 || x.VMSize != 77 {
		t.Errorf("counters: %d %d", x.PfMajor, x.VMSize)
	}
}

// Events from before the scan must not undo what it has found.
func TestSeedRace(t *testing.T) {
	w := newWorld(t)
	old := uint64(begin - 2*sec) // before the records were read
	w.at(old, call(schema.ChdirX, 100, "res", 0, "path", "sub"))
	w.at(old, call(schema.SetuidX, 100, "res", 0, "uid", 7))
	w.at(old, exits(100, 1))
	w.at(old, closed(100, 2, 0))
	w.at(old, openat(100, atCwd, "/x", schema.OCloexec|schema.ORdonly, 5))
	w.at(old, made(schema.ForkX, 100, 1, 100, 1, 0))
	w.at(old, made(schema.ForkX, 100, 0, 100, 1, 0))
	w.nothing(1)
	x := w.s.Lookup(100)
	if x == nil || x.UID != 0 || w.s.Cwd(x) != "/root/" {
		t.Fatalf("old events changed %+v", x)
	}
	w.same("descriptor that the scan saw later", w.fdName(100, 2), "/dev/pts/0")
	w.same("descriptors are applied", w.fdName(100, 5), "/x")

	// What the scan has found open has survived an exec before it.
	w.s.Seed(task(400, 400, 1, "sh", func(k *procfs.Task) {
		k.FDs = []procfs.FD{{Num: 3, Kind: procfs.File, Name: "/c", Flags: hostCloexec}}
	}))
	w.at(old, execve(400, "sh", "sh", nil))
	w.same("opened after the exec", w.fdName(400, 3), "/c")
	w.do(execve(400, "sh", "sh", nil))
	w.same("at the next exec", w.fdName(400, 3), "<nil>")

	// An exec tells everything, and what comes behind it counts again.
	w.at(old+1, execve(100, "sh", "sh", nil, "uid", 5))
	w.same("exec", x.Comm, "sh")
	w.same("descriptor from before the exec", w.fdName(100, 5), "<nil>")
	w.at(old+2, call(schema.SetuidX, 100, "res", 0, "uid", 8))
	w.same("after it", x.UID, 8)
	w.at(old+3, call(schema.ChdirX, 100, "res", 0, "path", "sub"))
	w.same("but not the directory", w.s.Cwd(x), "/root/")
	w.do(call(schema.ChdirX, 100, "res", 0, "path", "sub"))
	w.same("until the scan is past", w.s.Cwd(x), "/root/sub/")
}

func TestSeedOrder(t *testing.T) {
	w := newWorld(t)
	w.s.Seed(task(301, 300, 250, "kid", nil)) // a thread before its main one, that before its parent
	w.s.Seed(task(300, 300, 250, "kid", nil))
	w.s.Seed(task(250, 250, 1, "dad", nil))
	w.s.Seed(task(250, 250, 100, "twice", nil))
	w.s.Seed(task(900, 900, 300, "init", func(k *procfs.Task) { k.NSPid, k.NSTid, k.Start = 1, 1, t0+7 }))
	w.s.Seed(task(901, 901, 900, "in", func(k *procfs.Task) { k.NSPid, k.NSTid, k.NSPgid = 2, 2, 1 })) // C-190
	w.s.Seeded()
	w.check()
	w.same("thread's parent", w.s.Parent(w.s.Lookup(301)).Comm, "dad")
	w.same("threads", w.s.Lookup(301).Group().Threads(), 2)
	w.same("vtid", w.s.Lookup(901).Vtid, 2)
	w.same("vpgid", w.s.Lookup(901).Vpgid, 1)
	w.same("pidns start", w.s.Lookup(901).PidnsStartTS, t0+7)
	w.same("host's", w.s.Lookup(300).PidnsStartTS, boot)
	if !slices.Equal(comms(w.s, w.s.Lookup(901)), []string{"init", "kid", "dad", "systemd"}) {
		t.Errorf("ancestors: %v", comms(w.s, w.s.Lookup(901)))
	}
}
