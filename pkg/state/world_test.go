// SPDX-License-Identifier: Apache-2.0

package state

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/procfs"
	"github.com/falco-go/falco/pkg/schema"
)

const (
	ms     = 1_000_000
	sec    = 1_000_000_000
	boot   = 1_700_000_000 * sec
	t0     = boot + 100*sec  // systemd and bash begin
	begin  = boot + 1000*sec // the first event
	atCwd  = -100
	hex64  = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	dockID = "0123456789ab"
)

// world is a State with the processes that the scenarios begin with, and a clock
// that goes on a millisecond with each event.
type world struct {
	*testing.T
	s   *State
	src *fakeSource
	ts  uint64
	num uint64
}

// fakeSource plays /proc.
type fakeSource struct {
	tasks map[int64]*procfs.Task
	fds   map[[2]int64]procfs.FD
	comms map[int64]string
	asked int
	slow  func() // called with each question
}

var errGone = errors.New("gone")

func (f *fakeSource) ask() {
	f.asked++
	if f.slow != nil {
		f.slow()
	}
}

func (f *fakeSource) Task(tid int64) (*procfs.Task, error) {
	f.ask()
	if t := f.tasks[tid]; t != nil {
		return t, nil
	}
	return nil, errGone
}

func (f *fakeSource) Descriptor(pid, fd int64) (procfs.FD, error) {
	f.ask()
	if d, ok := f.fds[[2]int64{pid, fd}]; ok {
		return d, nil
	}
	return procfs.FD{}, errGone
}

func (f *fakeSource) Comm(_, tid int64) (string, error) {
	f.ask()
	if c, ok := f.comms[tid]; ok {
		return c, nil
	}
	return "", errGone
}

func newWorld(t *testing.T) *world { return newWorldWith(t, Options{}) }

// newWorldWith makes the world of the scenarios: systemd, and a bash with three
// descriptors on a terminal.
func newWorldWith(t *testing.T, o Options) *world {
	w := &world{T: t, ts: begin, src: &fakeSource{
		tasks: map[int64]*procfs.Task{}, fds: map[[2]int64]procfs.FD{}, comms: map[int64]string{},
	}}
	o.Machine = Machine{BootTime: boot, Hostname: "host", Addrs: []netip.Prefix{
		netip.MustParsePrefix("127.0.0.1/8"), netip.MustParsePrefix("10.0.0.5/24"), netip.MustParsePrefix("2001:db8:0:1::5/64"),
	}}
	if o.Source == nil {
		o.Source = w.src
	}
	w.s = New(o)
	w.s.SetHostUsers([]byte("root:x:0:0:root:/root:/bin/bash\nalice:x:1000:1000::/home/alice:/bin/zsh\n"),
		[]byte("root:x:0:\ntty:x:5:\n"))
	w.s.Seed(task(1, 1, 0, "systemd", func(k *procfs.Task) {
		k.Exe, k.ExePath, k.Cwd = "/sbin/init", "/usr/lib/systemd/systemd", "/"
	}))
	w.s.Seed(task(100, 100, 1, "bash", func(k *procfs.Task) {
		k.Exe, k.ExePath, k.Cwd, k.LoginUID, k.TTY = "-bash", "/usr/bin/bash", "/root", 1000, 34816
		k.Env = []string{"HOME=/root", "A= x "}
		for n := range int64(3) {
			k.FDs = append(k.FDs, procfs.FD{Num: n, Kind: procfs.File, Name: "/dev/pts/0", Flags: 2})
		}
	}))
	w.s.Seeded()
	return w
}

func task(tid, pid, ppid int64, comm string, more func(*procfs.Task)) *procfs.Task {
	k := &procfs.Task{
		ReadAt: begin - sec, Tid: tid, Pid: pid, PPid: ppid, NSTid: tid, NSPid: pid, NSPgid: pid, Pgid: pid, Sid: pid,
		Comm: comm, Root: "/", FDLimit: 1024, Start: t0, Cgroups: []string{"cpu=/user.slice"},
	}
	if more != nil {
		more(k)
	}
	return k
}

// do applies the next event and returns what rules see; the event before it is
// settled first.
func (w *world) do(b *eventtest.Builder) *Scene {
	w.ts += ms
	return w.at(w.ts, b)
}

func (w *world) at(ts uint64, b *eventtest.Builder) *Scene {
	w.Helper()
	if w.num++; w.num > 1 {
		w.s.Settle()
		w.check()
	}
	sc := w.s.Apply(b.TS(ts).Event())
	w.check()
	return sc
}

// check verifies what must hold between any two calls.
func (w *world) check() {
	w.Helper()
	if err := w.s.consistent(); err != nil {
		w.Fatalf("after event %d: %v", w.num, err)
	}
}

// consistent reports the first thing in the tables that does not fit another.
func (s *State) consistent() error {
	n, fds := 0, 0
	users, arrays := make(map[*fdTable]int), make(map[*fdArray]bool)
	for t := s.oldest; t != nil; t = t.newer {
		n++
		if s.threads[t.Tid] != t {
			return fmt.Errorf("thread %d is in the list but not in the table", t.Tid)
		}
		if t.newer != nil && t.newer.older != t {
			return fmt.Errorf("the list is torn behind %d", t.Tid)
		}
	}
	if n != len(s.threads) {
		return fmt.Errorf("%d threads in the list, %d in the table", n, len(s.threads))
	}
	for _, p := range s.promises {
		if p.x.fds != nil {
			users[p.x.fds]++
			if !arrays[p.x.fds.arr] {
				arrays[p.x.fds.arr] = true
				fds += p.x.fds.arr.count()
			}
		}
	}
	for tid, t := range s.threads {
		if t.fds != nil {
			users[t.fds]++
			if !arrays[t.fds.arr] {
				arrays[t.fds.arr] = true
				fds += t.fds.arr.count()
			}
		}
		if a := t.array(); a != nil {
			if err := a.check(s.fdPool); err != nil {
				return fmt.Errorf("thread %d: %w", tid, err)
			}
		}
		if t.group != nil && s.groups[t.group.Pid] != t.group {
			return fmt.Errorf("thread %d is in a group that is gone", tid)
		}
		if p := t.parent; p != nil && (s.threads[p.Tid] != p || p.Tid != t.Ptid) {
			return fmt.Errorf("thread %d is a child of %d, its ptid is %d", tid, p.Tid, t.Ptid)
		}
		for c := t.children; c != nil; c = c.nextSib {
			if c.parent != t || s.threads[c.Tid] != c {
				return fmt.Errorf("thread %d has a child %d that has another parent", tid, c.Tid)
			}
		}
	}
	if w := s.weighAll(arrays); w != s.bytes {
		return fmt.Errorf("the tables weigh %d, %d are counted", w, s.bytes)
	}
	tables := make(map[*fdArray]int)
	for tbl := range users {
		tables[tbl.arr]++
	}
	for arr, n := range tables {
		if arr.refs != n {
			return fmt.Errorf("%d tables use an array that counts %d", n, arr.refs)
		}
	}
	for tbl, n := range users {
		if tbl.users != n {
			return fmt.Errorf("%d records use a table that counts %d", n, tbl.users)
		}
	}
	switch st := s.Stats(); {
	case fds != st.FDs:
		return fmt.Errorf("%d descriptors, %d counted", fds, st.FDs)
	case len(s.threads) != int(st.ThreadsAdded-st.ThreadsRemoved):
		return fmt.Errorf("%d threads, %d came and %d went", len(s.threads), st.ThreadsAdded, st.ThreadsRemoved)
	}
	for pid, g := range s.groups {
		alive := 0
		for _, m := range g.members {
			if m.group != g || s.threads[m.Tid] != m {
				return fmt.Errorf("group %d has a member %d that is gone", pid, m.Tid)
			}
			if !m.Dead {
				alive++
			}
		}
		if alive != g.Alive || len(g.members) == 0 {
			return fmt.Errorf("group %d: %d of %d alive, %d counted", pid, alive, len(g.members), g.Alive)
		}
	}
	return nil
}

// check holds a against what it promises, and against the records that are free.
func (a *fdArray) check(pool []*FD) error {
	free := 0
	for i, sl := range a.slots {
		if i > 0 && sl.num <= a.slots[i-1].num {
			return fmt.Errorf("descriptors out of order")
		}
		if sl.fd == nil {
			free++
		} else if slices.Contains(pool, sl.fd) {
			return fmt.Errorf("descriptor %d is in the pool", sl.num)
		}
	}
	switch n := len(a.slots); {
	case free != a.free:
		return fmt.Errorf("%d slots are free, %d are counted", free, a.free)
	case free > n-free+spareSlots:
		return fmt.Errorf("%d of %d slots are free", free, n)
	case n > 0 && a.slots[n-1].fd == nil:
		return fmt.Errorf("the last slot is free")
	}
	return nil
}

// weighAll does the sum that the tables keep.
func (s *State) weighAll(arrays map[*fdArray]bool) (sum int) {
	records, memos, sets := make(map[*FD]bool), make(map[*memo]bool), make(map[*cgroupSet]bool)
	for arr := range arrays {
		sum += slotBytes * cap(arr.slots)
		for _, f := range arr.each {
			records[f] = true
		}
	}
	for _, arr := range s.pool.arrays {
		sum += slotBytes * cap(arr.slots)
	}
	for _, t := range s.threads {
		sum += t.weight
		memos[t.args], memos[t.env], sets[t.cgroup] = true, true, true
	}
	for _, p := range s.promises {
		memos[p.x.env] = true
	}
	for _, set := range s.cgroups {
		sets[set] = true
	}
	for f := range records {
		sum += int(f.cost)
	}
	for m := range memos {
		if m != nil {
			sum += int(m.size)
		}
	}
	for set := range sets {
		if set != nil {
			sum += set.size
		}
	}
	return sum
}

// same compares values in the order got, want.
func (w *world) same(what string, got, want any) {
	w.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		w.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// nothing is an event that is about tid and changes nothing.
func (w *world) nothing(tid int64) *Scene {
	return w.do(eventtest.New(schema.GenericX).Tid(tid).Set("ID", 1))
}

func (w *world) fdName(tid, n int64) string {
	f := w.s.FD(w.s.Lookup(tid), n)
	if f == nil {
		return "<nil>"
	}
	return f.Name
}

// call is an event with parameters by name: "res", 0, "fd", 3, …
func call(typ schema.EventType, tid int64, params ...any) *eventtest.Builder {
	b := eventtest.New(typ).Tid(tid)
	for i := 0; i < len(params); i += 2 {
		b.Set(params[i].(string), params[i+1])
	}
	return b
}

func openat(tid int64, dirfd int, name string, flags int, fd int) *eventtest.Builder {
	return call(schema.OpenatX, tid, "fd", fd, "dirfd", dirfd, "name", name, "flags", flags)
}

func closed(tid int64, fd, res int) *eventtest.Builder {
	return call(schema.CloseX, tid, "res", res, "fd", fd)
}

func write(tid int64, fd, res int) *eventtest.Builder {
	return call(schema.WriteX, tid, "res", res, "fd", fd)
}

func exits(tid int64, reaper int) *eventtest.Builder {
	return call(schema.ProcexitE, tid, "status", 0, "reaper_tid", reaper)
}

// made is an event of the clone family as the task tid returns from it.
func made(typ schema.EventType, tid, res, pid, ptid int64, flags int, more ...any) *eventtest.Builder {
	b := call(typ, tid, "res", res, "exe", "-bash", "tid", tid, "pid", pid, "ptid", ptid, "fdlimit", 1024,
		"comm", "bash", "flags", flags, "uid", 0, "gid", 0, "vtid", tid, "vpid", pid)
	for i := 0; i < len(more); i += 2 {
		b.Set(more[i].(string), more[i+1])
	}
	return b
}

// fork is both events of a fork by the single-threaded process parent.
func (w *world) fork(parent, child int64) {
	w.do(made(schema.ForkX, parent, child, parent, w.s.Lookup(parent).Ptid, 0))
	w.do(made(schema.ForkX, child, 0, child, parent, 0))
}

func execve(tid int64, exe, comm string, args []string, more ...any) *eventtest.Builder {
	b := call(schema.ExecveX, tid, "res", 0, "exe", exe, "args", args, "tid", tid, "pid", tid, "ptid", 1, "fdlimit", 1024,
		"comm", comm, "uid", 0, "gid", 0, "vpgid", tid, "pgid", tid, "tty", 0, "loginuid", 1000, "flags", 0)
	for i := 0; i < len(more); i += 2 {
		b.Set(more[i].(string), more[i+1])
	}
	return b
}

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func tuple(src, dst string) []byte { return eventtest.Tuple(addr(src), addr(dst)) }

// tick is a clock for budgets that moves when told.
type tick struct{ at time.Time }

func (t *tick) now() time.Time { return t.at }
