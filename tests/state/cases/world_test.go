// SPDX-License-Identifier: Apache-2.0

// Package cases plays the scenarios of the state engine: scripted events go in,
// and what rules see comes out, fields and conditions. One subtest a scenario,
// named by its id; complete_test.go compares the ids with those of the
// specification. Nothing here needs root, /proc or a kernel.
package cases

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/field"
	"github.com/falco-go/falco/pkg/filter"
	"github.com/falco-go/falco/pkg/procfs"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC
	os.Exit(m.Run())
}

const (
	ms    = 1_000_000
	sec   = 1_000_000_000
	boot  = 1_700_000_000 * sec
	t0    = boot + 100*sec  // systemd and bash begin
	begin = boot + 1000*sec // the first event

	atCwd = -100
	hex64 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	short = "0123456789ab"
	null  = "NULL" // what want calls a field without a value
)

// Host values in parameters that are not translated.
const (
	setSubreaper = 36
	rlimitNofile = 7
	cloexec      = 1 // FD_CLOEXEC
)

const threadFlags = schema.CloneThread | schema.CloneVm | schema.CloneFiles

// scenario is one row: what happens, and what is to be seen then.
type scenario struct {
	id   string
	play func(w *world)
}

// tables lists all scenarios, by section of the specification.
var tables = [][]scenario{processes, execs, paths, containers, sockets, others, missing}

func TestScenarios(t *testing.T) {
	for _, table := range tables {
		for _, c := range table {
			t.Run(c.id, func(t *testing.T) { c.play(newWorld(t, state.Options{})) })
		}
	}
}

// world is a machine with systemd (1) and a bash (100) on a terminal. Its clock
// goes on a millisecond with each event.
type world struct {
	*testing.T
	st    *state.State
	proc  *fakeProc
	last  *state.Scene
	asked []state.Ask
	ts    uint64
	num   uint64
}

func newWorld(t *testing.T, o state.Options) *world {
	t.Helper()
	w := &world{T: t, ts: begin, proc: &fakeProc{
		tasks: map[int64]*procfs.Task{}, fds: map[[2]int64]procfs.FD{}, comms: map[int64]string{},
	}}
	o.Machine = state.Machine{BootTime: boot, Hostname: "host", Addrs: []netip.Prefix{
		netip.MustParsePrefix("127.0.0.1/8"), netip.MustParsePrefix("10.0.0.5/24"), netip.MustParsePrefix("2001:db8:0:1::5/64"),
	}}
	o.Source = w.proc
	o.Ask = func(a state.Ask) bool { w.asked = append(w.asked, a); return true }
	w.st = state.New(o)
	w.st.SetHostUsers([]byte("root:x:0:0:root:/root:/bin/bash\nalice:x:1000:1000::/home/alice:/bin/zsh\n"), []byte("root:x:0:\ntty:x:5:\n"))
	w.st.Seed(task(1, 1, 0, "systemd", func(k *procfs.Task) {
		k.Exe, k.ExePath, k.Cwd = "/sbin/init", "/usr/lib/systemd/systemd", "/"
	}))
	w.st.Seed(task(100, 100, 1, "bash", func(k *procfs.Task) {
		k.Exe, k.ExePath, k.Cwd, k.LoginUID, k.TTY = "-bash", "/usr/bin/bash", "/root", 1000, 34816
		k.Env = []string{"HOME=/root", "A= x "}
		for n := range int64(3) {
			k.FDs = append(k.FDs, procfs.FD{Num: n, Kind: procfs.File, Name: "/dev/pts/0", Flags: 2})
		}
	}))
	w.st.Seeded()
	return w
}

// task is what /proc would tell of a process.
func task(tid, pid, ppid int64, comm string, more func(*procfs.Task)) *procfs.Task {
	k := &procfs.Task{
		ReadAt: begin - sec, Tid: tid, Pid: pid, PPid: ppid, NSTid: tid, NSPid: pid, NSPgid: pid, Pgid: pid, Sid: pid,
		Comm: comm, Exe: comm, Root: "/", FDLimit: 1024, Start: t0, LoginUID: 1000, Cgroups: []string{"cpu=/user.slice"},
	}
	if more != nil {
		more(k)
	}
	return k
}

// fakeProc plays /proc and counts what it is asked.
type fakeProc struct {
	tasks map[int64]*procfs.Task
	fds   map[[2]int64]procfs.FD
	comms map[int64]string
	asked int
}

var errGone = errors.New("gone")

func (f *fakeProc) Task(tid int64) (*procfs.Task, error) {
	f.asked++
	if t := f.tasks[tid]; t != nil {
		return t, nil
	}
	return nil, errGone
}

func (f *fakeProc) Descriptor(pid, fd int64) (procfs.FD, error) {
	f.asked++
	if d, ok := f.fds[[2]int64{pid, fd}]; ok {
		return d, nil
	}
	return procfs.FD{}, errGone
}

func (f *fakeProc) Comm(_, tid int64) (string, error) {
	f.asked++
	if c, ok := f.comms[tid]; ok {
		return c, nil
	}
	return "", errGone
}

// do makes the next event happen.
func (w *world) do(b *eventtest.Builder) {
	w.Helper()
	if w.num++; w.num > 1 {
		w.st.Settle()
	}
	w.ts += ms
	ev := b.TS(w.ts).Event()
	ev.Num = w.num
	w.last = w.st.Apply(ev)
}

// pass lets time go by.
func (w *world) pass(ns uint64) { w.ts += ns }

// at makes tid do something that changes nothing, so that it can be looked at.
func (w *world) at(tid int64) {
	w.Helper()
	w.do(eventtest.New(schema.GenericX).Tid(tid).Set("ID", 1))
}

// want compares fields of the last event with texts: name, text, name, text, …
// The elements of lists have a blank between them.
func (w *world) want(pairs ...string) {
	w.Helper()
	if w.last == nil {
		w.Fatal("rules do not see the event")
	}
	for i := 0; i < len(pairs); i += 2 {
		if got := w.field(pairs[i]); got != pairs[i+1] {
			w.Errorf("%s: %s is %q, want %q", w.last.Event.Info.ID, pairs[i], got, pairs[i+1])
		}
	}
}

// field returns a field of the last event as text, "NULL" if it has no value.
func (w *world) field(token string) string {
	w.Helper()
	ref, err := field.Parse(token)
	if err != nil {
		w.Fatalf("%s: %v", token, err)
	}
	values := ref.OutputValues(w.last, nil)
	if len(values) == 0 {
		return null
	}
	var text []byte
	for i, v := range values {
		if i > 0 {
			text = append(text, ' ')
		}
		text = ref.AppendText(text, v)
	}
	return string(text)
}

// holds and fails say what conditions make of the last event.
func (w *world) holds(conditions ...string) { w.Helper(); w.conditions(true, conditions) }
func (w *world) fails(conditions ...string) { w.Helper(); w.conditions(false, conditions) }

func (w *world) conditions(want bool, conditions []string) {
	w.Helper()
	for _, text := range conditions {
		got, err := match(w.last, text)
		if err != nil {
			w.Errorf("%s: %v", text, err)
		} else if got != want {
			w.Errorf("%s: %q is %v", w.last.Event.Info.ID, text, got)
		}
	}
}

// match evaluates a condition; an error is one of loading it.
func match(sc *state.Scene, text string) (bool, error) {
	e, err := filter.Syntax{}.Parse(&filter.Source{Text: text})
	if err != nil {
		return false, err
	}
	c := &filter.Compiler{Fields: filter.Catalogue{}}
	p, err := c.Compile(e)
	if err != nil {
		return false, err
	}
	env := c.NewEnv()
	env.Begin(sc)
	return p.Match(env), nil
}

// same compares what no field tells.
func (w *world) same(what string, got, want any) {
	w.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		w.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func (w *world) known(tid int64) bool { return w.st.Lookup(tid) != nil }

// fd returns the name of a descriptor, "NULL" if it is not known.
func (w *world) fd(tid, n int64) string {
	t := w.st.Lookup(tid)
	if t == nil {
		return "no thread"
	}
	if f := w.st.FD(t, n); f != nil {
		return f.Name
	}
	return null
}

// fds returns the numbers of all descriptors.
func (w *world) fds(tid int64) string {
	var all []string
	w.st.FDs(w.st.Lookup(tid), func(n int64, _ *state.FD) bool { all = append(all, fmt.Sprint(n)); return true })
	return strings.Join(all, " ")
}

// call is an event with parameters by name: "res", 0, "fd", 3, …
func call(typ schema.EventType, tid int64, params ...any) *eventtest.Builder {
	return set(eventtest.New(typ).Tid(tid), params)
}

func set(b *eventtest.Builder, params []any) *eventtest.Builder {
	for i := 0; i < len(params); i += 2 {
		b.Set(params[i].(string), params[i+1])
	}
	return b
}

// made is an event of the clone family as the task tid returns from it.
func made(typ schema.EventType, tid, res, pid, ptid int64, flags int, more ...any) *eventtest.Builder {
	b := call(typ, tid, "res", res, "exe", "-bash", "tid", tid, "pid", pid, "ptid", ptid, "fdlimit", 1024,
		"comm", "bash", "flags", flags, "uid", 0, "gid", 0, "vtid", tid, "vpid", pid)
	return set(b, more)
}

// parent and child are the two events of a fork.
func parent(tid, child int64) *eventtest.Builder { return made(schema.ForkX, tid, child, tid, 1, 0) }
func child(tid, of int64) *eventtest.Builder     { return made(schema.ForkX, tid, 0, tid, of, 0) }

func (w *world) fork(tid, kid int64) {
	w.Helper()
	w.do(parent(tid, kid))
	w.do(child(kid, tid))
}

// thread is the event of a new thread of process pid.
func thread(tid, pid, ptid int64) *eventtest.Builder {
	return made(schema.CloneX, tid, 0, pid, ptid, threadFlags)
}

func execve(tid int64, exe, comm string, args []string, more ...any) *eventtest.Builder {
	b := call(schema.ExecveX, tid, "res", 0, "exe", exe, "args", args, "tid", tid, "pid", tid, "ptid", 1, "fdlimit", 1024,
		"comm", comm, "uid", 0, "gid", 0, "vpgid", tid, "pgid", tid, "tty", 0, "loginuid", 1000, "flags", 0)
	return set(b, more)
}

func exits(tid, reaper int64) *eventtest.Builder {
	return call(schema.ProcexitE, tid, "status", 0, "reaper_tid", reaper)
}

func openat(tid int64, dirfd int, name string, flags, fd int) *eventtest.Builder {
	return call(schema.OpenatX, tid, "fd", fd, "dirfd", dirfd, "name", name, "flags", flags)
}

func closes(tid int64, fd, res int) *eventtest.Builder {
	return call(schema.CloseX, tid, "res", res, "fd", fd)
}

func writes(tid int64, fd, res int) *eventtest.Builder {
	return call(schema.WriteX, tid, "res", res, "fd", fd)
}

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func tuple(src, dst string) []byte { return eventtest.Tuple(addr(src), addr(dst)) }
