// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/txtar"
)

// fixture unpacks testdata/proc.txtar, whose machine began at the epoch's second
// 1,000,000.
func fixture(t testing.TB) *FS {
	t.Helper()
	ar, err := txtar.ParseFile("testdata/proc.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range ar.Files {
		name := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		data := string(f.Data)
		switch filepath.Ext(name) {
		case ".link":
			err = os.Symlink(strings.TrimSpace(data), strings.TrimSuffix(name, ".link"))
		case ".nul":
			data = strings.ReplaceAll(strings.TrimSpace(data), `\0`, "\x00")
			err = os.WriteFile(strings.TrimSuffix(name, ".nul"), []byte(data), 0o644)
		default:
			err = os.WriteFile(name, f.Data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	fs, err := New(dir)
	if err != nil {
		t.Fatal(err)
	}
	fs.now = func() time.Time { return time.Unix(1_001_000, 500_000_000) }
	fs.SetBoot(1_000_000e9)
	return fs
}

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func scan(t *testing.T, fs *FS) (map[int64]*Task, ScanStats) {
	t.Helper()
	tasks := make(map[int64]*Task)
	st, err := fs.Scan(context.Background(), func(k *Task) { tasks[k.Tid] = k })
	if err != nil {
		t.Fatal(err)
	}
	return tasks, st
}

func TestScan(t *testing.T) {
	tasks, st := scan(t, fixture(t))
	if st.Tasks != 3 || st.Gone != 1 || st.Stuck != 0 { // C-188: the kernel thread is left out
		t.Errorf("stats: %+v", st)
	}
	want := &Task{
		ReadAt: 1_001_000.5e9, Tid: 100, Pid: 100, PPid: 1, NSTid: 7, NSPid: 7, NSPgid: 5, Pgid: 90, Sid: 3, PidNS: 4026532500,
		Threads: 2, Comm: "a) R\n(b\\", Exe: "nginx", Args: []string{"-g", "", "daemon off;"},
		Env: []string{"HOME=/root", "PATH=/bin"}, ExePath: "/usr/sbin/nginx", Cwd: "/srv/www", Root: "/",
		UID: 1001, GID: 2001, LoginUID: 1000, CapInh: 1, CapPrm: 2, CapEff: 4, TTY: 34816, FDLimit: 1024,
		MinFlt: 5, MajFlt: 7, VMSize: 5000, VMRSS: 1000, Start: 1_000_025e9,
		Cgroups: []string{"cpu=/docker/abc", "cpuacct=/docker/abc", "systemd=/docker/abc", "unified=/x:y"},
	}
	if d := cmp.Diff(want, tasks[100], cmpopts.IgnoreFields(Task{}, "FDs")); d != "" {
		t.Errorf("task 100 (-want +got):\n%s", d)
	}
	fds := []FD{
		{Num: 0, Kind: File, Name: "/dev/null", Flags: 0o100002, MntID: 24, Dev: 21},
		{Num: 3, Kind: Inet, Name: "socket:[1003]", Flags: 0o2000002, MntID: 9, Ino: 1003,
			Socket: Socket{TCP, addr("0.0.0.0:80"), addr("0.0.0.0:0")}},
		{Num: 4, Kind: Inet, Name: "socket:[1004]", Ino: 1004, Socket: Socket{TCP, addr("10.0.0.5:80"), addr("10.0.0.9:5000")}},
		{Num: 5, Kind: Inet, Name: "socket:[1005]", Ino: 1005, Socket: Socket{UDP, addr("[2001:db8::5]:5353"), addr("[::]:0")}},
		{Num: 6, Kind: Unix, Name: "/run/my sock", Ino: 1006},
		{Num: 7, Kind: Netlink, Name: "socket:[1007]", Ino: 1007},
		{Num: 8, Kind: Other, Name: "socket:[1999]", Ino: 1999},
		{Num: 9, Kind: Pipe, Name: "pipe:[2009]", Ino: 2009},
		{Num: 10, Kind: Epoll, Name: "anon_inode:[eventpoll]"},
		{Num: 11, Kind: Pidfd, Name: "anon_inode:[pidfd]", Flags: 0o2000002, Pid: 1},
		{Num: 12, Kind: Memfd, Name: "/memfd:x (deleted)"},
		{Num: 13, Kind: Inotify, Name: "anon_inode:inotify"},
		{Num: 14, Kind: Unsupported, Name: "anon_inode:[perf_event]"},
		{Num: 15, Kind: Directory, Name: "."},
	}
	ignore := cmpopts.IgnoreFields(FD{}, "Ino") // of /dev/null and ".", which are real
	if d := cmp.Diff(fds[1:13], tasks[100].FDs[1:13], cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); d != "" {
		t.Errorf("descriptors (-want +got):\n%s", d)
	}
	if d := cmp.Diff(fds[0], tasks[100].FDs[0], ignore, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); d != "" {
		t.Errorf("descriptor 0 (-want +got):\n%s", d)
	}
	if got := tasks[100].FDs[13]; got.Kind != Directory {
		t.Errorf("descriptor 15: %+v", got)
	}

	th := tasks[101]
	if th == nil || th.Comm != "worker" || th.NSTid != 8 || th.UID != 33 || th.FDs != nil || th.ExePath != "/usr/sbin/nginx" {
		t.Errorf("thread: %+v", th)
	}
	if k := tasks[1]; k.Exe != "/sbin/init\n" || k.LoginUID != ^uint32(0) || k.FDLimit != -1 || k.PidNS != 0 || k.VMSwp != 4 {
		t.Errorf("task 1: %+v", k)
	}
}

func TestTask(t *testing.T) {
	fs := fixture(t)
	if _, err := fs.Task(2); !errors.Is(err, ErrNoTask) {
		t.Errorf("kernel thread: %v", err)
	}
	if _, err := fs.Task(4711); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	k, err := fs.Task(100)
	if err != nil || k.Comm != "a) R\n(b\\" || len(k.FDs) != 14 || k.FDs[1].Kind != Other {
		t.Errorf("%+v %v", k, err)
	}
	if d, err := fs.Descriptor(100, 9); err != nil || d.Kind != Pipe {
		t.Errorf("descriptor: %+v %v", d, err)
	}
	if _, err := fs.Descriptor(100, 99); err == nil {
		t.Error("found descriptor 99")
	}
	if c, err := fs.Comm(100, 100); err != nil || c != "nginx" {
		t.Errorf("comm %q %v", c, err)
	}
}

// What a scan costs: at most 30 system calls a process and 12 a descriptor.
// Tables of sockets and mounts are read once a namespace.
func TestScanCost(t *testing.T) {
	fs := fixture(t)
	dir := fs.mount + "/100"
	k, err := fs.task(dir, 100)
	if err != nil {
		t.Fatal(err)
	}
	r, err := fs.openFDs(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	before := fs.Calls()
	for _, fd := range k.FDs {
		r.read(fd.Num)
	}
	perFD := float64(fs.Calls()-before) / float64(len(k.FDs))
	if perFD > 12 {
		t.Errorf("%.1f calls a descriptor", perFD)
	}
	fs.process(100) // reads the tables
	before = fs.Calls()
	fs.process(100)
	task := float64(fs.Calls()-before) - perFD*float64(len(k.FDs))
	if task > 30*2 { // two tasks
		t.Errorf("%.0f calls for a process with two threads", task)
	}
	before = fs.Calls()
	k.FDs = nil
	if k, err = fs.task(dir, 100); err != nil {
		t.Fatal(err)
	}
	if alone := float64(fs.Calls()-before) - perFD*float64(len(k.FDs)); alone > 30 {
		t.Errorf("%.0f calls a process", alone)
	} else {
		t.Logf("%.0f calls a process, %.1f a descriptor", alone, perFD)
	}
}

// Against the real thing: our own process.
func TestLive(t *testing.T) {
	fs, err := New("/proc")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sleep", "60")
	cmd.Dir = "/tmp"
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	pid := int64(cmd.Process.Pid)
	var k *Task
	st, err := fs.Scan(context.Background(), func(task *Task) {
		if task.Tid == pid {
			k = task
		}
	})
	if err != nil || k == nil {
		t.Fatalf("%+v %v", st, err)
	}
	if k.PPid != int64(os.Getpid()) || k.Cwd != "/tmp" || len(k.FDs) < 3 || !cmp.Equal(k.Args, []string{"60"}) {
		t.Errorf("%+v", k)
	}
	if k.FDs[0].Name != "/dev/null" || k.FDs[0].Kind != File || k.FDs[0].Ino == 0 || k.FDs[0].Dev == 0 {
		t.Errorf("descriptor 0: %+v", k.FDs[0])
	}
	if age := time.Since(time.Unix(0, int64(k.Start))); age < -time.Second || age > time.Minute {
		t.Errorf("started %v ago", age)
	}
	t.Logf("%+v, %.1f calls a task beside descriptors", st, float64(st.Calls-5*uint64(st.FDs))/float64(st.Tasks))

	f := NewFinder(fs, time.Minute)
	defer f.Close()
	if k, err := f.Task(pid); err != nil || k.Comm != "sleep" {
		t.Errorf("finder: %+v %v", k, err)
	}
}

func TestScanCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := fixture(t).Scan(ctx, func(*Task) {}); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A question that hangs is left behind; too many, and none is asked.
func TestFinderHangs(t *testing.T) {
	f := NewFinder(fixture(t), time.Nanosecond)
	release := make(chan struct{})
	for i := range maxStuck {
		if _, err := ask(f, func() (int, error) { <-release; return 1, nil }); !errors.Is(err, ErrLate) {
			t.Fatalf("question %d: %v", i, err)
		}
	}
	if _, err := ask(f, func() (int, error) { t.Error("was asked"); return 1, nil }); !errors.Is(err, ErrLate) {
		t.Fatalf("one too many: %v", err)
	}
	if f.Late() != maxStuck {
		t.Errorf("%d late", f.Late())
	}
	close(release)
	for f.stuck.Load() > 0 {
		runtime.Gosched()
	}
	f.wait = time.Minute
	if v, err := ask(f, func() (int, error) { return 2, nil }); v != 2 || err != nil {
		t.Errorf("after they have ended: %d %v", v, err)
	}
	f.Close()
}

func TestParseErrors(t *testing.T) {
	fs := &FS{}
	for _, b := range []string{"", "1 systemd S", "1 (x) S 1 2", "1 (x) S 0 1 1 0 -1 0 0 0 0 0 0 0 0 0 0 0 0 0 9999999999999999 0"} {
		if err := fs.parseStat([]byte(b), &Task{}); err == nil {
			t.Errorf("stat %q was taken", b)
		}
	}
	for _, b := range []string{"", "Name:\tx\n", "Name:\tx\nTgid:\t0\nPPid:\t1\nUid:\t0 0\nGid:\t0 0\n"} {
		if err := parseStatus([]byte(b), &Task{}); err == nil {
			t.Errorf("status %q was taken", b)
		}
	}
	if _, err := parseUptime([]byte("x y")); err == nil {
		t.Error("uptime was taken")
	}
	if got := encodeDev(259, 1048575); got != 0xfff103ff {
		t.Errorf("device %x", got)
	}
}

func FuzzParse(f *testing.F) {
	ar, err := txtar.ParseFile("testdata/proc.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range ar.Files {
		f.Add(file.Data)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var k Task
		fs := &FS{}
		_ = parseStatus(b, &k)
		_ = fs.parseStat(b, &k)
		parseStrings(b)
		parseLimits(b)
		parseCgroup(b)
		parseFdinfo(b, &FD{})
		parseDirents(b)
		parseMount(b)
		parseInet(b, TCP)
		parseUnix(b, NoProto)
		parseNetlink(b, NoProto)
		_, _ = parseUptime(b)
		kindOf(string(b), 0)
		inodeOf(string(b), "pipe:")
	})
}
