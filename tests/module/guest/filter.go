// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"strconv"

	"github.com/falco-go/falco/pkg/driver"
	"github.com/falco-go/falco/pkg/schema"
)

var filters = []check{
	{"filter/kinds", kinds},
	{"filter/success", success},
	{"filter/several", several},
	{"filter/ignored", ignored},
}

var kindNames = map[string]uint32{
	"regular": schema.ABIFdRegular, "directory": schema.ABIFdDirectory, "char": schema.ABIFdChar, "pipe": schema.ABIFdPipe,
	"unix": schema.ABIFdUnix, "inet": schema.ABIFdInet, "anon": schema.ABIFdAnon, "none": schema.ABIFdNone, "socket": schema.ABIFdSocket,
}

// kinds: a consumer for each kind of descriptor, one for two of them, one for none and one for all.
func kinds(t *T) {
	var cs []*consumer
	var names []string
	add := func(name string, kinds uint32, calls ...schema.SyscallCode) {
		names = append(names, name)
		cs = append(cs, &consumer{rows: []string{"read", "close"}, config: driver.Config{RingBytes: 1 << 20},
			filter: driver.Filter{FDKinds: kinds, FDSyscalls: calls}})
	}
	for name, kind := range kindNames {
		add(name, kind, row("read"))
	}
	add("two", schema.ABIFdPipe|schema.ABIFdUnix, row("read"))
	add("nothing", 0, row("read"))
	add("all", 0)
	f := watch(t, cs, "kinds")
	tid := f.int(t, "tid")
	closes := -1
	for i, c := range cs {
		seen := map[int64]bool{}
		for _, r := range c.of(tid, schema.ReadX) {
			seen[r.num("fd")] = true
		}
		for name, kind := range kindNames {
			want := names[i] == "all" || c.filter.FDKinds&kind != 0
			if fd := f.int(t, name); seen[fd] != want {
				t.Errorf("for %s: read of the %s: %v", names[i], name, seen[fd])
			}
		}
		// Calls that the kinds are not for are told in any case.
		if n := len(c.of(tid, schema.CloseX)); closes >= 0 && n != closes || n == 0 {
			t.Errorf("for %s: %d closes, not %d", names[i], n, closes)
		} else {
			closes = n
		}
	}
}

// success: calls that failed are no events, and none of the books knows them.
func success(t *T) {
	rows := []string{"openat", "close", "fchmod"}
	c := &consumer{rows: rows, filter: driver.Filter{SuccessOnly: true}}
	see(t, c, "failures")
	if len(c.records) == 0 {
		t.Errorf("no event at all")
	}
	for i := range c.records {
		if r := &c.records[i]; r.num(r.Info.Params[0].Name) < 0 {
			t.Fatalf("%s returned %d", r.Info.ID, r.num(r.Info.Params[0].Name))
		}
	}
	all := &consumer{rows: rows}
	some := &consumer{rows: rows, filter: driver.Filter{SuccessOnly: true}}
	f := watch(t, []*consumer{all, some}, "failures")
	if n := int(f.int(t, "calls")); len(all.records) < 3*n || len(some.records) >= n {
		t.Errorf("%d events, %d without those that failed", len(all.records), len(some.records))
	}
}

// several: each gets what it wants, in its own order and numbers, whatever the others want.
func several(t *T) {
	a := &consumer{rows: []string{"openat"}}
	b := &consumer{rows: []string{"close", "fchmod"}}
	c := &consumer{rows: []string{"openat", "close"}, filter: driver.Filter{SuccessOnly: true, Enter: true}}
	d := &consumer{rows: []string{"openat", "close", "fchmod"}, config: driver.Config{RingBytes: 64 << 10}}
	e := &consumer{rows: []string{"sched_process_exit"}}
	f := watch(t, []*consumer{a, b, c, d, e}, "failures")
	tid, n := f.int(t, "tid"), int(f.int(t, "calls"))
	count := func(c *consumer, typ schema.EventType) int { return len(c.of(tid, typ)) }
	if count(a, schema.OpenatX) < n || len(a.of(tid, schema.CloseX)) != 0 || count(a, schema.OpenatE) != 0 {
		t.Errorf("a: %d, %d, %d", count(a, schema.OpenatX), count(a, schema.CloseX), count(a, schema.OpenatE))
	}
	if count(b, schema.OpenatX) != 0 || count(b, schema.CloseX) < n || count(b, schema.FchmodX) != n {
		t.Errorf("b: %d, %d, %d", count(b, schema.OpenatX), count(b, schema.CloseX), count(b, schema.FchmodX))
	}
	if count(c, schema.OpenatX) >= n || count(c, schema.OpenatE) < n || count(c, schema.FchmodX) != 0 {
		t.Errorf("c: %d, %d, %d", count(c, schema.OpenatX), count(c, schema.OpenatE), count(c, schema.FchmodX))
	}
	if d.stats.Lost.Full == 0 {
		t.Errorf("d lost nothing: %+v", d.stats)
	}
	if len(e.of(tid, schema.ProcexitE)) != 1 || len(e.records) > 20 {
		t.Errorf("e: %d ends, %d events", len(e.of(tid, schema.ProcexitE)), len(e.records))
	}
}

// ignored: our own threads are left out, and told to somebody who does not leave them out.
func ignored(t *T) {
	ours := func(c *consumer) (n int) {
		for i := range c.records {
			if _, err := os.Stat("/proc/self/task/" + strconv.FormatInt(c.records[i].Tid, 10)); err == nil {
				n++
			}
		}
		return n
	}
	rows := []string{"read", "openat", "futex", "wait4", "clone", "clone3", "vfork", "pipe2", "mmap", "close", "waitid"}
	a, b := &consumer{rows: rows}, &consumer{rows: rows, everybody: true}
	watch(t, []*consumer{a, b}, "getpid")
	if n, m := ours(a), ours(b); n != 0 || m == 0 {
		t.Errorf("%d events of our own, %d for who wants them", n, m)
	}
}
