// SPDX-License-Identifier: Apache-2.0

package state

import (
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/procfs"
	"github.com/falco-go/falco/pkg/schema"
)

func TestMissing(t *testing.T) {
	runAll(t, []scenario{
		{"C-180", func(w *world) {
			w.src.tasks[900] = task(900, 900, 100, "vim", func(k *procfs.Task) {
				k.Args, k.Cwd, k.ReadAt = []string{"x"}, "/srv", w.ts+sec
				k.FDs = []procfs.FD{{Num: 3, Kind: procfs.File, Name: "/srv/x"}}
			})
			sc := w.do(call(schema.ReadX, 900, "res", 1, "fd", 3))
			w.same("comm", sc.Thread.Comm, "vim")
			w.same("cmdline", sc.Thread.Cmdline, "vim x")
			w.same("cwd", w.s.Cwd(sc.Thread), "/srv/")
			w.same("fd", sc.FD.Name, "/srv/x")
			w.same("clone ts", sc.Thread.CloneTS, t0)
			w.same("parent", w.s.Parent(sc.Thread).Comm, "bash")
		}},
		{"C-181 C-182", func(w *world) {
			sc := w.do(call(schema.ReadX, 900, "res", 1, "fd", 3))
			x := sc.Thread
			w.same("comm", x.Comm, "<NA>")
			w.same("pid", x.Pid, -1)
			w.same("parent", w.s.Parent(x) == nil, true)
			w.same("uid", x.UID, uint32(noID))
			_, known := w.s.User(x, x.UID)
			w.same("user", known, false)
			w.same("vpid", x.Vpid, -1)
			w.same("num", sc.FDNum, 3)
			w.same("cwd", w.s.Cwd(x), "")
			asked := w.src.asked
			w.nothing(900)
			w.same("asked again", w.src.asked, asked)
			w.same("own descriptors", w.do(openat(900, atCwd, "/x", schema.ORdonly, 4)).FD.Name, "/x")
		}},
		{"C-184 place holder", func(w *world) {
			w.nothing(900)
			w.src.tasks[900] = task(900, 900, 100, "vim", nil)
			w.ts += 301 * sec
			w.same("asked anew", w.nothing(900).Thread.Comm, "vim")
		}},
		{"switch, exit and faults do not ask", func(w *world) {
			w.same("switch", w.do(call(schema.SwitchE, 900, "next", 1)).Thread == nil, true)
			w.same("exit", w.do(exits(901, 0)).Thread == nil, true)
			w.same("page fault", w.do(call(schema.PageFaultE, 902, "addr", 1)).Thread == nil, true)
			w.same("asked", w.src.asked, 0)
		}},
		{"procinfo has the thread that it is about", func(w *world) {
			w.same("known", w.do(call(schema.ProcinfoE, 100, "cpu_usr", 1)).Thread == w.s.Lookup(100), true)
			w.same("unknown", w.do(call(schema.ProcinfoE, 900, "cpu_usr", 1)).Thread == nil, true)
			w.same("asked", w.src.asked, 0)
		}},
		{"meta events have no thread", func(w *world) {
			sc := w.do(call(schema.UserAddedE, 0, "uid", 77, "gid", 1, "name", "eve", "container_id", dockID))
			w.same("thread", sc.Thread == nil, true)
			x := w.s.Lookup(100)
			_, known := w.s.User(x, 77)
			w.same("on the host", known, false)
			x.ContainerID = dockID
			u, _ := w.s.User(x, 77)
			w.same("in the container", u.Name, "eve")
			_, known = w.s.User(x, 1000) // C-109
			w.same("host's user there", known, false)
			w.do(call(schema.UserDeletedE, 0, "uid", 77, "container_id", dockID))
			_, known = w.s.User(x, 77)
			w.same("deleted", known, false)
			w.do(call(schema.GroupAddedE, 0, "gid", 9, "name", "grp", "container_id", dockID))
			g, _ := w.s.GroupName(x, 9)
			w.same("group", g, "grp")
			w.do(call(schema.GroupDeletedE, 0, "gid", 9, "container_id", dockID))
			_, known = w.s.GroupName(x, 9)
			w.same("group deleted", known, false)
		}},
	})
}

// C-183: there is no budget.
func TestNoBudget(t *testing.T) {
	w := newWorldWith(t, Options{Budget: Budget{Time: -1}})
	w.src.tasks[900] = task(900, 900, 100, "vim", nil)
	w.same("comm", w.nothing(900).Thread.Comm, "<NA>")
	w.same("asked", w.src.asked, 0)
	w.same("refused", w.s.Stats().LookupsRefused, 1)
}

// A look-up may take a millisecond of each hundred, whatever it finds.
func TestBudget(t *testing.T) {
	clock := &tick{at: time.Unix(1, 0)}
	w := newWorldWith(t, Options{Now: clock.now})
	w.src.slow = func() { clock.at = clock.at.Add(400 * time.Microsecond) }
	for tid := int64(900); tid < 910; tid++ {
		w.nothing(tid)
	}
	w.same("asked", w.src.asked, 3) // the third begins within the budget
	clock.at = clock.at.Add(100 * time.Millisecond)
	w.nothing(950)
	w.same("next period", w.src.asked, 4)
	st := w.s.Stats()
	w.same("refused", st.LookupsRefused, 7)
	w.same("missed", st.LookupsMissed, 4)
	w.same("time", st.LookupTime, 1600*time.Microsecond)
}

// Without /proc, as in a replay, unknown threads get place holders.
func TestReplay(t *testing.T) {
	w := newWorldWith(t, Options{})
	w.s.source.src = nil
	w.same("comm", w.nothing(900).Thread.Comm, "<NA>")
	w.same("refused", w.s.Stats().LookupsRefused, 0)
	w.fork(100, 200)
	w.ts += 3600 * sec
	w.nothing(100)
	w.nothing(100)
	w.same("idle tasks stay", w.s.Lookup(200) != nil, true)
	w.nothing(100)
	w.same("place holders go", w.s.Lookup(900) == nil, true)
}

// C-184: tasks that have gone without an exit event.
func TestSweep(t *testing.T) {
	w := newWorld(t)
	for _, tid := range []int64{200, 300, 400} {
		w.fork(100, tid)
	}
	w.src.comms = map[int64]string{1: "systemd", 100: "bash", 200: "other", 300: "bash-worker"}
	w.ts += 301 * sec
	for range 10 {
		w.nothing(100)
	}
	w.same("another name", w.s.Lookup(200) == nil, true)
	w.same("common beginning", w.s.Lookup(300) != nil, true)
	w.same("gone", w.s.Lookup(400) == nil, true)
	w.same("purged", w.s.Stats().ThreadsPurged, 2)
	asked := w.src.asked
	for range 10 {
		w.nothing(100)
	}
	w.same("not asked again soon", w.src.asked, asked)
}

// C-185: the thread table is full.
func TestThreadLimit(t *testing.T) {
	w := newWorldWith(t, Options{Limits: Limits{Threads: 10}})
	w.s.Machine.SelfPid = 1
	w.do(made(schema.CloneX, 101, 0, 100, 1, threadFlags))
	for tid := int64(200); tid < 300; tid++ {
		w.ts += 2 * sec
		if sc := w.do(made(schema.ForkX, tid, 0, tid, 100, 0)); sc.Thread == nil || sc.Thread.Tid != tid {
			t.Fatalf("%d has no record", tid)
		}
		w.s.Settle()
		if n := w.s.Stats().Threads; n > 10 {
			t.Fatalf("%d records", n)
		}
	}
	w.same("we stay", w.s.Lookup(1) != nil, true)
	w.same("parent in use stays", w.s.Lookup(100) != nil, true)
	w.same("the oldest went", w.s.Lookup(200) == nil, true)
	w.same("the newest are there", w.s.Lookup(298) != nil, true)
	if w.s.Stats().ThreadsEvicted < 90 {
		t.Errorf("evicted %d", w.s.Stats().ThreadsEvicted)
	}
}

func TestHostUsers(t *testing.T) {
	w := newWorld(t)
	w.s.SetHostUsers([]byte("+nis::::::\n#x\nbad\nbob:x:7:8:Bob:/home/bob:/bin/sh\ntwin:x:7:9::/:/\nhuge:x:99999999999:1::/:/\n"),
		[]byte("wheel:x:8:bob\n-x:y:3:\n"))
	u, ok := w.s.User(nil, 7)
	w.same("first of two", u, User{UID: 7, GID: 8, Name: "bob", Home: "/home/bob", Shell: "/bin/sh"})
	w.same("known", ok, true)
	g, _ := w.s.GroupName(nil, 8)
	w.same("group", g, "wheel")
	_, ok = w.s.User(nil, 1000)
	w.same("replaced", ok, false)
	u, _ = w.s.User(nil, 0)
	w.same("root without a line", u.Home, "/root")
}
