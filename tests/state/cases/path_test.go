// SPDX-License-Identifier: Apache-2.0

package cases

import (
	"strings"

	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// File descriptors and paths.
var paths = []scenario{
	{"C-071", func(w *world) {
		w.do(openat(100, atCwd, "../etc/./passwd", schema.ORdonly, 3))
		w.want("fd.name", "/etc/passwd", "fd.nameraw", "../etc/./passwd", "fd.directory", "/etc", "fd.filename", "passwd",
			"fd.typechar", "f", "fd.num", "3", "evt.is_open_read", "true", "evt.is_open_write", "false", "fs.path.name", "/etc/passwd")
	}},
	{"C-072", func(w *world) {
		w.do(openat(100, atCwd, "/etc/passwd", schema.ORdwr, 3))
		w.want("evt.is_open_read", "true", "evt.is_open_write", "true")
	}},
	{"C-073", func(w *world) {
		w.etc(4)
		w.want("fd.type", "directory", "fd.directory", "/etc")
		w.do(openat(100, 4, "shadow", schema.ORdonly, 5))
		w.want("fd.name", "/etc/shadow", "evt.abspath", "/etc/shadow", "evt.arg.dirfd", "<d>/etc")
	}},
	{"C-074", func(w *world) {
		w.do(openat(100, 99, "x", schema.ORdonly, 6))
		w.want("fd.name", "<UNKNOWN>x", "evt.abspath", "<UNKNOWN>/x")
	}},
	{"C-075", func(w *world) {
		w.do(openat(100, 99, "/abs/f", schema.ORdonly, 6))
		w.want("fd.name", "/abs/f")
	}},
	{"C-076", func(w *world) {
		w.do(openat(100, atCwd, "nofile", schema.ORdonly, -2))
		w.want("fd.num", "-1", "fd.typechar", "f", "fd.type", null, "fd.name", "/root/nofile", "fd.directory", "/root", "fd.filename", null,
			"evt.is_open_read", "true", "evt.is_open_write", "false")
	}},
	{"C-077", func(w *world) {
		w.do(call(schema.OpenX, 100, "fd", -13, "name", "/etc/x", "flags", schema.ORdonly))
		w.want("fd.typechar", "o", "fd.name", "/etc/x")
		w.fails("fd.typechar='f'")
	}},
	{"C-078", func(w *world) {
		w.do(call(schema.CreatX, 100, "fd", 3, "name", "/tmp/n", "mode", 0o755))
		w.want("evt.is_open_write", "false", "evt.is_open_exec", "true", "fd.name", "/tmp/n")
	}},
	{"C-079", func(w *world) {
		w.do(openat(100, atCwd, "/tmp/n", schema.OCreat|schema.OWronly|schema.OFCreated, 3).Set("mode", 0o700))
		w.want("evt.is_open_create", "true", "evt.is_open_exec", "true")
		w.do(openat(100, atCwd, "/tmp/n", schema.OCreat|schema.OWronly, 3).Set("mode", 0o700))
		w.want("evt.is_open_create", "false", "evt.is_open_exec", "true")
	}},
	{"C-080", func(w *world) {
		w.do(openat(100, atCwd, "/tmp", schema.OTmpfile|schema.ODirectory|schema.ORdwr, 3).Set("mode", 0o600))
		w.want("evt.is_open_create", "true", "evt.is_open_exec", "false", "fd.type", "file", "fd.typechar", "f")
		w.do(openat(100, atCwd, "/tmp", schema.ODirectory|schema.ORdonly, 4))
		w.want("evt.is_open_create", "false", "fd.type", "directory")
		w.fails("evt.arg.flags contains O_TMPFILE")
	}},
	// Paths are normalised first and then limited to 4,096 bytes: the head stays.
	{"C-081", func(w *world) {
		rel := strings.Repeat("0123456789/", 93) + "tail456"
		w.same("length", len(rel), 1030)
		w.do(openat(100, atCwd, rel, schema.ORdonly, 3))
		w.want("fd.name", "/root/"+rel)
		w.do(openat(100, atCwd, strings.Repeat("d/../", 2000)+"end", schema.ORdonly, 3))
		w.want("fd.name", "/root/end")
		w.do(openat(100, atCwd, strings.Repeat("x", 5000), schema.ORdonly, 3))
		w.want("fd.name", "/root/"+strings.Repeat("x", 4096-len("/root/")))
		w.same("flagged as cut", w.last.FD.Has(state.FDCut), true)
	}},
	{"C-082", func(w *world) {
		w.do(call(schema.OpenByHandleAtX, 100, "fd", 3, "mountfd", 4, "flags", schema.ORdonly, "path", "/v/f"))
		w.want("fd.name", "/v/f", "evt.abspath", "/v/f")
	}},
	{"C-083", func(w *world) {
		w.do(openat(100, atCwd, "/etc/passwd", schema.OCloexec|schema.ORdonly, 3))
		w.do(call(schema.Dup2X, 100, "res", 0, "oldfd", 3, "newfd", 0))
		w.want("fd.num", "0", "fd.name", "/etc/passwd", "fd.name_changed", "false")
		w.do(execve(100, "ls", "ls", nil))
		w.same("without close-on-exec", w.fd(100, 0), "/etc/passwd")
		w.same("with it", w.fd(100, 3), null)
	}},
	{"C-084", func(w *world) {
		w.do(openat(100, atCwd, "/etc/passwd", schema.ORdonly, 3))
		w.do(call(schema.Dup3X, 100, "res", 7, "oldfd", 3, "newfd", 7, "flags", schema.OCloexec))
		w.want("fd.name", "/etc/passwd", "fd.num", "7")
		w.do(execve(100, "ls", "ls", nil))
		w.same("after", w.fds(100), "0 1 2 3")
	}},
	{"C-085", func(w *world) {
		w.do(openat(100, atCwd, "/etc/passwd", schema.ORdonly, 3))
		w.do(call(schema.FcntlX, 100, "res", 10, "fd", 3, "cmd", schema.FDupfdCloexec, "arg", 10))
		w.want("fd.num", "10", "fd.name", "/etc/passwd")
		w.do(execve(100, "ls", "ls", nil))
		w.same("after", w.fds(100), "0 1 2 3")
	}},
	{"C-086", func(w *world) {
		w.do(call(schema.DupX, 100, "res", 8, "oldfd", 44))
		w.want("fd.type", null, "fd.num", "44")
		w.same("record", w.fd(100, 8), null)
	}},
	{"C-087", func(w *world) {
		w.do(openat(100, atCwd, "/etc/passwd", schema.ORdonly, 3))
		w.do(closes(100, 3, 0))
		w.want("fd.name", "/etc/passwd", "fd.num", "3")
		w.do(call(schema.ReadX, 100, "res", -9, "fd", 3))
		w.want("fd.name", "", "fd.num", "3", "fd.type", null)
	}},
	{"C-088", func(w *world) {
		w.do(openat(100, atCwd, "/etc/passwd", schema.ORdonly, 3))
		w.do(closes(100, 3, -9))
		w.at(100)
		w.same("record", w.fd(100, 3), "/etc/passwd")
	}},
	{"C-089", func(w *world) {
		w.do(openat(100, atCwd, "/a", schema.ORdonly, 3))
		w.do(openat(100, atCwd, "/b", schema.ORdonly, 5))
		w.do(call(schema.CloseRangeX, 100, "res", 0, "first", 5, "last", uint32(1<<32-1), "flags", schema.CloseRangeCloexec))
		w.same("flagged", w.fds(100), "0 1 2 3 5")
		w.do(execve(100, "ls", "ls", nil))
		w.same("at exec", w.fds(100), "0 1 2 3")
		w.do(call(schema.CloseRangeX, 100, "res", 0, "first", 3, "last", uint32(1<<32-1)))
		w.same("at once", w.fds(100), "0 1 2")
	}},
}

// etc makes fd the folder /etc.
func (w *world) etc(fd int) { w.do(openat(100, atCwd, "/etc", schema.ODirectory|schema.ORdonly, fd)) }
