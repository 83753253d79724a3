// SPDX-License-Identifier: Apache-2.0

package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/procfs"
	"github.com/falco-go/falco/pkg/schema"
)

// asker is a world in which somebody is asked.
type asker struct {
	*world
	asked []Ask
	told  []Ask // what the runtime is asked for
	busy  bool
}

func newAsker(t *testing.T, o Options) *asker {
	a := &asker{}
	o.Ask = func(q Ask) bool {
		if a.busy {
			return false
		}
		if q.Kind == AskRuntime {
			a.told = append(a.told, q)
			return true
		}
		a.asked = append(a.asked, q)
		return true
	}
	a.world = newWorldWith(t, o)
	return a
}

// A runtime is asked once for each container, and again when that has been
// forgotten; what it cannot tell is not pending any more.
func TestAskRuntime(t *testing.T) {
	w := newAsker(t, Options{})
	w.busy = true
	x := inside(w.world, 200)
	w.same("nobody has time", x.Container().Pending(), false)
	w.busy = false
	x = inside(w.world, 201)
	inside(w.world, 202)
	if len(w.told) != 1 || w.told[0].Match.FullID != hex64 || w.told[0].Match.ID != dockID {
		t.Fatalf("asked %+v", w.told)
	}
	w.same("pending", x.Container().Pending(), true)
	why := errors.New("refused")
	w.s.FailContainer(dockID, why)
	w.same("failed", x.Container().Pending(), false)
	w.same("why", x.Container().Failed(), why)
	w.do(tells(webJSON))
	w.same("told after all", x.Container().Failed(), error(nil))
	w.do(async("container_removed", webJSON))
	later(w.world, 61*sec)
	w.same("again", inside(w.world, 203).Container().Pending(), true)
	w.same("asked", len(w.told), 2)
}

// Pending counts the containers of which something may become known: through all
// that can become of one, and however many there are.
func TestPendingIsCounted(t *testing.T) {
	w := newAsker(t, Options{})
	w.same("none", w.s.Pending(), 0)
	inside(w.world, 200)
	w.same("asked", w.s.Pending(), 1)
	w.s.FailContainer(dockID, errors.New("not yet"))
	w.s.FailContainer(dockID, errors.New("not at all"))
	w.same("failed", w.s.Pending(), 0)
	w.do(tells(webJSON))
	w.do(tells(webJSON))
	w.same("told", w.s.Pending(), 0)
	w.do(async("container_removed", webJSON))
	later(w.world, 61*sec)
	w.same("forgotten", w.s.Pending(), 0)
	inside(w.world, 201)
	w.same("asked again", w.s.Pending(), 1)
	w.do(tells(webJSON))
	w.same("told again", w.s.Pending(), 0)
	for i := range 3*maxUntold + 10 {
		id := fmt.Sprint("c", i)
		w.s.askRuntime(w.s.container(id))
		if i%2 == 0 {
			w.s.FailContainer(id, errors.New("no"))
		}
	}
	cs := &w.s.containers
	n := 0
	for _, c := range cs.byID {
		if c.Pending() {
			n++
		}
	}
	if w.s.Pending() != n || n == 0 || len(cs.byID)-cs.known > maxUntold || cs.known != 1 {
		t.Errorf("%d pending, %d counted, %d records, %d with something in them", n, w.s.Pending(), len(cs.byID), cs.known)
	}
}

// What containerd calls its namespaces decides which cgroups are containers: also of
// those who were there before it has told.
func TestLearnNamespace(t *testing.T) {
	w := newAsker(t, Options{})
	in := func(tid int64, path string) *Thread {
		return w.do(made(schema.CloneX, tid, 0, tid, 100, 0, "cgroups", []string{"cpu=" + path})).Thread
	}
	x, other := in(200, "/shop/web"), in(201, "/other/web")
	w.same("before", x.ContainerID, "")
	w.s.LearnNamespace("shop")
	w.s.LearnNamespace("shop")
	w.same("was there", x.ContainerID, "web")
	w.same("pending", x.Container().Pending(), true)
	w.same("comes later", in(202, "/shop/db").ContainerID, "db")
	w.same("another", other.ContainerID, "")
	w.same("a unit", in(203, "/shop/x.service").ContainerID, "")
	for i := range 3 * maxNamespaces {
		w.s.LearnNamespace(fmt.Sprint("n", i))
	}
	w.same("bounded", len(w.s.containers.namespaces), maxNamespaces)
}

// Where nobody can be asked, the stream is given a while, in its own time.
func TestPatience(t *testing.T) {
	w := newWorldWith(t, Options{Patience: time.Duration(2 * sec)})
	x := inside(w, 200)
	w.same("at first", x.Container().Pending(), true)
	later(w, sec)
	w.same("after a second", w.s.Pending(), 1)
	later(w, sec)
	w.same("after two", w.s.Pending(), 0)
	w.same("why", x.Container().Failed(), errUntold)
	w.do(tells(webJSON))
	w.same("told after all", inside(w, 201).Container().Info() != nil, true)
}

// A task is read without the tables of sockets while an event waits; what its
// sockets are comes later.
func TestAskSockets(t *testing.T) {
	w := newAsker(t, Options{})
	unknown := func(n int64, ino uint64) procfs.FD {
		return procfs.FD{Num: n, Kind: procfs.Other, Name: fmt.Sprintf("socket:[%d]", ino), Ino: ino, Flags: hostCloexec}
	}
	w.src.tasks[900] = task(900, 900, 100, "nc", func(k *procfs.Task) {
		k.ReadAt, k.FDs = w.ts, []procfs.FD{unknown(3, 33), unknown(4, 44), unknown(5, 55), unknown(6, 66)}
	})
	w.do(write(900, 3, 1))
	w.same("asked", w.asked, []Ask{{Kind: AskSockets, Tid: 900}})
	w.do(write(900, 3, 1))
	w.do(closed(900, 4, 0))
	w.do(openat(900, atCwd, "/x", schema.ORdonly, 4)) // another thing by now
	w.do(closed(900, 5, 0))
	w.nothing(1)
	inet := func(n int64, ino uint64, remote string) procfs.FD {
		return procfs.FD{Num: n, Kind: procfs.Inet, Ino: ino, Flags: hostCloexec,
			Socket: procfs.Socket{Proto: procfs.TCP, Local: addr("10.0.0.5:4000"), Remote: addr(remote)}}
	}
	w.s.TakeSockets(900, []procfs.FD{inet(3, 33, "1.2.3.4:443"), inet(4, 44, "1.2.3.4:444"), inet(5, 55, "1.2.3.4:445"), unknown(6, 66)})
	w.check()
	sc := w.do(write(900, 3, 1))
	w.sock(sc, "10.0.0.5:4000->1.2.3.4:443", "10.0.0.5:4000", "1.2.3.4:443", FDClient)
	w.same("close-on-exec", sc.FD.Has(FDCloexec), true)
	w.same("4", w.fdName(900, 4), "/x")
	w.same("5", w.fdName(900, 5), "<nil>")
	w.same("6", w.s.FD(sc.Thread, 6).Type, FDUnknown)
	w.same("asked once", len(w.asked), 1)
	w.s.TakeSockets(4711, nil) // gone meanwhile
}

// What the budget does not allow is read on the side, and repairs the record.
func TestAskTask(t *testing.T) {
	w := newAsker(t, Options{Budget: Budget{Time: -1}})
	w.nothing(900)
	w.do(openat(900, atCwd, "/late", schema.ORdonly, 7))
	w.same("asked", w.asked, []Ask{{Kind: AskTask, Tid: 900}})
	w.same("comm", w.s.Lookup(900).Comm, Unknown)
	answer := task(900, 900, 100, "vim", func(k *procfs.Task) {
		k.Cwd, k.FDs = "/srv", []procfs.FD{{Num: 1, Kind: procfs.File, Name: "/dev/null"}}
	})
	w.s.TakeTask(answer)
	w.check()
	x := w.nothing(900).Thread
	w.same("comm then", x.Comm, "vim")
	w.same("parent", w.s.Parent(x).Comm, "bash")
	w.same("from /proc", w.fdName(900, 1), "/dev/null")
	w.same("from an event", w.fdName(900, 7), "/late")
	w.same("repaired", w.s.Stats().Repaired, 1)
	w.s.TakeTask(answer)
	w.s.TakeTask(task(901, 901, 1, "gone", nil))
	w.same("twice, or unasked", w.s.Stats().Repaired, 1)
	w.busy = true
	w.nothing(950)
	w.same("lost", w.s.Stats().AsksLost, 1)
}

// A look-up that took too long is no answer.
func TestAskLateTask(t *testing.T) {
	w := newAsker(t, Options{Source: lateSource{}})
	w.nothing(900)
	w.same("asked", w.asked, []Ask{{Kind: AskTask, Tid: 900}})
}

// lateSource is a /proc that does not answer in time.
type lateSource struct{}

func (lateSource) Task(int64) (*procfs.Task, error)         { return nil, procfs.ErrLate }
func (lateSource) Descriptor(_, _ int64) (procfs.FD, error) { return procfs.FD{}, procfs.ErrLate }
func (lateSource) Comm(_, _ int64) (string, error)          { return "", procfs.ErrLate }

// Users of a container are asked for once they can be seen, and forgotten with it.
func TestAskUsers(t *testing.T) {
	w := newAsker(t, Options{})
	cg := []string{"cpu=/docker/" + hex64}
	w.do(made(schema.CloneX, 501, 0, 501, 100, schema.CloneNewpid, "vtid", 1, "vpid", 1, "cgroups", cg))
	w.same("at clone", w.asked, []Ask{{Kind: AskUsers, Tid: 501, Container: dockID}})
	w.s.SetUsers(dockID, nil, nil)            // still in the host's root
	for tid := int64(600); tid < 620; tid++ { // where the runtime makes many threads
		w.do(made(schema.CloneX, tid, 0, tid, 501, inPidns, "vtid", tid-500, "vpid", tid-500, "cgroups", cg))
	}
	w.same("not for each of them", len(w.asked), 1)
	w.do(execve(501, "init", "init", nil, "cgroups", cg))
	w.same("again at exec", len(w.asked), 2)
	w.s.SetUsers(dockID, nil, nil)
	w.do(call(schema.SetuidX, 501, "res", 0, "uid", 7))
	w.same("again at setuid", len(w.asked), 3)
	w.s.SetUsers(dockID, []byte("app:x:7:7::/app:/bin/sh\n"), []byte("app:x:7:\n"))
	w.do(made(schema.CloneX, 502, 0, 502, 501, inPidns, "vtid", 2, "vpid", 2, "cgroups", cg))
	w.same("known", len(w.asked), 3)
	u, ok := w.s.User(w.s.Lookup(502), 7)
	w.same("user", u.Name, "app")
	w.same("found", ok, true)
	name, _ := w.s.GroupName(w.s.Lookup(502), 7)
	w.same("group", name, "app")
	_, ok = w.s.User(w.s.Lookup(502), 1000)
	w.same("the host's are others", ok, false)
	w.do(exits(501, 0))
	w.nothing(1)
	w.same("forgotten", len(w.s.users.asked)+len(w.s.users.in), 0)
	w.s.SetUsers(dockID, []byte("late:x:7:7::/app:/bin/sh\n"), nil)
	w.same("too late", len(w.s.users.in), 0)
}

func TestUsersAreBounded(t *testing.T) {
	w := newWorld(t)
	for i := range maxUsers + 10 {
		w.s.users.addUser("", User{UID: uint32(i)}, true)
	}
	w.same("entries", w.s.users.total, maxUsers)
	w.s.SetHostUsers(nil, nil)
	w.same("none", w.s.users.total, 0)
}

// Tables that processes share, and threads that part with theirs.
func TestSharedFiles(t *testing.T) {
	runAll(t, []scenario{
		{"clone with CLONE_FILES", func(w *world) {
			w.do(made(schema.CloneX, 100, 200, 100, 1, schema.CloneFiles))
			w.do(made(schema.CloneX, 200, 0, 200, 100, schema.CloneFiles))
			w.do(openat(200, atCwd, "/c", schema.ORdonly|schema.OCloexec, 3))
			w.same("seen by the maker", w.fdName(100, 3), "/c")
			w.same("counted once", w.s.Stats().FDs, 4)
			w.do(closed(100, 0, 0))
			w.nothing(1)
			w.same("closed for both", w.fdName(200, 0), "<nil>")
			w.do(execve(200, "ls", "ls", nil)) // gives it a table of its own
			w.same("dropped", w.fdName(200, 3), "<nil>")
			w.same("kept", w.fdName(100, 3), "/c")
			w.do(openat(200, atCwd, "/d", schema.ORdonly, 5))
			w.same("no longer shared", w.fdName(100, 5), "<nil>")
		}},
		{"the maker exits first", func(w *world) {
			w.do(made(schema.CloneX, 200, 0, 200, 100, schema.CloneFiles))
			w.do(exits(100, 0))
			w.nothing(1)
			w.same("descriptor", w.fdName(200, 2), "/dev/pts/0")
			w.do(exits(200, 0))
			w.nothing(1)
			w.same("none left", w.s.Stats().FDs, 0)
		}},
		{"unshare by a process", func(w *world) {
			w.do(made(schema.CloneX, 200, 0, 200, 100, schema.CloneFiles))
			w.do(call(schema.UnshareX, 200, "res", 0, "flags", schema.CloneFiles))
			w.do(closed(200, 0, 0))
			w.nothing(1)
			w.same("not the maker's", w.fdName(100, 0), "/dev/pts/0")
		}},
		{"unshare by a thread", func(w *world) {
			w.do(made(schema.CloneX, 101, 0, 100, 1, threadFlags))
			w.do(call(schema.UnshareX, 101, "res", 0, "flags", schema.CloneFiles|schema.CloneFs))
			w.do(openat(101, atCwd, "/t", schema.ORdonly, 3))
			w.do(call(schema.ChdirX, 101, "res", 0, "path", "/srv"))
			w.same("thread's", w.fdName(101, 3), "/t")
			w.same("process's", w.fdName(100, 3), "<nil>")
			w.same("directory", w.s.Cwd(w.s.Lookup(101)), "/srv/")
			w.same("process's directory", w.s.Cwd(w.s.Lookup(100)), "/root/")
			w.do(made(schema.ForkX, 300, 0, 300, 101, 0))
			w.same("child of the thread", w.fdName(300, 3), "/t")
			w.same("its directory", w.s.Cwd(w.s.Lookup(300)), "/srv/")
		}},
		{"unshare by the main thread", func(w *world) {
			w.do(made(schema.CloneX, 101, 0, 100, 1, threadFlags))
			w.do(made(schema.CloneX, 102, 0, 100, 1, threadFlags))
			w.do(call(schema.UnshareX, 100, "res", 0, "flags", schema.CloneFiles|schema.CloneNewns))
			w.do(closed(100, 0, 0))
			w.do(call(schema.ChdirX, 100, "res", 0, "path", "/srv"))
			w.do(openat(101, atCwd, "x", schema.ORdonly, 3))
			w.same("thread's", w.fdName(101, 0), "/dev/pts/0")
			w.same("threads still share", w.fdName(102, 3), "/root/x")
			w.same("process's", w.fdName(100, 3), "<nil>")
		}},
		{"setns into a mount namespace", func(w *world) {
			w.do(call(schema.SetnsX, 100, "res", 0, "fd", 9, "nstype", schema.CloneNewnet))
			w.same("network", w.s.Cwd(w.s.Lookup(100)), "/root/")
			w.do(call(schema.SetnsX, 100, "res", 0, "fd", 9, "nstype", schema.CloneNewns))
			w.same("mount", w.s.Cwd(w.s.Lookup(100)), "/")
		}},
		{"thread without CLONE_FILES", func(w *world) {
			w.do(made(schema.CloneX, 101, 0, 100, 1, schema.CloneThread|schema.CloneVm))
			w.do(openat(101, atCwd, "/t", schema.ORdonly, 3))
			w.same("thread's", w.fdName(101, 3), "/t")
			w.same("process's", w.fdName(100, 3), "<nil>")
		}},
		{"close_range with CLOSE_RANGE_UNSHARE", func(w *world) {
			w.do(made(schema.CloneX, 200, 0, 200, 100, schema.CloneFiles))
			w.do(call(schema.CloseRangeX, 200, "res", 0, "first", 0, "last", uint32(1<<32-1), "flags", schema.CloseRangeUnshare))
			w.same("closed", w.s.FDCount(w.s.Lookup(200)), 0)
			w.same("not the maker's", w.s.FDCount(w.s.Lookup(100)), 3)
		}},
	})
}

// What a passed descriptor is, is asked on the side if the budget does not allow
// to look at once. Processes that are made before the answer share it; they are asked
// themselves about what their maker has closed.
func TestAskFD(t *testing.T) {
	w := newAsker(t, Options{Budget: Budget{Time: -1}})
	w.do(call(schema.SocketpairX, 100, "res", 0, "fd1", 3, "fd2", 4, "source", 1, "peer", 2))
	pass := func(n uint32) {
		control := binary.LittleEndian.AppendUint64(nil, 20)
		control = binary.LittleEndian.AppendUint32(control, solSocket)
		control = binary.LittleEndian.AppendUint32(control, scmRights)
		control = binary.LittleEndian.AppendUint32(control, n)
		w.do(call(schema.RecvmsgX, 100, "res", 1, "fd", 3, "msgcontrol", control))
	}
	pass(8)
	pass(9)
	pass(10)
	w.same("asked", w.asked, []Ask{{Kind: AskFD, Tid: 100, FD: 8, Num: 1}, {Kind: AskFD, Tid: 100, FD: 9, Num: 2}, {Kind: AskFD, Tid: 100, FD: 10, Num: 3}})
	w.same("unknown", w.fdName(100, 8), "")
	w.do(made(schema.ForkX, 200, 0, 200, 100, 0))
	w.do(made(schema.ForkX, 201, 0, 201, 200, 0))
	w.do(call(schema.FcntlX, 200, "res", 0, "fd", 8, "cmd", schema.FSetfd, "arg", 1)) // a copy that was written to
	w.do(closed(100, 9, 0))
	w.do(openat(100, atCwd, "/other", schema.ORdonly, 9))
	w.do(call(schema.Dup2X, 100, "res", 11, "oldfd", 8, "newfd", 11)) // 4
	w.do(closed(100, 10, 0))
	pass(10) // 5: the answer to question 3 is about something else
	w.nothing(1)
	w.asked = nil
	for num, n := range []int64{1: 8, 2: 9, 3: 10, 4: 11} {
		if n > 0 {
			w.s.TakeDescriptor(100, n, int64(num), passed(n), 0)
			w.check()
		}
	}
	w.same("known", w.fdName(100, 8), "/passed8")
	w.same("the child's", w.fdName(200, 8), "/passed8")
	w.same("its child's", w.fdName(201, 8), "/passed8")
	w.same("the duplicate", w.fdName(100, 11), "/passed11")
	w.same("close-on-exec", w.s.FD(w.s.Lookup(100), 8).Has(FDCloexec), true)
	w.same("another by now", w.fdName(100, 9), "/other")
	w.same("passed again", w.fdName(100, 10), "")
	w.same("asked of the child", w.asked, []Ask{{Kind: AskFD, Tid: 200, FD: 9, Num: 2}, {Kind: AskFD, Tid: 200, FD: 10, Num: 3}})
	w.asked = nil
	w.s.TakeDescriptor(200, 9, 2, nil, 0) // closed there too
	w.same("asked of its child", w.asked, []Ask{{Kind: AskFD, Tid: 201, FD: 9, Num: 2}})
	w.s.TakeDescriptor(201, 9, 2, passed(9), 0)
	w.s.TakeDescriptor(200, 10, 3, passed(10), 0)
	w.same("the child has not", w.fdName(200, 9), "<nil>")
	w.same("its child has", []string{w.fdName(201, 9), w.fdName(201, 10)}, []string{"/passed9", "/passed10"})
	w.check()

	w.asked = nil
	w.do(execve(100, "x", "x", nil)) // 10 may have gone by that
	w.same("asked again", w.asked, []Ask{{Kind: AskFD, Tid: 100, FD: 10, Num: 6}})
	w.nothing(1)
	w.s.TakeDescriptor(100, 10, 5, nil, 0)
	w.same("not yet", w.fdName(100, 10), "")
	w.s.TakeDescriptor(100, 10, 6, nil, w.ts+2*sec)
	w.nothing(1)
	w.same("of a time to come", w.fdName(100, 10), "")
	w.ts += 2 * sec
	w.nothing(1)
	w.nothing(1)
	w.same("gone", w.fdName(100, 10), "<nil>")
	w.s.TakeDescriptor(999, 8, 1, nil, 0)
	w.s.TakeDescriptor(100, 77, 1, nil, 0)
	w.same("nothing is open", w.s.fdAsks.open(), false)
	w.check()
}

// Questions wait while he who answers has enough of them, and those that have become
// pointless are not put.
func TestAskFDMany(t *testing.T) {
	w := newAsker(t, Options{Budget: Budget{Time: -1}})
	tbl := w.s.tableOf(w.s.Lookup(100))
	for n := int64(10); n < 10+2*maxFDAsked; n++ {
		w.s.askFD(tbl, 100, n, 0)
	}
	w.same("out", len(w.asked), maxFDAsked)
	w.do(closed(100, 10+maxFDAsked, 0))
	w.nothing(1)
	w.asked = nil
	w.busy = true
	w.s.TakeDescriptor(100, 10, 1, passed(10), 0)
	w.same("refused", len(w.asked), 0)
	w.busy = false
	w.nothing(1)
	w.nothing(1)
	w.same("the next", w.asked, []Ask{{Kind: AskFD, Tid: 100, FD: 11 + maxFDAsked, Num: 2 + maxFDAsked}})
	for range 2 * maxFDAsked {
		w.s.MissDescriptor(0)
	}
	w.same("all put", len(w.asked), maxFDAsked-1)
	w.same("none lost", w.s.Stats().AsksLost, 0)
	for range maxFDQuestions + 2*maxFDAsked {
		w.s.askFD(tbl, 100, 9, 0)
	}
	w.same("too many", w.s.Stats().AsksLost > 0, true)
	w.same("no more than that", len(w.s.fdAsks.waiting) <= maxFDQuestions, true)
	w.check()
}

// passed is what /proc tells of a descriptor of that number.
func passed(n int64) *procfs.FD {
	return &procfs.FD{Num: n, Kind: procfs.File, Name: fmt.Sprint("/passed", n), Ino: 5, Flags: hostCloexec}
}
