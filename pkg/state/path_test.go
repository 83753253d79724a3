// SPDX-License-Identifier: Apache-2.0

package state

import (
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/procfs"
	"github.com/falco-go/falco/pkg/schema"
)

func TestAppendPath(t *testing.T) {
	for _, c := range []struct{ base, rel, want string }{
		{"/root/", "", ""},
		{"/root/", "a", "/root/a"},
		{"/root/", "/a", "/a"},
		{"/root/", ".", "/root"},
		{"/root/", "..", "/"},
		{"/root/", "../..", "/"},
		{"/root/", "../../../etc/passwd", "/etc/passwd"},
		{"/root/", "../etc/./passwd", "/etc/passwd"},
		{"/root/", "a//b///c/", "/root/a/b/c"},
		{"/root/", "a/../b", "/root/b"},
		{"/root/", "a/b/../../c", "/root/c"},
		{"/root/", "./a/./b/.", "/root/a/b"},
		{"/root/", "...", "/root/..."},
		{"/root/", "..a", "/root/..a"},
		{"/", "a", "/a"},
		{"/", "..", "/"},
		{"/", "/", "/"},
		{"/x/", "/", "/"},
		{"/x/", "//", "/"},
		{"/x/", "/..", "/"},
		{"/x/", "/a//b/../c/", "/a/c"},
		{"", "a/b", "a/b"},
		{"", "foo/../a", "a"},
		{"", "foo/..", ""},
		{"", "../a", "a"},
		{"./", "a", "./a"},
		{"<UNKNOWN>", "rel", "<UNKNOWN>rel"},
		{"<UNKNOWN>", "rel/x/..", "<UNKNOWN>rel"},
		{"<UNKNOWN>/", "rel", "<UNKNOWN>/rel"},
		{"/a/./b/../", "c", "/a/./b/../c"}, // the base stays as it is
	} {
		if got := string(AppendPath([]byte("x:"), c.base, c.rel)); got != "x:"+c.want {
			t.Errorf("%q and %q: got %q, want %q", c.base, c.rel, got[2:], c.want)
		}
	}
}

func FuzzAppendPath(f *testing.F) {
	f.Add("/root/", "../etc//./passwd")
	f.Add("", "foo/../a")
	f.Fuzz(func(t *testing.T, base, rel string) {
		out := string(AppendPath(nil, base, rel))
		if len(out) > len(base)+len(rel)+1 {
			t.Errorf("%q + %q grew to %q", base, rel, out)
		}
		if strings.HasPrefix(rel, "/") && !strings.HasPrefix(out, "/") {
			t.Errorf("%q + %q is not absolute: %q", base, rel, out)
		}
		if !strings.HasPrefix(rel, "/") {
			return
		}
		for _, c := range strings.Split(out, "/") {
			if c == "." || c == ".." {
				t.Errorf("%q has a component %q", out, c)
			}
		}
		if again := string(AppendPath(nil, "", out)); again != out {
			t.Errorf("%q becomes %q", out, again)
		}
	})
}

func TestOpen(t *testing.T) {
	runAll(t, []scenario{
		{"C-071 C-087", func(w *world) {
			sc := w.do(openat(100, atCwd, "../etc//./passwd", schema.ORdonly, 3))
			w.same("name", sc.FD.Name, "/etc/passwd")
			w.same("raw", sc.FD.RawName, "../etc/./passwd")
			w.same("char", string(sc.FD.Type.Char()), "f")
			w.same("num", sc.FDNum, 3)
			w.same("changed", sc.NameChanged, true)
			sc = w.do(closed(100, 3, 0))
			w.same("at close", sc.FD.Name, "/etc/passwd")
			w.same("changed", sc.NameChanged, false)
			sc = w.do(write(100, 3, 5))
			w.same("then", sc.FD == nil, true)
			w.same("num", sc.FDNum, 3)
		}},
		{"C-073", func(w *world) {
			sc := w.do(openat(100, atCwd, "/etc", schema.ODirectory|schema.ORdonly, 4))
			w.same("type", sc.FD.Type, FDDirectory)
			w.same("name", w.do(openat(100, 4, "shadow", schema.ORdonly, 5)).FD.Name, "/etc/shadow")
			w.same("up", w.do(openat(100, 4, "../x", schema.ORdonly, 6)).FD.Name, "/x")
		}},
		{"C-074 C-075", func(w *world) {
			w.same("unknown", w.do(openat(100, 99, "x", schema.ORdonly, 6)).FD.Name, "<UNKNOWN>x")
			w.same("absolute", w.do(openat(100, 99, "/abs/f", schema.ORdonly, 6)).FD.Name, "/abs/f")
		}},
		{"C-076 C-077", func(w *world) {
			sc := w.do(openat(100, atCwd, "nofile", schema.ORdonly, -2))
			w.same("num", sc.FDNum, -1)
			w.same("record", sc.FD == nil, true)
			w.same("changed", sc.NameChanged, false)
		}},
		{"C-078", func(w *world) {
			sc := w.do(call(schema.CreatX, 100, "fd", 3, "name", "/tmp/n", "mode", 0o755, "creat_flags", 1))
			w.same("name", sc.FD.Name, "/tmp/n")
			w.same("upper", sc.FD.Has(FDUpper), true)
			w.same("lower", sc.FD.Has(FDLower), false)
		}},
		{"C-080", func(w *world) {
			tmp := schema.OTmpfile | schema.ODirectory | schema.ORdwr
			w.same("O_TMPFILE", w.do(openat(100, atCwd, "/tmp", tmp, 3)).FD.Type, FDFile)
			loose := schema.OTmpfile | schema.ODirectory | schema.ORdonly
			w.same("as the original tells O_DIRECTORY", w.do(openat(100, atCwd, "/tmp", loose, 3)).FD.Type, FDDirectory)
		}},
		{"C-081", func(w *world) {
			long := strings.Repeat("d/../", 200) + strings.Repeat("x", 1030)
			sc := w.do(openat(100, atCwd, long, schema.ORdonly, 3))
			w.same("normalised first", sc.FD.Name, "/root/"+strings.Repeat("x", 1030))
			w.same("not cut", sc.FD.Has(FDCut), false)
			sc = w.do(openat(100, atCwd, strings.Repeat("y", 5000), schema.ORdonly, 3))
			w.same("head", sc.FD.Name, "/root/"+strings.Repeat("y", maxPath-6))
			w.same("cut", sc.FD.Has(FDCut), true)
			w.same("counted", w.s.Stats().PathsCut, 1)
		}},
		{"C-082", func(w *world) {
			w.same("name", w.do(call(schema.OpenByHandleAtX, 100, "fd", 3, "path", "/v/f")).FD.Name, "/v/f")
		}},
		{"openat2", func(w *world) {
			sc := w.do(call(schema.Openat2X, 100, "fd", 3, "dirfd", atCwd, "name", "x", "flags", 1, "dev", 8, "ino", 77))
			w.same("name", sc.FD.Name, "/root/x")
			w.same("ino", sc.FD.Ino, 77)
			w.same("dev", sc.FD.Dev, 8)
		}},
		{"enter wins", func(w *world) {
			w.same("enter", w.do(call(schema.OpenatE, 100, "dirfd", atCwd, "name", "/etc/shadow", "flags", schema.ORdonly)) == nil, true)
			sc := w.do(openat(100, atCwd, "/tmp/harmless", schema.ORdonly|schema.OFCreated, 3))
			w.same("name", sc.FD.Name, "/etc/shadow")
			w.same("flags", sc.FD.OpenFlags, schema.ORdonly|schema.OFCreated)
			w.same("ended", w.do(openat(100, atCwd, "/tmp/x", schema.ORdonly, 4)).FD.Name, "/tmp/x")
		}},
		{"enter of another call", func(w *world) {
			w.do(call(schema.OpenE, 100, "name", "/etc/shadow", "flags", schema.ORdonly))
			w.same("name", w.do(openat(100, atCwd, "/tmp/x", schema.ORdonly, 4)).FD.Name, "/tmp/x")
			w.do(call(schema.CreatE, 100, "name", "/etc/a"))
			w.same("creat", w.do(call(schema.CreatX, 100, "fd", 3, "name", "/tmp/n", "creat_flags", 2)).FD.Name, "/etc/a")
			w.do(call(schema.OpenE, 100, "flags", schema.ORdonly))
			w.same("without a name", w.do(call(schema.OpenX, 100, "fd", 3, "name", "/tmp/n", "flags", 1)).FD.Name, "/tmp/n")
		}},
		{"C-174", func(w *world) {
			cwd := func() string { return w.s.Cwd(w.s.Lookup(100)) }
			w.do(openat(100, atCwd, "/etc", schema.ODirectory|schema.ORdonly, 4))
			w.do(call(schema.ChdirX, 100, "res", 0, "path", "/a/b"))
			w.same("chdir", cwd(), "/a/b/")
			w.do(call(schema.ChdirX, 100, "res", 0, "path", ".."))
			w.same("chdir ..", cwd(), "/a/")
			w.do(call(schema.FchdirX, 100, "res", 0, "fd", 4))
			w.same("fchdir", cwd(), "/etc/")
			w.do(call(schema.GetcwdX, 100, "res", 3, "path", "/z"))
			w.same("getcwd", cwd(), "/z/")
			w.do(call(schema.ChdirX, 100, "res", -2, "path", "/q"))
			w.same("failed", cwd(), "/z/")
			w.do(call(schema.ChdirX, 100, "res", 0, "path", "/"))
			w.same("root", cwd(), "/")
		}},
	})
}

func TestDescriptors(t *testing.T) {
	passwd := func(w *world) { w.do(openat(100, atCwd, "/etc/passwd", schema.ORdonly, 3)) }
	runAll(t, []scenario{
		{"C-083", func(w *world) {
			w.do(openat(100, atCwd, "/etc/passwd", schema.OCloexec|schema.ORdonly, 3))
			sc := w.do(call(schema.Dup2X, 100, "res", 0, "oldfd", 3, "newfd", 0))
			w.same("num", sc.FDNum, 0)
			w.same("name", sc.FD.Name, "/etc/passwd")
			w.same("changed", sc.NameChanged, false)
			w.same("cloexec", sc.FD.Has(FDCloexec), false)
			w.same("count", w.s.FDCount(sc.Thread), 4)
		}},
		{"C-084", func(w *world) {
			passwd(w)
			w.do(call(schema.Dup3X, 100, "res", 7, "oldfd", 3, "newfd", 7, "flags", schema.OCloexec))
			w.do(execve(100, "ls", "ls", nil))
			w.same("7", w.fdName(100, 7), "<nil>")
			w.same("3", w.fdName(100, 3), "/etc/passwd")
		}},
		{"C-085", func(w *world) {
			passwd(w)
			sc := w.do(call(schema.FcntlX, 100, "res", 10, "fd", 3, "cmd", schema.FDupfdCloexec, "arg", 10))
			w.same("name", sc.FD.Name, "/etc/passwd")
			w.same("num", sc.FDNum, 10)
			w.same("cloexec", sc.FD.Has(FDCloexec), true)
		}},
		{"C-086", func(w *world) {
			sc := w.do(call(schema.DupX, 100, "res", 8, "oldfd", 44))
			w.same("num", sc.FDNum, 44)
			w.same("record", sc.FD == nil, true)
			w.same("8", w.fdName(100, 8), "<nil>")
			w.do(call(schema.Dup2X, 100, "res", 2, "oldfd", 44, "newfd", 2))
			w.same("2 is something else now", w.fdName(100, 2), "<nil>")
		}},
		{"dup onto itself", func(w *world) {
			w.do(openat(100, atCwd, "/etc/passwd", schema.OCloexec|schema.ORdonly, 3))
			sc := w.do(call(schema.Dup2X, 100, "res", 3, "oldfd", 3, "newfd", 3))
			w.same("cloexec", sc.FD.Has(FDCloexec), true)
		}},
		{"C-088", func(w *world) {
			passwd(w)
			w.do(closed(100, 3, -9))
			w.nothing(1)
			w.same("stays", w.fdName(100, 3), "/etc/passwd")
		}},
		{"C-089", func(w *world) {
			passwd(w)
			w.do(openat(100, atCwd, "/b", schema.ORdonly, 5))
			w.do(call(schema.CloseRangeX, 100, "res", 0, "first", 4, "last", uint32(1<<32-1), "flags", schema.CloseRangeCloexec))
			w.same("stays", w.fdName(100, 5), "/b")
			w.do(execve(100, "ls", "ls", nil))
			w.same("5 at exec", w.fdName(100, 5), "<nil>")
			w.do(call(schema.CloseRangeX, 100, "res", 0, "first", 3, "last", uint32(1<<32-1)))
			w.same("3 at once", w.fdName(100, 3), "<nil>")
			w.same("2", w.fdName(100, 2), "/dev/pts/0")
		}},
		{"C-154", func(w *world) {
			w.do(call(schema.SocketX, 100, "fd", 3, "domain", 2, "type", 2, "proto", 0))
			w.fork(100, 200)
			w.do(closed(100, 1, 0))
			w.do(openat(100, atCwd, "/one", schema.ORdonly, 1))
			w.same("child's 1", w.fdName(200, 1), "/dev/pts/0")
			w.same("child's 2", w.fdName(200, 2), "/dev/pts/0")
			w.fork(100, 300)
			w.do(openat(300, atCwd, "/three", schema.ORdonly, 1))
			w.same("parent's 1", w.fdName(100, 1), "/one")
			w.do(call(schema.RecvfromX, 200, "res", 1, "fd", 3, "tuple", tuple("8.8.8.8:53", "10.0.0.5:3000")))
			w.same("child", w.fdName(200, 3), "8.8.8.8:53->10.0.0.5:3000")
			w.same("parent", w.fdName(100, 3), "")
			w.do(openat(100, atCwd, "/p", schema.ORdonly, 4))
			w.do(openat(200, atCwd, "/c", schema.ORdonly, 4))
			w.same("parent's 4", w.fdName(100, 4), "/p")
			w.same("child's 4", w.fdName(200, 4), "/c")
			w.do(closed(200, 0, 0))
			w.nothing(1)
			w.same("parent's 0", w.fdName(100, 0), "/dev/pts/0")
			w.same("child's 0", w.fdName(200, 0), "<nil>")
		}},
		{"C-160", func(w *world) {
			sc := w.do(call(schema.Pipe2X, 100, "res", 0, "fd1", 5, "fd2", 6, "ino", 77, "flags", schema.OCloexec))
			w.same("num", sc.FDNum, 6)
			w.same("type", sc.FD.Type, FDPipe)
			w.same("ino", w.s.FD(sc.Thread, 5).Ino, 77)
			w.same("name", sc.FD.Name, "")
			w.do(execve(100, "ls", "ls", nil))
			w.same("dropped", w.s.FDCount(w.s.Lookup(100)), 3)
		}},
		{"C-161", func(w *world) {
			for _, c := range []struct {
				b    *eventtest.Builder
				want string
			}{
				{call(schema.EventfdX, 100, "res", 9), "event"},
				{call(schema.Eventfd2X, 100, "res", 9), "event"},
				{call(schema.SignalfdX, 100, "res", 9), "signalfd"},
				{call(schema.Signalfd4X, 100, "res", 9), "signalfd"},
				{call(schema.TimerfdCreateX, 100, "res", 9), "timerfd"},
				{call(schema.InotifyInitX, 100, "res", 9), "inotify"},
				{call(schema.InotifyInit1X, 100, "res", 9), "inotify"},
				{call(schema.EpollCreateX, 100, "res", 9), "eventpoll"},
				{call(schema.EpollCreate1X, 100, "res", 9), "eventpoll"},
				{call(schema.IoUringSetupX, 100, "res", 9), "io_uring"},
				{call(schema.UserfaultfdX, 100, "res", 9), "userfaultfd"},
				{call(schema.PidfdOpenX, 100, "fd", 9, "pid", 100), "pidfd"},
			} {
				sc := w.do(c.b)
				if sc.FD == nil || sc.FD.Type.String() != c.want || sc.FDNum != 9 {
					w.Errorf("%s: %+v, number %d", sc.Event.Info.ID, sc.FD, sc.FDNum)
				}
			}
			w.same("pidfd", w.fdName(100, 9), "/proc/100")
		}},
		{"C-162", func(w *world) {
			w.do(call(schema.MemfdCreateX, 100, "fd", 3, "name", "x"))
			sc := w.do(write(100, 3, 1))
			w.same("name", sc.FD.Name, "x")
			w.same("type", sc.FD.Type, FDMemfd)
			w.do(call(schema.MemfdCreateX, 100, "fd", -24, "name", "y"))
			w.same("count", w.s.FDCount(sc.Thread), 4)
		}},
		{"C-163", func(w *world) {
			w.fork(100, 200)
			w.do(call(schema.PidfdOpenX, 200, "fd", 8, "pid", 100))
			sc := w.do(call(schema.PidfdGetfdX, 200, "fd", 9, "pid_fd", 8, "target_fd", 0))
			w.same("name", sc.FD.Name, "/dev/pts/0")
			w.same("cloexec", sc.FD.Has(FDCloexec), true)
			w.same("changed", sc.NameChanged, false)
			w.same("not the target's", w.s.FD(w.s.Lookup(100), 0).Has(FDCloexec), false)
		}},
		{"C-164", func(w *world) {
			w.same("type", w.do(call(schema.BpfX, 100, "fd", 3, "cmd", schema.BpfMapCreate)).FD.Type, FDBPF)
			w.do(call(schema.BpfX, 100, "fd", 0, "cmd", 1))
			w.same("0", w.fdName(100, 0), "/dev/pts/0")
		}},
		{"C-165", func(w *world) {
			w.do(openat(100, atCwd, "/etc", schema.ODirectory|schema.ORdonly, 4))
			sc := w.do(call(schema.UnlinkatX, 100, "res", 0, "dirfd", 4, "name", "x"))
			w.same("num", sc.FDNum, 4)
			w.same("name", sc.FD.Name, "/etc")
		}},
		{"C-203", func(w *world) {
			w.do(made(schema.CloneX, 101, 0, 100, 1, threadFlags))
			w.do(exits(100, 0))
			w.do(closed(101, 2, 0))
			w.nothing(101)
			w.same("erased", w.fdName(101, 2), "<nil>")
			w.same("the others not", w.fdName(101, 1), "/dev/pts/0")
		}},
	})
}

// C-176: the table of a process is full.
func TestFDLimit(t *testing.T) {
	w := newWorldWith(t, Options{Limits: Limits{FDs: 8}})
	for n := 3; n < 8; n++ {
		w.do(openat(100, atCwd, "/f", schema.ORdonly, n))
	}
	for _, n := range []int{0, 1, 3, 4, 5, 6, 7} { // all but 2
		w.do(write(100, n, 1))
	}
	sc := w.do(openat(100, atCwd, "/new", schema.ORdonly, 5000))
	w.same("record", sc.FD.Name, "/new")
	w.same("num", sc.FDNum, 5000)
	w.same("longest unused", w.fdName(100, 2), "<nil>")
	w.same("count", w.s.FDCount(sc.Thread), 8)
	w.same("evicted", w.s.Stats().FDsEvicted, 1)
}

// C-150: descriptors that came in a message are asked for in /proc.
func TestPassedDescriptors(t *testing.T) {
	w := newWorld(t)
	w.src.fds[[2]int64{100, 7}] = procfs.FD{Num: 7, Kind: procfs.File, Name: "/etc/shadow", Ino: 5}
	w.do(call(schema.SocketX, 100, "fd", 3, "domain", 1, "type", 1))
	control := []byte{24, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0}
	w.do(call(schema.RecvmsgX, 100, "res", 1, "fd", 3, "msgcontrol", control))
	w.same("7", w.do(write(100, 7, 1)).FD.Name, "/etc/shadow")
	w.same("1, which /proc does not know", w.fdName(100, 1), "<nil>")

	for _, bad := range [][]byte{
		control[:15], append([]byte{255}, control[1:]...), append([]byte{3}, control[1:]...), control[:19],
	} {
		w.do(call(schema.RecvmsgX, 100, "res", 1, "fd", 3, "msgcontrol", bad))
	}
}
