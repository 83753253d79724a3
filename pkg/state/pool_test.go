// SPDX-License-Identifier: Apache-2.0

package state

import (
	"testing"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/procfs"
	"github.com/falco-go/falco/pkg/schema"
)

// A process that comes and goes and opens a file finds the records of one that went before.
func TestProcessesAreRecycled(t *testing.T) {
	s := New(Options{})
	s.Seed(&procfs.Task{ReadAt: 1, Tid: 10, Pid: 10, PPid: 1, NSTid: 10, NSPid: 10, Comm: "sh", Exe: "sh", ExePath: "/bin/sh", Cwd: "/", Root: "/", FDLimit: 1024})
	s.Seeded()
	clone := func(tid, res int64) *eventtest.Builder {
		return eventtest.New(schema.CloneX).Tid(tid).Set("res", res).Set("exe", "sh").Set("tid", tid).Set("pid", tid).Set("ptid", 10).Set("comm", "sh").
			Set("vtid", tid).Set("vpid", tid)
	}
	var events []*event.Event
	for i, b := range []*eventtest.Builder{
		clone(10, 20), clone(20, 0),
		eventtest.New(schema.OpenatE).Tid(20).Set("dirfd", -100).Set("name", "/etc/hosts").Set("flags", schema.ORdonly),
		eventtest.New(schema.OpenatX).Tid(20).Set("fd", 3).Set("dirfd", -100).Set("name", "/etc/hosts").Set("flags", schema.ORdonly),
		eventtest.New(schema.ProcexitE).Tid(20).Set("status", 0).Set("ret", 0).Set("sig", 0).Set("core", 0),
	} {
		events = append(events, b.TS(uint64(5e9)+uint64(i)*1e6).Event())
	}
	cycle := func() {
		for _, ev := range events {
			ev.TS += 20e9
			s.Apply(ev)
			s.Settle()
		}
	}
	cycle()
	held := s.bytes
	if n := testing.AllocsPerRun(1000, cycle); n != 0 {
		t.Errorf("a process costs %v allocations", n)
	}
	if st := s.Stats(); st.Threads != 1 || st.FDs != 0 || st.ThreadsRemoved < 1000 || s.bytes != held {
		t.Errorf("%d threads, %d descriptors, %d gone, %d bytes after %d", st.Threads, st.FDs, st.ThreadsRemoved, s.bytes, held)
	}
	if err := s.consistent(); err != nil {
		t.Error(err)
	}
}
