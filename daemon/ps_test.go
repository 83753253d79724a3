// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/falco-go/falco/pkg/capture"
	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/procfs"
	"github.com/falco-go/falco/pkg/state"
)

// believes returns a state with two processes, one of two threads.
func believes() *state.State {
	s := state.New(state.Options{})
	s.SetHostUsers([]byte("alice:x:1000:1000::/home/alice:/bin/sh\n"), nil)
	s.Seed(&procfs.Task{Tid: 1, Pid: 1, Comm: "init", Exe: "/init", ExePath: "/sbin/init", Cwd: "/"})
	s.Seed(&procfs.Task{Tid: 70, Pid: 70, PPid: 1, UID: 1000, Comm: "evil\x1b[2J", Exe: "a", Args: []string{"b c", "d"}, Cwd: "/tmp", Root: "/",
		FDs: []procfs.FD{{Num: 0, Kind: procfs.File, Name: "/dev/null", Ino: 5}, {Num: 7, Kind: procfs.Pipe, Name: "pipe:[9]", Ino: 9}}})
	s.Seed(&procfs.Task{Tid: 71, Pid: 70, PPid: 1, UID: 1000, Comm: "worker"})
	s.Seeded()
	return s
}

// serve lets a daemon tell a state, and returns its socket.
func serve(t *testing.T, st *state.State) string {
	t.Helper()
	d := &daemon{log: newLogger(&bytes.Buffer{}), cfg: &config.Config{StateSocket: filepath.Join(t.TempDir(), "run", "state.sock")},
		stop: make(chan struct{}), mail: make(chan func())}
	d.pipe.state, d.pipe.source = st, nothing{}
	d.serveState()
	loop := make(chan struct{})
	go func() {
		defer close(loop)
		for {
			select {
			case do := <-d.mail:
				do()
			case <-d.stop:
				return
			}
		}
	}()
	t.Cleanup(func() {
		close(d.stop)
		<-loop
		d.unwind()
		if _, err := os.Lstat(d.cfg.StateSocket); err == nil {
			t.Error("the socket is still there")
		}
	})
	return d.cfg.StateSocket
}

func psOut(t *testing.T, want int, words ...string) (stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	if code := falco(append([]string{"falco"}, words...), &out, &err); code != want {
		t.Fatalf("%v: exit code %d, want %d\n%s%s", words, code, want, out.String(), err.String())
	}
	return out.String(), err.String()
}

func TestPs(t *testing.T) {
	socket := serve(t, believes())
	out, _ := psOut(t, 0, "ps", "--socket", socket)
	want := "" +
		"PID  TID  PPID  USER   THREADS  FDS  NAME         EXE         CWD    COMMAND\n" +
		"1    1    0     root   1        0    init         /sbin/init  /      /init\n" +
		"70   70   1     alice  2        2    evil\\x1b[2J  -           /tmp/  a b c d\n"
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if out, _ := psOut(t, 0, "ps", "-T", "--socket", socket); !strings.Contains(out, "\n70   71   1     alice  1        0    worker ") {
		t.Errorf("no thread 71 in\n%s", out)
	}
	out, _ = psOut(t, 0, "ps", "--json", "--socket", socket)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var p jsonProc
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &p); err != nil {
		t.Fatal(err)
	}
	if p.Pid != 70 || p.Threads != 2 || p.FDs != 2 || !slices.Equal(p.Args, []string{"b c", "d"}) {
		t.Errorf("got %+v", p)
	}
}

func TestFds(t *testing.T) {
	socket := serve(t, believes())
	out, _ := psOut(t, 0, "fds", "70", "--socket", socket)
	want := "FD  TYPE  INODE  NAME\n0   file  5      /dev/null\n7   pipe  9      pipe:[9]\n"
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, c := range []struct{ words, want string }{
		{"fds", "fds: of which process? One number is needed"},
		{"fds x", "fds: of which process? One number is needed"},
		{"fds 5", "fds: no process 5 is known"},
	} {
		if _, err := psOut(t, 1, append(strings.Fields(c.words), "--socket", socket)...); !strings.Contains(err, c.want) {
			t.Errorf("%s: %q, want %q", c.words, err, c.want)
		}
	}
	if _, err := psOut(t, 1, "ps", "--socket", "/nowhere/at-all"); !strings.Contains(err, "connect to the daemon: /nowhere/at-all: no such file") {
		t.Errorf("without a daemon: %q", err)
	}
}

// A socket that nobody listens on is replaced, one that somebody does is not, nor
// is anything that is no socket.
func TestListenAsRoot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listenAsRoot(path); err == nil || !strings.Contains(err.Error(), "another daemon") {
		t.Errorf("beside another one: %v", err)
	}
	old.SetUnlinkOnClose(false)
	old.Close()
	l, err := listenAsRoot(path)
	if err != nil {
		t.Fatalf("in the place of a dead one: %v", err)
	}
	defer l.Close()
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, mode %v", err, st.Mode())
	}
}

// The socket tells a capture, which is the state again, but for the flags of
// what is no file.
func TestStateSocketTellsACapture(t *testing.T) {
	st := believes()
	got, pid, err := askState(serve(t, st))
	if err != nil || pid != int64(os.Getpid()) {
		t.Fatal(pid, err)
	}
	want, again := tablesOf(st, capture.Machine{}), tablesOf(got, capture.Machine{})
	want.machine, again.machine = capture.Machine{}, capture.Machine{}
	if diff := cmp.Diff(want, again, cmp.AllowUnexported(tables{}),
		cmpopts.EquateComparable(netip.AddrPort{}), cmpopts.EquateEmpty(),
		cmpopts.IgnoreFields(capture.FD{}, "OpenFlags")); diff != "" {
		t.Errorf("(-told +read)\n%s", diff)
	}
}

// What events and /proc tell in different words is the same.
func TestSameFD(t *testing.T) {
	here, there := netip.MustParseAddrPort("10.0.0.1:80"), netip.MustParseAddrPort("10.0.0.2:9")
	for _, c := range []struct {
		falco, proc capture.FD
		same        bool
	}{
		{capture.FD{Type: capture.FDFileV2, Name: "/a", Ino: 1}, capture.FD{Type: capture.FDFileV2, Name: "/a (deleted)", Ino: 1}, true},
		{capture.FD{Type: capture.FDFileV2, Name: "/a", Ino: 1}, capture.FD{Type: capture.FDFileV2, Name: "/a", Ino: 2}, false},
		{capture.FD{Type: capture.FDFileV2, Name: "/fifo"}, capture.FD{Type: capture.FDFifo, Name: "/fifo"}, true},
		{capture.FD{Type: capture.FDFifo, Ino: 4}, capture.FD{Type: capture.FDFifo, Name: "pipe:[4]", Ino: 4}, true},
		{capture.FD{Type: capture.FDMemfd, Name: "x"}, capture.FD{Type: capture.FDMemfd, Name: "/memfd:x (deleted)"}, true},
		{capture.FD{Type: capture.FDMemfd, Name: "x"}, capture.FD{Type: capture.FDMemfd, Name: "/memfd:y (deleted)"}, false},
		{capture.FD{Type: capture.FDIPv4}, capture.FD{Type: capture.FDIPv4Server, Dst: here}, true},
		{capture.FD{Type: capture.FDIPv4, Src: here, Dst: there}, capture.FD{Type: capture.FDIPv4, Src: there, Dst: here}, false},
		{capture.FD{Type: capture.FDUnix, Name: "1->2 /s"}, capture.FD{Type: capture.FDUnix, Name: "/s"}, true},
		{capture.FD{Type: capture.FDUnix, Name: "1->2 /s"}, capture.FD{Type: capture.FDUnix, Name: "/t"}, false},
		{capture.FD{Type: capture.FDEvent}, capture.FD{Type: capture.FDEpoll}, false},
	} {
		if sameFD(&c.falco, &c.proc, true) != c.same {
			t.Errorf("%s and %s: want %v", describeFD(&c.falco), describeFD(&c.proc), c.same)
		}
	}
}

func TestDiffTables(t *testing.T) {
	falco, proc := tablesOf(believes(), capture.Machine{}), tablesOf(believes(), capture.Machine{})
	if d := diffTables(falco, proc, nil); len(d) != 0 {
		t.Fatalf("the same differ: %v", d)
	}
	p := proc.procs[70]
	p.Cwd, p.GID = "/root/", 7
	p.Cgroups = []string{"cpu=/b", "unified=/a"}
	proc.procs[70] = p
	q := falco.procs[70]
	q.Cgroups = []string{"cpu=/a", "memory=/x", "unified=/a"}
	falco.procs[70] = q
	delete(proc.procs, 71)
	delete(falco.procs, 1)
	proc.fds[70][1].Ino = 10
	proc.fds[70] = append(proc.fds[70], capture.FD{Tid: 70, Num: 9, Type: capture.FDEvent})
	got := map[string]sides{}
	for at, s := range diffTables(falco, proc, nil) {
		got[num(at.tid)+" "+num(at.fd)+" "+at.what] = s
	}
	want := map[string]sides{
		"70 -1 cwd": {"/tmp/", "/root/"}, "70 -1 gid": {"0", "7"}, "70 -1 cgroups": {"cpu=/a ", "cpu=/b "},
		"71 -1 thread": {"has worker", ""}, "1 -1 thread": {"", "has init"},
		"70 7 descriptor": {"type 7 pipe:[9] ino 9 dev 0", "type 7 pipe:[9] ino 10 dev 0"}, "70 9 descriptor": {"", "type 9 "},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(sides{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if d := diffTables(falco, proc, map[int64]bool{1: true, 70: true}); len(d) != 0 {
		t.Errorf("who is skipped differs: %v", d)
	}
}
