// SPDX-License-Identifier: Apache-2.0

package field

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// scenes are the situations in which fields are read: one that gives a field a
// value, one in which it has none. Those that always have a value have no
// second one.
func TestEveryP0Field(t *testing.T) {
	covered := make(map[string]bool)
	try := func(s *state.Scene, want map[string]string) {
		t.Helper()
		for token := range want {
			r, err := Parse(token)
			if err != nil {
				t.Fatal(err)
			}
			if want[token] == "-" {
				covered[r.Def.Name+" missing"] = true
			} else {
				covered[r.Def.Name] = true
			}
		}
		check(t, s, want)
	}

	w := newWorld(t)
	w.clone(40, 40, 30, 0)
	s := w.exec(40, 30, "Cat", func(b *eventtest.Builder) {
		b.Set("args", []string{"-l", "/tmp/x y"}).Set("env", []string{"HOME=/root", "A= b "}).Set("tty", 34817).
			Set("vpgid", 40).Set("loginuid", uint32(0xffffffff)).Set("flags", schema.ExeUpperLayer|schema.ExeFromMemfd).
			Set("cap_effective", uint64(1|1<<21)).Set("cap_permitted", uint64(0)).
			Set("exe_ino", uint64(99)).Set("exe_ino_ctime", uint64(start-40_000_000)).Set("exe_ino_mtime", uint64(7)).
			Set("uid", 1000).Set("gid", 1000).Set("pgid", 40)
	})
	try(s, map[string]string{
		"evt.num": "3", "evt.time": "16:00:00.040000000", "evt.time.iso8601": "2019-08-19T16:00:00.040000000+0000",
		"evt.hostname": "host1", "evt.dir": "<", "evt.type": "execve", "syscall.type": "execve",
		"evt.arg.comm": "Cat", "evt.arg[1]": "/usr/bin/Cat", "evt.arg.flags": "EXE_UPPER_LAYER|EXE_FROM_MEMFD", "evt.arg.domain": "-", "evt.arg[31]": "-",
		"evt.arg.cgroups": "NULL", "evt.arg.filename": "/usr/bin/Cat",
		"evt.res": "SUCCESS", "evt.rawres": "0", "evt.is_open_read": "false", "evt.is_open_write": "false",
		"proc.exe": "/usr/bin/Cat", "proc.pexe": "/usr/bin/bash", "proc.exepath": "/usr/bin/Cat", "proc.pexepath": "/usr/bin/bash",
		"proc.aexepath": "/usr/bin/bash /usr/bin/sshd /usr/bin/init", "proc.aexepath[1]": "/usr/bin/bash", "proc.aexepath[9]": "-",
		"proc.name": "Cat", "proc.pname": "bash", "proc.aname": "bash sshd init", "proc.aname[0]": "Cat", "proc.aname[2]": "sshd",
		"proc.aname[3]": "init", "proc.aname[4]": "-",
		"proc.args": "-l /tmp/x y", "proc.args[1]": "/tmp/x y", "proc.args[2]": "", "proc.cmdline": "Cat -l /tmp/x y", "proc.pcmdline": "bash -l",
		"proc.cwd": "/home/user/", "proc.tty": "34817", "proc.sname": "sshd", "proc.vpgid.name": "Cat", "proc.vpgid.exe": "/usr/bin/Cat",
		"proc.duration": "10000000", "proc.ppid.duration": "60010000000",
		"proc.is_exe_upper_layer": "true", "proc.is_exe_from_memfd": "true", "proc.is_vpgid_leader": "true",
		"proc.exe_ino.ctime": "1566230399990000000", "proc.exe_ino.mtime": "7", "proc.exe_ino.ctime_duration_proc_start": "40000000",
		"thread.cap_effective": "CAP_CHOWN CAP_SYS_ADMIN",
		"user.uid":             "1000", "user.name": "u1000", "user.loginuid": "-1", "user.loginname": "<NA>", "group.gid": "1000", "group.name": "users",
		"container.id": "host", "container.name": "host", "container.image": "", "container.privileged": "false",
		"container.image.repository": "", "container.image.tag": "", "k8s.ns.name": "-", "k8s.pod.name": "-",
		"container.start_ts": "1566226800030000000",
		"fd.num":             "-", "fd.type": "-", "fd.typechar": "-", "fd.name": "-", "fd.nameraw": "-", "fd.directory": "-", "fd.filename": "-", "fd.ip": "-",
		"fd.cip": "-", "fd.sip": "-", "fd.cport": "-", "fd.sport": "-", "fd.lport": "-", "fd.rport": "-", "fd.l4proto": "-", "fd.net": "-", "fd.snet": "-",
		"fd.connected": "-", "fd.name_changed": "-", "fd.sip.name": "-", "fd.types": "-",
	})

	try(w.open(40, 5, "a//b/../c.txt", schema.OWronly|schema.OCreat, 0o644), map[string]string{
		"evt.args": "fd=5(<f>/home/user/a/c.txt) name=a//b/../c.txt(/home/user/a/c.txt) flags=6(O_CREAT|O_WRONLY) mode=0644 dev=0 ino=0",
		"fd.num":   "5", "fd.type": "file", "fd.typechar": "f", "fd.name": "/home/user/a/c.txt", "fd.nameraw": "a/b/../c.txt", "fd.directory": "/home/user/a",
		"fd.filename": "c.txt", "fd.name_changed": "true", "fd.connected": "false", "fd.types": "file", "fd.types[5]": "file", "fd.types[6]": "-",
		"evt.is_open_write": "true", "evt.is_open_read": "false", "fd.sip": "-", "fd.l4proto": "<NA>",
	})
	try(w.open(40, -13, "/root/x", schema.ORdwr, 0), map[string]string{
		"evt.res": "EACCES", "evt.rawres": "-13", "evt.is_open_write": "true", "evt.is_open_read": "true",
		"fd.num": "-1", "fd.type": "-", "fd.typechar": "o", "fd.name": "/root/x", "fd.directory": "/root", "fd.filename": "-",
	})
	w.socket(40, 7, schema.AfInet, 1, 6)
	try(w.connect(40, 7, "192.168.1.10:54321", "93.184.216.34:443"), map[string]string{
		"fd.ip": "192.168.1.10 93.184.216.34", "fd.cip": "192.168.1.10", "fd.sip": "93.184.216.34", "fd.cport": "54321", "fd.sport": "443",
		"fd.lport": "54321", "fd.rport": "443", "fd.l4proto": "tcp", "fd.net": "192.168.1.10 93.184.216.34", "fd.snet": "93.184.216.34",
		"fd.name": "192.168.1.10:54321->93.184.216.34:443", "fd.connected": "true", "fd.name_changed": "true", "fd.typechar": "4",
		"fd.directory": "-", "fd.filename": "-", "fd.types": "ipv4 file", "fd.nameraw": "",
	})

	// A thread that nobody could find: its record says only who it is.
	s = w.apply(999, eventtest.New(schema.SetuidX).Int(-1).Uint(0))
	try(s, map[string]string{
		"proc.name": "<NA>", "proc.exe": "<NA>", "proc.pname": "-", "proc.pexe": "-", "proc.pexepath": "-", "proc.pcmdline": "-", "proc.aname": "-",
		"proc.aexepath": "-", "proc.duration": "-", "proc.ppid.duration": "-", "proc.exe_ino.ctime": "-", "proc.exe_ino.mtime": "-",
		"proc.exe_ino.ctime_duration_proc_start": "-", "proc.sname": "", "user.uid": "4294967295", "user.name": "<NA>",
	})

	// No record at all.
	s = &state.Scene{Event: eventtest.New(schema.SwitchE).Int(7).Event(), FDNum: -1, State: state.New(state.Options{})}
	try(s, map[string]string{
		"evt.hostname": "-", "syscall.type": "-", "evt.res": "-", "evt.rawres": "-", "evt.dir": ">", "evt.type": "switch",
		"proc.name": "-", "proc.exe": "-", "proc.exepath": "-", "proc.args": "-", "proc.cmdline": "-", "proc.cwd": "-", "proc.tty": "-", "proc.sname": "-",
		"proc.vpgid.name": "-", "proc.vpgid.exe": "-", "proc.is_exe_upper_layer": "-", "proc.is_exe_from_memfd": "-", "proc.is_vpgid_leader": "-",
		"thread.cap_effective": "-", "user.uid": "-", "user.name": "-", "user.loginuid": "-", "user.loginname": "-", "group.gid": "-", "group.name": "-",
		"container.id": "-", "container.name": "-", "container.image": "-", "container.privileged": "-", "container.image.repository": "-",
		"container.image.tag": "-", "container.start_ts": "-",
	})

	Hosts = NewHostTable(fakeLookup)
	set := Hosts.Watch("example.com")
	Hosts.resolve(t.Context(), time.Now())
	w.socket(40, 8, schema.AfInet, 1, 6)
	s = w.connect(40, 8, "192.168.1.10:54322", "93.184.216.34:80")
	try(s, map[string]string{"fd.sip.name": "example.com", "fd.cip.name": "-"})
	r, _ := Parse("fd.sip.name")
	if vs := r.Values(s, nil); len(vs) != 1 || !set.Contains(vs[0].IP) {
		t.Errorf("fd.sip.name gives %v for a condition", vs)
	}

	always := map[string]bool{"evt.num": true, "evt.time": true, "evt.time.iso8601": true, "evt.dir": true, "evt.type": true,
		"evt.args": true, "evt.is_open_read": true, "evt.is_open_write": true}
	for name, row := range specFields(t) {
		if row.prio != "P0" {
			continue
		}
		if !covered[name] && !strings.HasPrefix(name, "k8s.") {
			t.Errorf("%s has no positive case", name)
		}
		if !covered[name+" missing"] && !always[name] {
			t.Errorf("%s has no case without a value", name)
		}
	}
}

func TestServerSockets(t *testing.T) {
	w := newWorld(t)
	w.clone(40, 40, 30, 0)
	w.socket(40, 3, schema.AfInet, 1, 0)
	check(t, w.apply(40, eventtest.New(schema.ListenX).Int(0).Int(3).Int(5)), map[string]string{
		"fd.sip": "-", "fd.ip": "0.0.0.0 0.0.0.0", "fd.l4proto": "<NA>", "fd.type": "ipv4", "fd.connected": "false", "fd.is_server": "false", "fd.sockfamily": "ip",
	})
	check(t, w.apply(40, eventtest.New(schema.BindX).Int(0).Addr(netip.MustParseAddrPort("192.168.1.10:80")).Int(3)), map[string]string{
		"fd.sip": "192.168.1.10", "fd.sport": "80", "fd.cip": "-", "fd.cport": "-", "fd.lip": "-", "fd.lport": "-", "fd.ip": "192.168.1.10", "fd.port": "80",
		"fd.is_server": "true", "fd.name": "192.168.1.10:80", "fd.l4proto": "tcp", "fd.sproto": "", "evt.args": "res=0 addr=192.168.1.10:80 fd=3(<4t>192.168.1.10:80)",
	})
	s := w.apply(40, eventtest.New(schema.AcceptX).Int(4).Tuple(netip.MustParseAddrPort("10.9.9.9:1234"), netip.MustParseAddrPort("192.168.1.10:80")))
	check(t, s, map[string]string{
		"fd.cip": "10.9.9.9", "fd.sip": "192.168.1.10", "fd.lip": "192.168.1.10", "fd.rip": "10.9.9.9", "fd.lport": "80", "fd.rport": "1234",
		"fd.is_server": "true", "fd.port": "1234 80", "fd.proto": "1234 80", "fd.cproto": "1234", "fd.sproto": "80", "fd.lproto": "80", "fd.rproto": "1234",
		"fd.cnet": "10.9.9.9", "fd.lnet": "192.168.1.10", "fd.rnet": "10.9.9.9",
	})
}

func TestThreadsAndAncestors(t *testing.T) {
	w := newWorld(t)
	w.clone(40, 40, 30, 0)
	w.exec(40, 30, "zsh", nil)
	s := w.clone(41, 40, 30, schema.CloneThread|schema.CloneFiles)
	check(t, s, map[string]string{
		"thread.tid": "41", "thread.ismain": "false", "proc.pid": "40", "proc.ppid": "30", "proc.apid": "40", "proc.apid[1]": "30", "proc.apid[7]": "-",
		"proc.nthreads": "2", "proc.nchilds": "1", "proc.loginshellid": "30", "thread.nametid": "bash41", "thread.cgroups": "cpu=/user.slice cpuset=/",
		"thread.cgroup.cpu": "/user.slice", "thread.cgroup.memory": "-", "proc.aargs[2]": "-D -e", "proc.aargs": "-l -D -e", "proc.acmdline[1]": "bash -l",
		"proc.env[HOME]": "/home/user/parent", "proc.env[LANG]": "C", "proc.env[NONE]": "", "proc.aenv[HOME]": "/home/user/parent", "proc.aenv[NONE]": "",
		"proc.aenv": "HOME=/home/user/parent LANG= C ", "proc.aenv[2]": "HOME=/home/user/sshd LANG= C ", "proc.aenv[8]": "-",
		"proc.cmdnargs": "1", "proc.cmdlenargs": "2", "proc.exeline": "/usr/bin/bash -l", "proc.fdusage": "0.0", "proc.fdopencount": "0", "thread.vmsize": "0",
		"proc.sid.exe": "/usr/bin/sshd", "proc.pgid.name": "", "proc.is_pgid_leader": "false", "proc.stdin.type": "-",
	})
	r, _ := Parse("proc.aenv")
	if vs := r.Values(s, nil); len(vs) != 3 || vs[2].Str != "HOME=/home/user/init LANG= C " {
		t.Errorf("proc.aenv gives %v for a condition", vs)
	}
	r, _ = Parse("proc.apid")
	if vs := r.Values(s, nil); len(vs) != 3 || vs[0].Num != 30 || vs[2].Num != 1 {
		t.Errorf("proc.apid gives %v for a condition", vs)
	}
}

func TestPaths(t *testing.T) {
	w := newWorld(t)
	w.clone(40, 40, 30, 0)
	w.open(40, 5, "/srv/dir", schema.ODirectory|schema.ORdonly, 0)
	check(t, w.open(40, 6, "x/./y", schema.ORdonly, 0), map[string]string{
		"fs.path.name": "/home/user/x/y", "fs.path.nameraw": "x/./y", "fs.path.source": "-", "fs.path.target": "-", "evt.abspath": "-",
	})
	openat := func(fd, dirfd int64, name string) *state.Scene {
		return w.apply(40, eventtest.New(schema.OpenatX).Int(fd).Int(dirfd).Str(name).Uint(1).Uint(0).Uint(0).Uint(0))
	}
	check(t, openat(7, 5, "../f"), map[string]string{"fs.path.name": "/srv/f", "evt.abspath": "/srv/f", "evt.abspath.src": "/srv/f", "evt.abspath.dst": "-"})
	check(t, openat(-2, 5, "f"), map[string]string{"fs.path.name": "/srv/dir/f", "fd.name": "/srv/dir/f", "fd.nameraw": "f", "fd.typechar": "f"})
	check(t, openat(-1, 5, "f"), map[string]string{"fs.path.name": "-"})
	check(t, openat(-2, 77, "f"), map[string]string{"fs.path.name": "<UNKNOWN>f", "evt.abspath": "<UNKNOWN>/f", "evt.arg.name": "f"})
	check(t, openat(-2, -100, "f"), map[string]string{"fs.path.name": "/home/user/f", "evt.arg.name": "/home/user/f"})
	check(t, w.apply(40, eventtest.New(schema.OpenatX).Int(-14).Int(-100).Skip().Uint(1)), map[string]string{
		"fs.path.name": "-", "fs.path.nameraw": "-", "fd.name": "-", "fd.nameraw": "-", "fd.directory": "-", "evt.arg.name": "<NA>"})
	check(t, w.apply(40, eventtest.New(schema.RenameatX).Int(0).Int(5).Str("a").Int(-100).Str("b")), map[string]string{
		"fs.path.source": "/srv/dir/a", "fs.path.target": "/home/user/b", "fs.path.sourceraw": "a", "fs.path.targetraw": "b", "fs.path.name": "-",
		"evt.abspath": "/srv/dir/a", "evt.abspath.dst": "/home/user/b",
	})
	check(t, w.apply(40, eventtest.New(schema.RenameX).Int(-2).Str("a").Str("b")), map[string]string{"fs.path.source": "-", "fs.path.targetraw": "-"})
	check(t, w.apply(40, eventtest.New(schema.LinkX).Int(0).Str("old").Str("new")), map[string]string{"fs.path.source": "/home/user/new", "fs.path.target": "/home/user/old"})
	check(t, w.apply(40, eventtest.New(schema.SymlinkatX).Int(0).Str("to").Int(5).Str("link")), map[string]string{
		"fs.path.source": "/srv/dir/link", "fs.path.target": "<UNKNOWN>to", "evt.abspath": "/srv/dir/link"})
	check(t, w.apply(40, eventtest.New(schema.FchmodX).Int(0).Int(6).Uint(0o4755)), map[string]string{
		"fs.path.name": "/home/user/x/y", "evt.arg.mode": "S_IXOTH|S_IROTH|S_IXGRP|S_IRGRP|S_IXUSR|S_IWUSR|S_IRUSR|S_ISUID", "fd.num": "6"})
	check(t, w.apply(40, eventtest.New(schema.CloseX).Int(0).Int(6)), map[string]string{"fs.path.name": "-", "fd.name": "/home/user/x/y"})
}

func TestEventFields(t *testing.T) {
	w := newWorld(t)
	w.clone(40, 40, 30, 0)
	w.open(40, 5, "/etc/x", schema.ORdwr, 0)
	check(t, w.apply(40, eventtest.New(schema.WriteX).Int(12).Raw([]byte("hi\n")).Int(5).Uint(12)), map[string]string{
		"evt.buffer": "hi.", "evt.buflen": "12", "evt.buflen.out": "12", "evt.buflen.in": "-", "evt.buflen.file": "12", "evt.buflen.net": "-", "evt.is_io": "true",
		"evt.io_dir": "write", "evt.category": "file", "evt.is_syslog": "false", "evt.count.error": "0", "evt.count.error.file": "0", "evt.count.error.net": "-",
		"evt.is_wait": "false", "evt.cpu": "1", "evt.reltime.ns": "020000000", "evt.latency.human": "0ns", "evt.type.is.write": "1", "evt.type.is.read": "0",
		"evt.type.is.9": "1", "evt.deltatime": "0", "evt.rawtime.ns": "050000000", "evt.datetime": "2019-08-19 16:00:00.050000000", "evt.time.s": "16:00:00",
		"evt.rawarg.size": "12", "evt.rawarg.data": "hi.", "evt.rawarg.fd": "5", "evt.failed": "false", "evt.count.exit": "1", "evt.source": "syscall",
		"evt.around[1566230400039500000]": "11", "evt.around[1566230400050000000]": "0", "evt.around[1566230400060000000]": "10",
		"fd.uid": "405", "fd.containername": ":/etc/x", "fd.containerdirectory": ":/etc", "fd.dev": "0", "fd.ino": "0", "evt.is_async": "false", "evt.asynctype": "-",
	})
	check(t, w.apply(40, eventtest.New(schema.SetuidX).Int(-1).Uint(0)), map[string]string{
		"evt.rawarg.uid": "0", "evt.res": "EPERM", "evt.failed": "true", "evt.count.error.other": "1", "evt.buffer": "-", "evt.buflen": "-", "evt.io_dir": "-", "evt.rawarg.data": "-",
	})
	check(t, w.apply(40, eventtest.New(schema.GenericX).Uint(uint64(schema.ScTimes)).Uint(0)), map[string]string{
		"evt.type": "times", "syscall.type": "times", "evt.args": "", "evt.res": "-", "evt.type.is.times": "1",
	})
	check(t, w.apply(40, eventtest.New(schema.MemfdCreateX).Int(-24).Str("x").Uint(1)), map[string]string{"evt.res": "EMFILE", "evt.category": "memory"})
	check(t, w.apply(-1, eventtest.New(schema.AsynceventE).Uint(0).Str("container").Raw([]byte("{}"))), map[string]string{
		"evt.type": "container", "evt.is_async": "true", "evt.asynctype": "container", "evt.dir": ">", "syscall.type": "-", "proc.name": "-",
	})
	fds := []byte{2, 0, 5, 0, 0, 0, 0, 0, 0, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 0}
	check(t, w.apply(40, eventtest.New(schema.PollX).Int(1).Raw(fds).Int(5)), map[string]string{
		"fdlist.nums": "5,9", "fdlist.names": "/etc/x,<NA>", "fdlist.cips": "-", "evt.is_wait": "true", "evt.arg.fds": "5:f1 9:?1",
	})
}

// A check that counts for itself has its own memory.
func TestStatefulFields(t *testing.T) {
	w := newWorld(t)
	a, _ := Parse("evt.deltatime")
	b, _ := Parse("evt.deltatime")
	c, _ := Parse("util.cnt")
	for i, want := range []uint64{0, 10_000_000, 10_000_000} {
		s := w.apply(30, eventtest.New(schema.SetuidX).Int(0).Uint(0))
		if v := a.Values(s, nil); v[0].Num != want {
			t.Errorf("evt.deltatime = %d, want %d", v[0].Num, want)
		}
		if v := c.Values(s, nil); v[0].Num != uint64(i+1) {
			t.Errorf("util.cnt = %d", v[0].Num)
		}
		if i == 2 {
			if v := b.Values(s, nil); v[0].Num != 0 {
				t.Errorf("another evt.deltatime = %d", v[0].Num)
			}
		}
	}
}
