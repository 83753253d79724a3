// SPDX-License-Identifier: Apache-2.0

package cases

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/field"
	"github.com/falco-go/falco/pkg/filter"
	"github.com/falco-go/falco/pkg/format"
	"github.com/falco-go/falco/pkg/procfs"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// Missing data, scan, limits, operators.
var missing = []scenario{
	{"C-180", func(w *world) {
		w.inProc(900, 100, "vim", func(k *procfs.Task) {
			k.Exe, k.Args, k.Cwd, k.Start = "vim", []string{"a.txt"}, "/home", w.ts-5*sec
			k.FDs = []procfs.FD{{Num: 4, Kind: procfs.File, Name: "/home/a.txt"}}
		})
		w.do(call(schema.ReadX, 900, "res", 1, "fd", 4))
		w.want("proc.name", "vim", "proc.cmdline", "vim a.txt", "proc.cwd", "/home/", "fd.name", "/home/a.txt", "proc.duration", "5001000000")
	}},
	{"C-181", func(w *world) {
		w.do(call(schema.ReadX, 900, "res", 1, "fd", 4))
		w.want("proc.name", "<NA>", "proc.pid", "-1", "proc.ppid", null, "user.uid", "4294967295", "user.name", "<NA>", "proc.vpid", null,
			"fd.num", "4", "fd.name", "")
	}},
	{"C-182", func(w *world) {
		w.at(900)
		asked := w.proc.asked
		w.at(900)
		w.same("asked again", w.proc.asked, asked)
		w.want("proc.name", "<NA>")
	}},
	{"C-183", func(w *world) {
		*w = *newWorld(w.T, state.Options{Budget: state.Budget{Time: -1}})
		w.inProc(900, 100, "vim", nil)
		w.at(900)
		w.want("proc.name", "<NA>")
		w.same("asked", w.proc.asked, 0)
	}},
	{"C-184", func(w *world) {
		for _, tid := range []int64{200, 300} {
			w.fork(100, tid)
		}
		w.at(900) // a placeholder
		w.proc.comms = map[int64]string{1: "systemd", 100: "bash", 200: "other", 300: "bash-worker"}
		w.pass(301 * sec)
		for range 10 {
			w.at(100)
		}
		w.same("another name", w.known(200), false)
		w.same("common beginning", w.known(300), true)
		w.same("placeholder", w.known(900), false)
	}},
	// A limit evicts what was longest unused; it never blinds the event at hand.
	{"C-185", func(w *world) {
		*w = *newWorld(w.T, state.Options{Limits: state.Limits{Threads: 4}})
		for tid := int64(200); tid < 206; tid++ {
			w.pass(2 * sec)
			w.do(child(tid, 100))
			w.want("proc.name", "bash", "proc.pname", "bash")
			w.same("thread", w.last.Thread.Tid, tid)
		}
		w.same("the oldest", w.known(200), false)
		w.same("in use", w.known(100), true)
		w.same("bounded", w.st.Stats().Threads <= 5, true)
		w.same("counted", w.st.Stats().ThreadsEvicted >= 4, true)
	}},
	{"C-186", func(w *world) {
		*w = *newWorld(w.T, state.Options{Suppress: []string{"noisy"}})
		w.fork(100, 200)
		w.do(execve(200, "noisy", "noisy", nil))
		w.same("exec", w.last == nil, true)
		w.do(child(300, 200))
		w.same("child", w.last == nil, true)
		w.do(execve(300, "quiet", "quiet", nil))
		w.same("child after exec", w.last == nil, true)
		w.do(exits(200, 0))
		w.same("exit", w.last == nil, true)
		w.at(1)
		w.same("record", w.known(200), false)
	}},
	{"C-187", func(w *world) {
		w.scan(func(k *procfs.Task) {
			for n, ends := range [][2]string{{"0.0.0.0:22", "0.0.0.0:0"}, {"10.0.0.5:22", "10.0.0.9:999"}} {
				k.FDs = append(k.FDs, procfs.FD{Num: int64(n), Kind: procfs.Inet,
					Socket: procfs.Socket{Proto: procfs.TCP, Local: addr(ends[0]), Remote: addr(ends[1])}})
			}
		})
		w.do(call(schema.ListenX, 300, "res", 0, "fd", 0))
		w.want("fd.name", "0.0.0.0:22", "fd.sport", "22", "fd.sip", null, "fd.is_server", "true")
		w.do(writes(300, 1, 1))
		w.want("fd.name", "10.0.0.9:999->10.0.0.5:22", "fd.cip", "10.0.0.9", "fd.sport", "22", "fd.connected", "true", "fd.l4proto", "tcp")
	}},
	// procfs leaves out what has neither arguments nor an executable (TestScan
	// there); here nothing comes of it.
	{"C-188", func(w *world) {
		w.same("record", w.known(2), false)
		w.at(2)
		w.want("proc.name", "<NA>")
	}},
	{"C-189", func(w *world) {
		w.scan(func(k *procfs.Task) {
			k.FDs = []procfs.FD{
				{Num: 0, Kind: procfs.Event, Name: "anon_inode:[eventfd]"},
				{Num: 1, Kind: procfs.Memfd, Name: "/memfd:a (deleted)"},
				{Num: 2, Kind: procfs.Unsupported, Name: "anon_inode:[perf_event]"},
			}
		})
		for n, want := range []string{"event", "memfd", "<NA>"} {
			w.do(writes(300, n, 1))
			w.want("fd.type", want)
		}
		w.want("fd.typechar", "X")
	}},
	{"C-190", func(w *world) {
		w.scan(func(k *procfs.Task) { k.NSTid, k.NSPid, k.NSPgid = 7, 7, 5 })
		w.at(300)
		w.want("thread.vtid", "7", "proc.vpid", "7", "proc.vpgid", "5")
	}},
	{"C-191", func(w *world) {
		w.at(1)
		w.fails("proc.pname != bash")
		w.holds("not proc.pname = bash")
	}},
	{"C-192", func(w *world) {
		w.do(call(schema.PipeX, 100, "res", 0, "fd1", 5, "fd2", 6, "ino", 7))
		w.do(call(schema.ReadX, 100, "res", 1, "fd", 5))
		w.holds("fd.name exists")
		w.at(100)
		w.fails("fd.name exists")
	}},
	{"C-193", func(w *world) {
		w.do(exits(100, 0))
		w.fails("evt.rawres exists")
		w.want("evt.res", null)
	}},
	{"C-194", func(w *world) {
		w.at(100)
		for _, condition := range []string{"evt.type = execv", "evt.arg.nonexist = 1", "proc.aname[x] = 1"} {
			if _, err := match(w.last, condition); err == nil {
				w.Errorf("%q was loaded", condition)
			}
		}
	}},
	{"C-195", func(w *world) {
		w.tcp()
		w.connect(0, tuple("10.0.0.5:40000", "1.2.3.4:443"), "")
		w.json("fd.filename", "null", "fd.connected", "true", "fd.sport", "443", "fd.name", `"10.0.0.5:40000->1.2.3.4:443"`)
		w.json("evt.time", "1700001000002000000")
		w.do(call(schema.OpenatX, 100, "fd", 3, "dirfd", atCwd, "name", "/x", "flags", schema.ORdonly, "dev", 0x801))
		w.json("evt.arg.dev", `"801"`, "fd.dev", `"801"`)
	}},
	{"C-196", func(w *world) {
		w.do(closes(100, 1, 0))
		w.want("evt.arg[5]", null, "evt.arg.flags", null)
	}},
	{"C-197", func(w *world) {
		w.do(call(schema.OpenX, 100, "fd", 3, "name", "/x", "flags", schema.ORdonly))
		w.holds("syscall.type=open")
		w.do(exits(100, 0))
		w.want("syscall.type", null)
	}},
	{"C-198", func(w *world) {
		w.do(call(schema.SetuidX, 100, "res", 0, "uid", 1000))
		w.fails("evt.type=setuid and evt.dir=>")
		w.holds("evt.type=setuid and evt.dir=<")
		w.do(exits(100, 0))
		w.want("evt.dir", ">")
	}},
	{"C-199", func(w *world) {
		for _, n := range []string{"1", "2", "3"} {
			w.at(100)
			w.want("evt.num", n)
			w.holds("evt.num="+n, "evt.num="+n)
		}
	}},
	{"C-200", func(w *world) {
		w.do(call(schema.WriteX, 100, "res", 12, "fd", 1, "data", []byte("POST\x00GET /x\x01")))
		w.holds(`evt.buffer contains "GET"`)
		w.fails(`evt.buffer contains "PUT"`)
		w.want("evt.buffer", "POST.GET /x.")
	}},
	{"C-201", func(w *world) {
		one, two := w.ref("evt.deltatime"), w.ref("evt.deltatime")
		read := func(r *field.Ref) uint64 { return r.OutputValues(w.last, nil)[0].Num }
		w.at(100)
		w.same("the first", read(one), 0)
		w.at(100)
		w.same("one", read(one), ms)
		w.same("two, for the first time", read(two), 0)
		w.at(100)
		w.same("one again", read(one), ms)
		w.same("two again", read(two), ms)
	}},
	{"C-202", func(w *world) {
		sw := func() *eventtest.Builder { return call(schema.SwitchE, 100, "next", 1).CPU(2) }
		w.do(sw())
		w.want("thread.exectime", "0")
		w.do(sw())
		w.want("thread.exectime", "1000000", "thread.totexectime", "1000000")
	}},
	{"C-203", func(w *world) {
		w.do(thread(101, 100, 1))
		w.do(exits(100, 0))
		w.do(closes(101, 2, 0))
		w.want("fd.name", "/dev/pts/0")
		w.at(101)
		w.same("descriptors", w.fds(101), "0 1")
	}},
	{"C-204", func(w *world) {
		w.at(900)
		w.do(made(schema.ForkX, 900, 901, 900, 100, 0, "comm", "sh", "exe", "sh", "args", []string{"-c"}))
		w.want("proc.ppid", "100", "proc.name", "sh", "proc.cmdline", "sh -c", "proc.pname", "bash")
		w.at(901)
		w.want("proc.cwd", "", "proc.ppid", "900")
		w.same("descriptors", w.fds(901), "")
	}},
	// The merge hands in what is older first; what comes too late for it, an exec
	// of a task that /proc has shown, keeps its record.
	{"C-205", func(w *world) {
		w.inProc(200, 100, "bash", func(k *procfs.Task) { k.Start = w.ts + ms })
		w.do(execve(200, "ls", "ls", nil, "ptid", 100))
		w.do(child(200, 100))
		w.want("proc.name", "ls", "proc.pname", "bash")
	}},
}

// scan has found the process 300, child of systemd.
func (w *world) scan(more func(*procfs.Task)) {
	w.st.Seed(task(300, 300, 1, "sshd", more))
	w.st.Seeded()
}

func (w *world) ref(token string) *field.Ref {
	w.Helper()
	r, err := field.Parse(token)
	if err != nil {
		w.Fatal(err)
	}
	return r
}

// json compares fields of the last event as alerts show them.
func (w *world) json(pairs ...string) {
	w.Helper()
	for i := 0; i < len(pairs); i += 2 {
		c := &filter.Compiler{Fields: filter.Catalogue{}}
		template, err := format.Parse("%"+pairs[i], c, format.Options{})
		if err != nil {
			w.Fatal(err)
		}
		env := c.NewEnv()
		env.Begin(w.last)
		var got strings.Builder
		enc := json.NewEncoder(&got)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(template.Raw(env)); err != nil {
			w.Fatal(err)
		}
		w.same("JSON of "+pairs[i], strings.TrimSpace(got.String()), pairs[i+1])
	}
}

// C-183 for a while: look-ups may take a millisecond of each hundred.
func TestBudget(t *testing.T) {
	at := time.Unix(1, 0)
	w := newWorld(t, state.Options{Now: func() time.Time { at = at.Add(400 * time.Microsecond); return at }})
	for tid := int64(900); tid < 910; tid++ {
		w.at(tid)
	}
	if w.proc.asked >= 10 || w.st.Stats().LookupsRefused == 0 {
		t.Errorf("asked %d times, refused %d", w.proc.asked, w.st.Stats().LookupsRefused)
	}
}
