// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/falco-go/falco/pkg/driver"
	"github.com/falco-go/falco/pkg/schema"
)

var tracepoints = []check{
	{"signals", signals},
	{"faults", faults},
	{"faults/socketcall", socketcall},
	{"switches", switches},
	{"hooks", hooks},
}

func signals(t *T) {
	c := &consumer{rows: []string{"signal_deliver"}}
	f := see(t, c, "signals")
	self, child, killed := f.int(t, "tid"), f.int(t, "child"), f.int(t, "killed")
	got := c.of(self, schema.SignaldeliverE)
	for i, want := range []struct {
		what string
		sig  int
		spid int64
	}{
		{"TERM from a child", 15, child},
		{"HUP from a child", 1, child},
		{"INT to a thread", 2, child},
		{"USR1 has no sender", 10, 0},
		{"RT with a value", 34, child},
		{"RT of a timer", 35, 0},
		{"TERM of a timer", 15, 0},
		{"ALRM", 14, 0},
		{"SEGV", 11, 0},
		{"CHLD", 17, child},
		{"CHLD of the killed", 17, killed},
	} {
		if i >= len(got) {
			t.Fatalf("%s: no event", want.what)
		}
		got[i].want(t, want.what, "spid", want.spid, "dpid", self, "sig", want.sig)
	}
	if n := len(got); n != 11 {
		t.Errorf("%d signals, not 11", n)
	}
	if got := c.of(killed, schema.SignaldeliverE); len(got) != 1 {
		t.Errorf("%d signals killed a child", len(got))
	} else {
		// Of a fatal signal the kernel keeps no sender.
		got[0].want(t, "KILL", "spid", 0, "dpid", killed, "sig", 9)
	}
}

// faults: the pages that a task touches, and those that the kernel touches for
// it; not those that the module touches.
func faults(t *T) {
	const (
		protection, absent, write, read, user, supervisor, fetch = 1, 2, 4, 8, 0x10, 0x20, 0x80
	)
	c := &consumer{rows: []string{"page_fault_user", "page_fault_kernel", "write"}}
	f := see(t, c, "faults")
	tid := f.int(t, "tid")
	at := func(name string) (rs []*record) {
		for _, r := range c.of(tid, schema.PageFaultE) {
			if r.num("addr") == f.int(t, name) {
				rs = append(rs, r)
			}
		}
		return rs
	}
	for _, want := range []struct {
		name  string
		error int
	}{
		{"written", absent | write | user},
		{"read", absent | read | user},
		{"filled", absent | write | supervisor},
	} {
		got := at(want.name)
		if len(got) != 1 {
			t.Errorf("%s: %d faults", want.name, len(got))
			continue
		}
		got[0].want(t, want.name, "error", want.error)
		if ip := got[0].num("ip"); (ip < 0) != (want.error&supervisor != 0) {
			t.Errorf("%s: at %#x", want.name, ip)
		}
	}
	// The kernel's fault that brought it in, then the task's own.
	if got := at("protected"); len(got) < 2 {
		t.Errorf("protected: %d faults", len(got))
	} else {
		got[len(got)-1].want(t, "protected", "error", protection|write|user)
	}
	if got := at("ours"); len(got) != 0 {
		t.Errorf("%d faults of the module's own", len(got))
	}
	for _, r := range c.of(tid, schema.WriteX) {
		if r.num("size") == 4096 && r.flags&schema.ABIRecFault == 0 {
			t.Errorf("the module had no fault")
		}
	}
}

// socketcall: the kernel cannot read the words of a call, and neither can the module; only the kernel's faults are told.
func socketcall(t *T) {
	const efault = -14
	var faults [2]int
	for i, rows := range [][]string{{"page_fault_kernel"}, {"page_fault_kernel", "connect", "socketcall"}} {
		c := &consumer{rows: rows, filter: driver.Filter{Enter: true}}
		f := see(t, c, "socketcall")
		if f.int(t, "ret") != efault {
			t.Fatalf("the call says %d", f.int(t, "ret"))
		}
		tid := f.int(t, "tid")
		for _, r := range c.of(tid, schema.PageFaultE) {
			if r.num("addr")&^0xfff == f.int(t, "nowhere") {
				faults[i]++
			}
		}
		if n := len(c.of(tid, schema.GenericX)); n != i {
			t.Errorf("%d generic events, not %d", n, i)
		}
	}
	if faults[0] == 0 || faults[1] != faults[0] {
		t.Errorf("%d faults of the kernel's, %d with the module's", faults[0], faults[1])
	}
}

// switches: two threads on one CPU hand a byte to and fro.
func switches(t *T) {
	c := &consumer{rows: []string{"sched_switch"}, config: driver.Config{RingBytes: 32 << 20}}
	f := see(t, c, "switches")
	a, b, rounds := f.int(t, "tid"), f.int(t, "other"), int(f.int(t, "rounds"))
	for _, x := range []struct{ from, to int64 }{{a, b}, {b, a}} {
		n := 0
		for _, r := range c.of(x.from, schema.SwitchE) {
			if r.num("next") != x.to || r.num("vm_size") == 0 { // it ends, and has no memory any more
				continue
			}
			n++
			if r.num("vm_size") < 100 || r.num("vm_size") > 1<<20 || r.num("pgft_min") <= 0 || r.num("vm_swap") != 0 ||
				r.num("pgft_maj") == none || r.num("vm_rss") == none {
				t.Fatalf("size %d, minor faults %d, swap %d", r.num("vm_size"), r.num("pgft_min"), r.num("vm_swap"))
			}
		}
		if n < rounds/2 {
			t.Errorf("%d switches from %d to %d in %d rounds", n, x.from, x.to, rounds)
		}
	}
	// A CPU without work: its task has no memory to tell of.
	idle := c.of(0, schema.SwitchE)
	if len(idle) == 0 {
		t.Fatalf("no switch from an idle task")
	}
	idle[0].want(t, "idle", "vm_size", 0, "vm_rss", 0, "vm_swap", 0)
}

// hooks: who wants no system calls does not pay for them.
func hooks(t *T) {
	for _, want := range []struct {
		rows  []string
		calls bool
	}{
		{[]string{"sched_process_exit"}, false},
		{[]string{"signal_deliver"}, false},
		{[]string{"sched_process_exit", "close"}, true},
	} {
		c := &consumer{rows: want.rows}
		f := see(t, c, "getpid")
		if n := int64(c.stats.Hooks); (n >= f.int(t, "calls")) != want.calls {
			t.Errorf("%v: %d calls of hooks", want.rows, n)
		}
	}
}
