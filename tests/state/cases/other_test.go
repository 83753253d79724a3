// SPDX-License-Identifier: Apache-2.0

package cases

import (
	"encoding/binary"
	"testing"

	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// Other descriptors and file system events.
var others = []scenario{
	{"C-160", func(w *world) {
		w.do(call(schema.Pipe2X, 100, "res", 0, "fd1", 5, "fd2", 6, "ino", 77, "flags", schema.OCloexec))
		w.want("fd.typechar", "p", "fd.ino", "77", "fd.name", "", "fd.num", "6")
		w.same("the other end", w.st.FD(w.last.Thread, 5).Ino, 77)
		w.do(execve(100, "ls", "ls", nil))
		w.same("after exec", w.fds(100), "0 1 2")
	}},
	{"C-161", func(w *world) {
		for _, c := range []struct {
			b    *eventtest.Builder
			want string
		}{
			{call(schema.Eventfd2X, 100, "res", 9), "event"},
			{call(schema.Signalfd4X, 100, "res", 9), "signalfd"},
			{call(schema.TimerfdCreateX, 100, "res", 9), "timerfd"},
			{call(schema.InotifyInit1X, 100, "res", 9), "inotify"},
			{call(schema.EpollCreate1X, 100, "res", 9), "eventpoll"},
			{call(schema.IoUringSetupX, 100, "res", 9), "io_uring"},
			{call(schema.UserfaultfdX, 100, "res", 9), "userfaultfd"},
			{call(schema.PidfdOpenX, 100, "fd", 9, "pid", 100), "pidfd"},
		} {
			w.do(c.b)
			w.want("fd.type", c.want, "fd.num", "9")
		}
		w.want("fd.name", "/proc/100")
	}},
	{"C-162", func(w *world) {
		w.do(call(schema.MemfdCreateX, 100, "fd", 3, "name", "x"))
		w.do(writes(100, 3, 1))
		w.want("fd.type", "memfd", "fd.name", "x")
		w.do(call(schema.MemfdCreateX, 100, "fd", -24, "name", "y"))
		w.same("descriptors", w.fds(100), "0 1 2 3")
	}},
	{"C-163", func(w *world) {
		w.fork(100, 200)
		w.do(call(schema.PidfdOpenX, 200, "fd", 8, "pid", 100))
		w.do(call(schema.PidfdGetfdX, 200, "fd", 9, "pid_fd", 8, "target_fd", 0))
		w.want("fd.name", "/dev/pts/0", "fd.num", "9")
		w.do(execve(200, "ls", "ls", nil))
		w.same("after exec", w.fds(200), "0 1 2")
	}},
	{"C-164", func(w *world) {
		w.do(call(schema.BpfX, 100, "fd", 3, "cmd", schema.BpfMapCreate))
		w.want("fd.type", "bpf")
		w.do(call(schema.BpfX, 100, "fd", 0, "cmd", 1))
		w.same("0", w.fd(100, 0), "/dev/pts/0")
	}},
	{"C-165", func(w *world) {
		w.etc(4)
		w.do(call(schema.UnlinkatX, 100, "res", 0, "dirfd", 4, "name", "x"))
		w.want("fs.path.name", "/etc/x", "fs.path.nameraw", "x", "fd.num", "4", "fd.name", "/etc")
	}},
	{"C-166", func(w *world) {
		w.do(call(schema.UnlinkatX, 100, "res", 0, "dirfd", atCwd, "name", "x"))
		w.want("fs.path.name", "/root/x", "evt.abspath", "/root/x")
	}},
	{"C-167", func(w *world) {
		w.do(call(schema.UnlinkX, 100, "res", -2, "path", "x"))
		w.want("fs.path.name", null, "fs.path.nameraw", null, "fs.path.source", null, "fs.path.target", null)
	}},
	{"C-168", func(w *world) {
		w.etc(4)
		w.do(call(schema.Renameat2X, 100, "res", 0, "olddirfd", 4, "oldpath", "a", "newdirfd", atCwd, "newpath", "b"))
		w.want("fs.path.source", "/etc/a", "fs.path.target", "/root/b", "evt.abspath.src", "/etc/a", "evt.abspath.dst", "/root/b")
	}},
	{"C-169", func(w *world) {
		w.do(call(schema.SymlinkX, 100, "res", 0, "target", "tgt", "linkpath", "ln"))
		w.want("fs.path.source", "/root/ln", "fs.path.target", "/root/tgt")
		w.etc(4)
		w.do(call(schema.SymlinkatX, 100, "res", 0, "target", "tgt", "linkdirfd", 4, "linkpath", "ln"))
		w.want("fs.path.source", "/etc/ln", "fs.path.target", "<UNKNOWN>tgt")
	}},
	{"C-170", func(w *world) {
		w.do(call(schema.LinkX, 100, "res", 0, "oldpath", "old", "newpath", "new"))
		w.want("fs.path.source", "/root/new", "fs.path.target", "/root/old")
	}},
	{"C-171", func(w *world) {
		w.do(call(schema.MountX, 100, "res", 0, "dev", "dev/sda", "dir", "/mnt"))
		w.want("fs.path.source", "/root/dev/sda", "fs.path.target", "/mnt")
	}},
	{"C-172", func(w *world) {
		w.do(call(schema.MkdirX, 100, "res", 0, "path", "/a//b/../c"))
		w.want("fs.path.name", "/a/c", "fs.path.nameraw", "/a//b/../c")
	}},
	{"C-173", func(w *world) {
		w.do(openat(100, atCwd, "/tmp/x", schema.ORdonly, 3))
		w.do(call(schema.FchmodX, 100, "res", 0, "fd", 3))
		w.want("fs.path.name", "/tmp/x")
	}},
	{"C-174", func(w *world) {
		w.do(call(schema.ChdirX, 100, "res", 0, "path", "/a/b"))
		w.want("proc.cwd", "/a/b/")
		w.do(call(schema.ChdirX, 100, "res", 0, "path", ".."))
		w.want("proc.cwd", "/a/")
		w.etc(4)
		w.do(call(schema.FchdirX, 100, "res", 0, "fd", 4))
		w.want("proc.cwd", "/etc/")
		w.do(call(schema.GetcwdX, 100, "res", 3, "path", "/z"))
		w.want("proc.cwd", "/z/")
	}},
	{"C-175", func(w *world) {
		w.do(openat(100, atCwd, "/tmp/x", schema.ORdonly, 3))
		list := binary.LittleEndian.AppendUint16(nil, 2)
		for _, p := range []struct {
			fd     uint64
			events uint16
		}{{3, 1}, {9, 4}} {
			list = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint64(list, p.fd), p.events)
		}
		w.do(call(schema.PollX, 100, "res", 1, "fds", list))
		w.want("fdlist.nums", "3,9", "fdlist.names", "/tmp/x,<NA>", "evt.arg.fds", "3:f1 9:?4")
	}},
	// A limit evicts what was longest unused; it never blinds the event at hand.
	{"C-176", func(w *world) {
		w.st.Settle()
		*w = *newWorld(w.T, state.Options{Limits: state.Limits{FDs: 8}})
		for n := 3; n < 8; n++ {
			w.do(openat(100, atCwd, "/f", schema.ORdonly, n))
		}
		for _, n := range []int{0, 1, 3, 4, 5, 6, 7} { // all but 2
			w.do(writes(100, n, 1))
		}
		w.do(openat(100, atCwd, "/new", schema.ORdonly, 5000))
		w.want("fd.name", "/new", "fd.type", "file", "fd.num", "5000")
		w.same("descriptors", w.fds(100), "0 1 3 4 5 6 7 5000")
		w.same("counted", w.st.Stats().FDsEvicted, 1)
	}},
	{"C-177", func(w *world) {
		for n := range 3 {
			w.do(closes(100, n, 0))
		}
		w.do(openat(100, atCwd, "/f", schema.ORdonly, 0))
		w.do(call(schema.SocketX, 100, "fd", 1, "domain", 2, "type", 1, "proto", 0))
		w.do(call(schema.PipeX, 100, "res", 0, "fd1", 2, "fd2", 3, "ino", 7))
		w.do(call(schema.ReadX, 100, "res", 1, "fd", 0))
		w.holds("fd.types intersects (ipv4)", "fd.types intersects (pipe, event)")
		w.fails("fd.types intersects (event)")
		w.want("fd.types[0]", "file")
		w.same("kinds", len(w.field("fd.types")), len("file ipv4 pipe"))
	}},
}

// C-176, at the limit that is set when nobody sets one.
func TestDefaultFDLimit(t *testing.T) {
	w := newWorld(t, state.Options{})
	for n := 3; n < 5001; n++ {
		w.do(openat(100, atCwd, "/f", schema.ORdonly, n))
	}
	w.want("fd.name", "/f", "fd.num", "5000")
	w.same("descriptors", w.st.FDCount(w.last.Thread), 4096)
	w.same("counted", w.st.Stats().FDsEvicted, 5001-4096)
}
