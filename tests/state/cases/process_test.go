// SPDX-License-Identifier: Apache-2.0

package cases

import (
	"github.com/falco-go/falco/pkg/schema"
)

// Clone, threads, groups, exit.
var processes = []scenario{
	{"C-001", func(w *world) {
		w.do(parent(100, 200))
		w.same("after the parent's event", w.known(200), true)
		w.do(child(200, 100))
		w.want("proc.ppid", "100", "proc.pid", "200", "proc.cwd", "/root/", "proc.pname", "bash", "proc.duration", "1000000",
			"thread.tid", "200", "proc.fdopencount", "3", "proc.stdin.name", "/dev/pts/0", "proc.tty", "34816")
		w.same("descriptors", w.fds(200), "0 1 2")
	}},
	{"C-002", func(w *world) {
		w.do(child(200, 100))
		w.do(parent(100, 200))
		w.at(200)
		w.want("proc.ppid", "100", "proc.duration", "2000000")
	}},
	{"C-003", func(w *world) {
		w.do(parent(100, 200))
		w.do(exits(200, 0))
		w.want("proc.name", "bash", "proc.pname", "bash")
		w.at(200)
		w.want("proc.name", "<NA>", "proc.pid", "-1")
	}},
	{"C-004", func(w *world) {
		w.do(child(200, 100))
		w.do(exits(200, 0))
		w.do(closes(1, 9, 0))
		w.do(parent(100, 200))
		w.same("record", w.known(200), false)
	}},
	{"C-005", func(w *world) {
		w.do(child(200, 100))
		w.do(exits(200, 0))
		w.do(closes(1, 9, 0))
		w.pass(11 * sec) // the original forgets after two, we after ten
		w.do(parent(100, 200))
		w.same("record", w.known(200), true)
		w.proc.comms[1], w.proc.comms[100] = "systemd", "bash"
		w.pass(301 * sec)
		for range 5 {
			w.at(100)
		}
		w.same("after the purge", w.known(200), false)
	}},
	{"C-006", func(w *world) {
		w.do(made(schema.VforkX, 200, 0, 200, 100, schema.CloneVfork))
		w.do(execve(200, "ls", "ls", nil))
		w.do(exits(200, 0))
		w.do(made(schema.VforkX, 100, 200, 100, 1, 0))
		w.same("record", w.known(200), false)
	}},
	{"C-007", func(w *world) {
		w.do(made(schema.Clone3X, 100, 200, 100, 1, schema.CloneVfork|schema.CloneVm))
		w.same("after the parent's event", w.known(200), false)
		w.do(made(schema.Clone3X, 200, 0, 200, 100, schema.CloneVfork|schema.CloneVm))
		w.want("proc.pid", "200", "proc.pname", "bash")
	}},
	{"C-008", func(w *world) {
		w.do(made(schema.CloneX, 100, 101, 100, 1, threadFlags))
		w.do(thread(101, 100, 1))
		w.want("proc.nthreads", "2", "proc.nchilds", "1", "thread.ismain", "false", "proc.pid", "100", "thread.tid", "101", "proc.ppid", "1")
		w.at(100)
		w.want("proc.nthreads", "2", "proc.nchilds", "1", "thread.ismain", "true")
	}},
	{"C-009", func(w *world) {
		w.do(thread(101, 100, 1))
		w.do(openat(101, atCwd, "/tmp/x", schema.OCreat|schema.OWronly, 3))
		w.do(writes(100, 3, 5))
		w.want("fd.name", "/tmp/x", "fd.num", "3")
	}},
	{"C-010", func(w *world) {
		w.do(thread(101, 100, 1))
		w.do(call(schema.ChdirX, 101, "res", 0, "path", "sub"))
		w.want("proc.cwd", "/root/sub/")
		w.at(100)
		w.want("proc.cwd", "/root/sub/")
	}},
	{"C-011", func(w *world) {
		w.grandchild()
		w.want("proc.pname", "bash", "proc.ppid", "100")
		w.same("ptid", w.st.Lookup(300).Ptid, 101)
	}},
	{"C-012", func(w *world) {
		w.grandchild()
		w.do(exits(101, 100))
		w.at(300)
		w.want("proc.aname[1]", "bash", "proc.ppid", "100")
		w.same("ptid", w.st.Lookup(300).Ptid, 100)
		w.same("reaper", w.st.Lookup(100).Group().Reaper, false)
	}},
	{"C-013", func(w *world) {
		w.fork(100, 200)
		w.fork(200, 300)
		w.do(exits(200, 1))
		w.at(300)
		w.want("proc.ppid", "1", "proc.pname", "systemd", "proc.aname[2]", null)
	}},
	{"C-014", func(w *world) {
		w.orphan(1)
		w.want("proc.ppid", "100", "proc.pname", "bash")
	}},
	{"C-015", func(w *world) {
		w.orphan(1, 0)
		w.want("proc.ppid", "1")
	}},
	{"C-016", func(w *world) {
		w.do(call(schema.PrctlX, 100, "res", -1, "option", setSubreaper, "arg2_int", 1))
		w.same("reaper", w.st.Lookup(100).Group().Reaper, false)
	}},
	{"C-017", func(w *world) {
		w.leaderless()
		w.want("fd.num", "4", "fd.name", "/root/r", "proc.cwd", "/root/", "proc.nthreads", "1", "proc.nchilds", "1", "proc.name", "bash")
	}},
	{"C-018", func(w *world) {
		w.leaderless()
		w.do(exits(101, 0))
		w.want("proc.name", "bash")
		w.at(1)
		w.same("leader", w.known(100), false)
		w.same("thread", w.known(101), false)
	}},
	{"C-019", func(w *world) {
		w.fork(100, 200)
		w.fork(200, 300)
		w.do(call(schema.PrctlX, 100, "res", 0, "option", setSubreaper, "arg2_int", 1))
		w.pass(10 * sec)
		w.st.Lookup(200).Flags &^= schema.CloneInverted
		w.do(parent(100, 200))
		w.at(200)
		w.want("proc.duration", "1000000")
		w.at(300)
		w.want("proc.ppid", "100")
	}},
	{"C-020", func(w *world) {
		w.fork(100, 200)
		w.do(execve(200, "ls", "ls", nil))
		w.pass(5 * sec)
		w.do(child(200, 100))
		w.want("proc.name", "bash", "proc.duration", "0")
	}},
	{"C-021", func(w *world) {
		w.fork(100, 200)
		w.do(execve(200, "ls", "ls", nil))
		w.pass(sec / 2)
		w.do(child(200, 100))
		w.want("proc.name", "ls")
	}},
	{"C-022", func(w *world) {
		w.do(made(schema.ForkX, 100, -11, 100, 1, 0))
		w.want("evt.res", "EAGAIN", "evt.rawres", "-11", "evt.failed", "true", "proc.name", "bash")
		w.same("records", w.st.Stats().Threads, 2)
	}},
	{"C-023", func(w *world) {
		w.do(made(schema.CloneX, 100, 7, 100, 1, schema.CloneNewpid))
		w.same("after the parent's event", w.known(7), false)
		w.do(made(schema.CloneX, 501, 0, 501, 100, schema.CloneNewpid, "vtid", 1, "vpid", 1, "pidns_init_start_ts", 42*sec))
		w.want("proc.vpid", "1", "thread.vtid", "1", "proc.pid", "501", "proc.ppid", "100")
		w.same("namespace begins", w.last.Thread.PidnsStartTS, uint64(boot+42*sec))
		w.holds("proc.pidns_init_start_ts exists")
		w.same("inside", w.last.Thread.InPidns(), true)
	}},
	{"C-024", func(w *world) {
		w.pod()
		w.do(made(schema.CloneX, 501, 12, 501, 100, schema.CloneChildInPidns, "vtid", 1, "vpid", 1))
		w.same("record 12", w.known(12), false)
		w.at(620)
		w.want("proc.vpid", "12", "proc.pvpid", "1", "proc.ppid", "501")
	}},
	{"C-025", func(w *world) {
		w.pod()
		w.do(exits(620, 501))
		w.at(630)
		w.want("proc.ppid", "501")
		w.same("reaper", w.st.Lookup(501).Group().Reaper, true)
	}},
	{"C-026", func(w *world) {
		w.pod()
		w.do(call(schema.PrctlX, 100, "res", 0, "option", setSubreaper, "arg2_int", 1))
		w.do(exits(501, -1))
		w.do(exits(620, -1))
		w.at(630)
		w.want("proc.ppid", null, "proc.pname", null)
	}},
	{"C-027", func(w *world) {
		w.do(made(schema.CloneX, 100, 210, 100, 1, schema.CloneParent))
		w.same("after the parent's event", w.known(210), false)
		w.do(made(schema.CloneX, 210, 0, 210, 1, schema.CloneParent))
		w.want("proc.ppid", "1", "proc.pname", "systemd")
	}},
	{"C-028", func(w *world) {
		w.chain()
		w.want("proc.aname[0]", "four", "proc.aname[1]", "three", "proc.aname[2]", "two", "proc.aname[3]", "bash", "proc.aname[4]", "systemd",
			"proc.apid[2]", "200", "proc.aname", "three two bash systemd")
		w.holds("proc.aname in (bash)", "proc.aname=bash")
	}},
	{"C-029", func(w *world) {
		w.chain()
		w.fails("proc.aname=four", "proc.aname in (four)")
		w.holds("proc.name=four")
	}},
	{"C-030", func(w *world) {
		w.fork(100, 300)
		w.fork(300, 400)
		w.st.Lookup(300).Ptid = 400
		w.at(400)
		w.fails("proc.aname=nobody", "proc.aname in (nobody)", "proc.apid=77")
		w.want("proc.aname[9]", null)
	}},
	{"C-031", func(w *world) {
		w.at(100)
		w.fails("proc.aexepath[2] contains x")
		w.want("proc.aexepath[2]", null, "proc.aexepath[1]", "/usr/lib/systemd/systemd")
	}},
	{"C-032", func(w *world) {
		w.fork(100, 200)
		w.do(execve(200, "sh", "sh", nil))
		w.do(call(schema.SetsidX, 200, "res", 200))
		w.want("proc.sid", "200", "proc.is_sid_leader", "true", "proc.sname", "sh")
	}},
	{"C-033", func(w *world) {
		w.fork(100, 200)
		w.do(call(schema.SetsidX, 200, "res", 200))
		w.do(execve(200, "sh", "sh", nil))
		w.fork(200, 300)
		w.do(execve(300, "cat", "cat", nil))
		w.want("proc.sid", "200", "proc.sname", "sh", "proc.is_sid_leader", "false")
	}},
	{"C-034", func(w *world) {
		w.pod()
		w.do(call(schema.SetsidX, 501, "res", 1))
		for _, tid := range []int64{620, 630} {
			w.st.Lookup(tid).Sid = 1
		}
		w.do(execve(501, "init", "init", nil, "vpgid", 1))
		w.at(630)
		w.want("proc.sname", "init")
	}},
	{"C-035", func(w *world) {
		w.st.Lookup(100).Sid = -1
		w.at(100)
		w.want("proc.sname", "")
		w.holds("proc.sname exists")
	}},
	{"C-036", func(w *world) {
		w.fork(100, 201)
		w.fork(100, 202)
		w.do(openat(201, atCwd, "/a", schema.ORdonly, 5))
		w.do(openat(202, atCwd, "/b", schema.ORdonly, 4))
		w.do(call(schema.Dup2X, 201, "res", 1, "oldfd", 5, "newfd", 1))
		w.do(call(schema.Dup2X, 202, "res", 0, "oldfd", 4, "newfd", 0))
		w.do(execve(201, "ls", "ls", nil))
		w.do(execve(202, "wc", "wc", nil))
		w.same("source", w.st.Lookup(201).PipeSource(), true)
		w.same("target", w.st.Lookup(202).PipeTarget(), true)
		w.same("one is not both", w.st.Lookup(201).PipeTarget() || w.st.Lookup(202).PipeSource(), false)
	}},
	{"C-037", func(w *world) {
		w.fork(100, 200)
		w.fork(100, 300)
		w.do(execve(200, "ls", "ls", nil, "vpgid", 200))
		w.want("proc.is_vpgid_leader", "true")
		w.do(execve(300, "wc", "wc", nil, "vpgid", 200))
		w.want("proc.vpgid.name", "ls", "proc.vpgid", "200", "proc.is_vpgid_leader", "false")
	}},
	{"C-038", func(w *world) {
		w.do(execve(100, "ls", "ls", nil, "pgid", []byte(nil)))
		w.want("proc.pgid", "-1", "proc.pgid.name", "")
	}},
	{"C-039", func(w *world) {
		w.fork(1, 50)
		w.do(execve(50, "sshd", "sshd", nil))
		for _, p := range []struct {
			pid, of int64
			comm    string
		}{{110, 50, "bash"}, {150, 110, "sh"}, {160, 150, "python"}} {
			w.do(made(schema.ForkX, p.pid, 0, p.pid, p.of, 0))
			w.do(execve(p.pid, p.comm, p.comm, nil, "ptid", p.of))
		}
		w.want("proc.loginshellid", "110", "proc.name", "python")
	}},
	{"C-040", func(w *world) {
		w.do(child(200, 150))
		w.want("proc.pname", null, "proc.ppid", null)
		w.same("placeholder", w.st.Lookup(150).Comm, "<NA>")
		w.same("ptid", w.st.Lookup(200).Ptid, 0)
	}},
}

// grandchild makes thread 101 of process 100, and 300 as that one's child.
func (w *world) grandchild() {
	w.do(thread(101, 100, 1))
	w.do(made(schema.ForkX, 101, 300, 100, 1, 0))
	w.do(child(300, 101))
}

// orphan lets 300 lose its father 200; before, 100 said each of the values when
// asked whether it adopts.
func (w *world) orphan(adopts ...int) {
	w.fork(100, 200)
	w.fork(200, 300)
	for _, v := range adopts {
		w.do(call(schema.PrctlX, 100, "res", 0, "option", setSubreaper, "arg2_int", v))
	}
	w.do(exits(200, -1))
	w.at(300)
}

// leaderless lets 100 exit before its thread 101, which then opens a file.
func (w *world) leaderless() {
	w.do(thread(101, 100, 1))
	w.do(exits(100, 0))
	w.do(openat(101, atCwd, "r", schema.ORdonly, 4))
}

// pod makes 501, init of a pid namespace, its child 620 and that one's 630.
func (w *world) pod() {
	w.do(made(schema.CloneX, 501, 0, 501, 100, schema.CloneNewpid, "vtid", 1, "vpid", 1))
	w.do(made(schema.CloneX, 620, 0, 620, 501, schema.CloneChildInPidns, "vtid", 12, "vpid", 12))
	w.do(made(schema.CloneX, 630, 0, 630, 620, schema.CloneChildInPidns, "vtid", 13, "vpid", 13))
}

// chain makes 400, child of 300, child of 200, child of bash.
func (w *world) chain() {
	w.fork(100, 200)
	w.fork(200, 300)
	w.fork(300, 400)
	w.do(execve(200, "two", "two", nil))
	w.do(execve(300, "three", "three", nil))
	w.do(execve(400, "four", "four", nil))
}
