// SPDX-License-Identifier: Apache-2.0

package state

import (
	"testing"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/procfs"
	"github.com/falco-go/falco/pkg/schema"
)

// loop is a world whose events are made once, as a ring hands them in.
type loop struct {
	s      *State
	events []*event.Event
	ts     uint64
}

func newLoop(tb testing.TB, builders ...*eventtest.Builder) *loop {
	tb.Helper()
	l := &loop{s: New(Options{Machine: Machine{BootTime: boot}}), ts: begin}
	l.s.Seed(task(1, 1, 0, "systemd", nil))
	l.s.Seed(task(100, 100, 1, "bash", func(k *procfs.Task) {
		k.Cwd = "/root"
		for n := range int64(10) {
			k.FDs = append(k.FDs, procfs.FD{Num: n, Kind: procfs.File, Name: "/dev/pts/0"})
		}
	}))
	l.s.Seeded()
	for _, b := range builders {
		l.events = append(l.events, b.Event())
	}
	for range 3000 { // threads, pools and caches find their size
		l.round()
	}
	return l
}

func (l *loop) round() {
	for _, ev := range l.events {
		l.ts += 1000
		ev.TS = l.ts
		l.s.Apply(ev)
		l.s.Settle()
	}
}

// families are rounds of events after which the tables are as before.
var families = []struct {
	name   string
	allocs float64 // that a round may make
	events func() []*eventtest.Builder
}{
	{"io", 0, func() []*eventtest.Builder {
		return []*eventtest.Builder{write(100, 1, 5), call(schema.ReadX, 100, "res", 5, "fd", 3), write(100, 77, -9)}
	}},
	{"unrelated", 0, func() []*eventtest.Builder {
		return []*eventtest.Builder{call(schema.GenericX, 100, "ID", 3), call(schema.MmapX, 100, "res", 5, "vm_size", 7)}
	}},
	{"path", 0, func() []*eventtest.Builder {
		return []*eventtest.Builder{
			call(schema.OpenatE, 100, "dirfd", atCwd, "name", "../etc/passwd", "flags", 1),
			openat(100, atCwd, "../etc/passwd", schema.ORdonly|schema.OCloexec, 15), closed(100, 15, 0),
			call(schema.ChdirX, 100, "res", 0, "path", "/srv/www"), call(schema.ChdirX, 100, "res", 0, "path", "/root"),
		}
	}},
	{"dup", 0, func() []*eventtest.Builder {
		return []*eventtest.Builder{
			call(schema.Dup2X, 100, "res", 20, "oldfd", 1, "newfd", 20), closed(100, 20, 0),
			call(schema.FcntlX, 100, "res", 0, "fd", 1, "cmd", schema.FSetfd, "arg", 1),
			call(schema.FcntlX, 100, "res", 0, "fd", 1, "cmd", schema.FSetfd, "arg", 0),
			call(schema.PipeX, 100, "res", 0, "fd1", 20, "fd2", 21, "ino", 7), closed(100, 20, 0), closed(100, 21, 0),
		}
	}},
	{"socket", 0, func() []*eventtest.Builder {
		return []*eventtest.Builder{
			call(schema.SocketX, 100, "fd", 12, "domain", 2, "type", 1, "proto", 0),
			call(schema.ConnectE, 100, "fd", 12, "addr", addr("1.2.3.4:443")),
			call(schema.ConnectX, 100, "res", 0, "tuple", tuple("10.0.0.5:4000", "1.2.3.4:443"), "fd", 12, "addr", addr("1.2.3.4:443")),
			sendto(5, 12, "10.0.0.5:4000", "1.2.3.4:443"),
			call(schema.RecvfromX, 100, "res", 5, "fd", 12, "tuple", tuple("1.2.3.4:443", "10.0.0.5:4000")),
			closed(100, 12, 0),
		}
	}},
	{"accept", 0, func() []*eventtest.Builder {
		return []*eventtest.Builder{
			call(schema.Accept4X, 100, "fd", 12, "tuple", tuple("10.0.0.9:5000", "10.0.0.5:8080")),
			call(schema.ReadX, 100, "res", 5, "fd", 12), write(100, 12, 5), closed(100, 12, 0),
		}
	}},
	{"cred", 0, func() []*eventtest.Builder {
		return []*eventtest.Builder{
			call(schema.SetuidX, 100, "res", 0, "uid", 1000), call(schema.SetresuidX, 100, "res", 0, "ruid", 0, "euid", 0, "suid", 0),
			call(schema.SetsidX, 100, "res", 100),
		}
	}},
	{"ipc", 0, func() []*eventtest.Builder {
		return []*eventtest.Builder{
			call(schema.Eventfd2X, 100, "res", 20), closed(100, 20, 0), call(schema.TimerfdCreateX, 100, "res", 20), closed(100, 20, 0),
			call(schema.EpollCreate1X, 100, "res", 20), closed(100, 20, 0), call(schema.MemfdCreateX, 100, "fd", 20, "name", "m"), closed(100, 20, 0),
			call(schema.PidfdOpenX, 100, "fd", 20, "pid", 1), closed(100, 20, 0),
		}
	}},
	{"memory", 0, func() []*eventtest.Builder {
		return []*eventtest.Builder{
			call(schema.MmapX, 100, "res", 5, "vm_size", 7), call(schema.MunmapX, 100, "res", 0, "vm_size", 6), call(schema.BrkX, 100, "vm_size", 5),
			call(schema.PrlimitX, 100, "res", 0, "newcur", 64, "pid", 0, "resource", rlimitNofile),
		}
	}},
	{"mount", 0, func() []*eventtest.Builder {
		return []*eventtest.Builder{call(schema.ChrootX, 100, "res", 0, "path", "/"), call(schema.UnshareX, 100, "res", 0, "flags", schema.CloneNewns)}
	}},
	{"kernel", 0, func() []*eventtest.Builder {
		return []*eventtest.Builder{call(schema.BpfX, 100, "fd", 20, "cmd", schema.BpfMapCreate), closed(100, 20, 0)}
	}},
	{"process", 0, func() []*eventtest.Builder {
		return []*eventtest.Builder{
			call(schema.PrctlX, 100, "res", 0, "option", prSetSubreaper, "arg2_int", 1), call(schema.SetpgidX, 100, "res", 0, "pid", 0, "pgid", 100),
			call(schema.SwitchE, 100, "next", 1),
		}
	}},
	// A record, which its group takes in.
	{"thread-exit", 4, func() []*eventtest.Builder {
		return []*eventtest.Builder{
			made(schema.CloneX, 100, 101, 100, 1, threadFlags), made(schema.CloneX, 101, 0, 100, 1, threadFlags), exits(101, 0),
		}
	}},
	// A record and its group; the caller's own table, which it shared with the child.
	{"fork-exec-exit", 16, func() []*eventtest.Builder {
		return []*eventtest.Builder{
			made(schema.CloneX, 100, 200, 100, 1, 0), made(schema.CloneX, 200, 0, 200, 100, 0),
			execve(200, "ls", "ls", []string{"-l", "/tmp"}, "env", []string{"HOME=/root", "PATH=/bin"}, "trusted_exepath", "/usr/bin/ls"),
			exits(200, 0),
		}
	}},
}

func TestAllocations(t *testing.T) {
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			l := newLoop(t, f.events()...)
			if got := testing.AllocsPerRun(200, l.round); got > f.allocs {
				t.Errorf("a round allocates %v times, may %v", got, f.allocs)
			}
			if err := l.s.consistent(); err != nil {
				t.Error(err)
			}
		})
	}
}

func BenchmarkApply(b *testing.B) {
	for _, f := range families {
		b.Run(f.name, func(b *testing.B) {
			l := newLoop(b, f.events()...)
			b.ReportAllocs()
			for b.Loop() {
				l.round()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(l.events)), "ns/event")
		})
	}
}

// A fork bomb against a full table, and a process that opens without end.
func BenchmarkLimits(b *testing.B) {
	b.Run("threads", func(b *testing.B) {
		l := newLoop(b)
		l.s.limits.Threads = 10_000
		fork := made(schema.ForkX, 200, 0, 200, 100, 0).Event()
		b.ReportAllocs()
		for tid := int64(1000); b.Loop(); tid++ {
			l.ts += 1000
			fork.TS, fork.Tid = l.ts, tid
			l.s.Apply(fork)
			l.s.Settle()
		}
	})
	b.Run("descriptors", func(b *testing.B) {
		l := newLoop(b)
		var events []*event.Event
		for n := range 8192 {
			events = append(events, openat(100, atCwd, "/x", 1, n).Event())
		}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			l.s.Apply(events[i%len(events)])
			l.s.Settle()
		}
	})
}
