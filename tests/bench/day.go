// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"net/netip"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/procfs"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// A day is what happens on a small machine over and over: programs of the host
// and of containers open, read and write files, talk to each other, start and
// end. Little of it breaks a stock rule. After one round, its tables are as
// they were before.
type day struct {
	state   *state.State
	records [][]byte
	ts      uint64
	ev      event.Event
	num     uint64
}

const (
	epoch     = 1_700_000_000_000_000_000
	container = "cpu=/docker/d0cbcaa0c3a1f0d2f9b8e4f8f1a0c5a7e2d3b4c5d6e7f8091a2b3c4d5e6f7081"
)

// programs of the day: the first ones run on the host.
var programs = []struct {
	tid, parent int64
	comm, args  string
	boxed       bool
}{
	{1, 0, "systemd", "--system", false}, {20, 1, "sshd", "-D", false}, {21, 20, "bash", "-l", false},
	{22, 1, "cron", "-f", false}, {23, 1, "rsyslogd", "-n", false}, {24, 21, "make", "-j2", false}, {25, 24, "cc1", "-O2", false},
	{26, 1, "dockerd", "--debug", false}, {27, 1, "apt-get", "update", false}, {28, 21, "tar", "czf", false},
	{50, 26, "nginx", "worker", true}, {51, 26, "postgres", "-D", true}, {52, 26, "java", "-jar", true},
	{53, 52, "sh", "-c", true}, {54, 26, "node", "server.js", true}, {55, 54, "python3", "app.py", true},
}

func newDay() *day { return newDayWith(state.Limits{}) }

func newDayWith(limits state.Limits) *day {
	d := &day{state: state.New(state.Options{Limits: limits, Machine: state.Machine{Hostname: "bench", BootTime: epoch - 3600e9}}), ts: epoch}
	for _, p := range programs {
		cgroup := "cpu=/system.slice"
		if p.boxed {
			cgroup = container
		}
		d.state.Seed(&procfs.Task{ReadAt: 1, Tid: p.tid, Pid: p.tid, PPid: p.parent, NSTid: p.tid, NSPid: p.tid, NSPgid: p.tid, Pgid: p.tid, Sid: 21,
			Threads: 1, Comm: p.comm, Exe: "/usr/bin/" + p.comm, Args: []string{p.args}, ExePath: "/usr/bin/" + p.comm, Cwd: "/srv/" + p.comm, Root: "/",
			Env: []string{"HOME=/root", "PATH=/usr/bin:/bin"}, LoginUID: 1<<32 - 1, FDLimit: 1024, Start: epoch - 60e9, Cgroups: []string{cgroup}, TTY: uint32(p.tid % 2)})
	}
	d.state.Seeded()
	for i, p := range programs {
		d.act(p.tid, p.comm, i)
	}
	return d
}

func (d *day) add(tid int64, b *eventtest.Builder) {
	d.ts += 50_000
	d.records = append(d.records, b.Tid(tid).TS(d.ts).Bytes())
}

// act is one program's part of the day.
func (d *day) act(tid int64, comm string, n int) {
	cwd := int64(-100)
	open := func(path string, flags uint64) {
		typ := eventtest.New(schema.OpenatX)
		d.add(tid, typ.Set("fd", 5).Set("dirfd", cwd).Set("name", path).Set("flags", flags).Set("mode", 0o644).Set("dev", 8).Set("ino", uint64(n)))
	}
	shut := func() { d.add(tid, eventtest.New(schema.CloseX).Set("res", 0).Set("fd", 5)) }
	data := []byte("GET /index.html HTTP/1.1\r\nHost: example.com\r\n")
	read := func() {
		d.add(tid, eventtest.New(schema.ReadX).Set("res", len(data)).Set("data", data).Set("fd", 5).Set("size", uint32(4096)))
	}
	write := func() {
		d.add(tid, eventtest.New(schema.WriteX).Set("res", len(data)).Set("data", data).Set("fd", 5).Set("size", uint32(len(data))))
	}
	for i := range 6 {
		for _, path := range []string{"/usr/lib/x86_64-linux-gnu/libc.so.6", "/etc/ld.so.cache", "/proc/self/status", "/etc/nsswitch.conf",
			fmt.Sprintf("/usr/share/%s/locale-%d.mo", comm, i), "/dev/null", "conf/local.ini"} {
			open(path, schema.ORdonly)
			read()
			shut()
		}
		for _, path := range []string{fmt.Sprintf("/var/log/%s/%d.log", comm, i), fmt.Sprintf("/tmp/%s.%d", comm, i), "/dev/tty", "/run/lock/x"} {
			open(path, schema.OWronly|schema.OCreat)
			write()
			shut()
		}
		d.add(tid, eventtest.New(schema.OpenatX).Set("fd", -2).Set("dirfd", cwd).Set("name", "/etc/nothing").Set("flags", schema.ORdonly))
		d.add(tid, eventtest.New(schema.UnlinkatX).Set("res", 0).Set("dirfd", cwd).Set("name", fmt.Sprintf("/tmp/%s.%d", comm, i)))
		d.add(tid, eventtest.New(schema.RenameX).Set("res", 0).Set("oldpath", "/var/tmp/a").Set("newpath", "/var/tmp/b"))
		d.add(tid, eventtest.New(schema.GenericX).Set("ID", int(schema.ScGetpid)).Set("nativeID", 39))
	}
	own, peer := netip.MustParseAddrPort("10.0.0.5:40312"), netip.MustParseAddrPort("93.184.216.34:443")
	d.add(tid, eventtest.New(schema.SocketX).Set("fd", 7).Set("domain", 2).Set("type", 1).Set("proto", 6))
	d.add(tid, eventtest.New(schema.ConnectX).Set("res", 0).Set("tuple", eventtest.Tuple(own, peer)).Set("fd", 7).Set("addr", peer))
	d.add(tid, eventtest.New(schema.SendtoX).Set("res", 4).Set("data", []byte("ping")).Set("fd", 7).Set("size", 4))
	d.add(tid, eventtest.New(schema.CloseX).Set("res", 0).Set("fd", 7))
	d.add(tid, eventtest.New(schema.SetuidX).Set("res", 0).Set("uid", 1000))
	d.add(tid, eventtest.New(schema.SetuidX).Set("res", 0).Set("uid", 0))
	d.add(tid, eventtest.New(schema.ChdirX).Set("res", 0).Set("path", "/srv/"+comm))
	d.child(tid, int64(1000+n), []string{"ls", "grep", "sh", "cat", "date", "sed"}[n%6])
}

// child is started, runs a program, opens a file and ends.
func (d *day) child(parent, tid int64, comm string) {
	fork := func(who, res int64) {
		b := eventtest.New(schema.CloneX).Set("res", res).Set("exe", "/usr/bin/x").Set("tid", who).Set("pid", who).Set("ptid", parent).
			Set("fdlimit", 1024).Set("comm", "x").Set("uid", 0).Set("gid", 0).Set("vtid", who).Set("vpid", who)
		d.add(who, b)
	}
	fork(parent, tid)
	fork(tid, 0)
	b := eventtest.New(schema.ExecveX).Set("res", 0).Set("exe", "/usr/bin/"+comm).Set("args", []string{"-l", "--color", "/var/tmp"}).
		Set("tid", tid).Set("pid", tid).Set("ptid", parent).Set("fdlimit", 1024).Set("comm", comm).Set("env", []string{"HOME=/root", "PATH=/bin"}).
		Set("tty", 0).Set("vpgid", tid).Set("loginuid", 0).Set("flags", 0).Set("uid", 0).Set("trusted_exepath", "/usr/bin/"+comm).Set("pgid", tid).Set("gid", 0).Set("filename", "/usr/bin/"+comm)
	d.add(tid, b)
	d.add(tid, eventtest.New(schema.OpenatX).Set("fd", 3).Set("dirfd", -100).Set("name", "/etc/passwd").Set("flags", schema.ORdonly))
	d.add(tid, eventtest.New(schema.ProcexitE).Set("status", 0).Set("ret", 0).Set("sig", 0).Set("core", 0))
}

// round plays all records once; look sees each scene.
func (d *day) round(look func(*state.State, *state.Scene)) error {
	for _, r := range d.records {
		if _, err := d.ev.Decode(r); err != nil {
			return err
		}
		d.num++
		d.ev.Num = d.num
		if scene := d.state.Apply(&d.ev); scene != nil {
			look(d.state, scene)
		}
		d.state.Settle()
	}
	return nil
}
