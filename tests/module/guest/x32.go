// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/falco-go/falco/pkg/schema"
)

var x32 = []check{
	{"x32", x32Calls},
	{"ids", ids},
}

// ids: who asks for uid 65545 in a call that takes 16 bits becomes 9, and that is told.
func ids(t *T) {
	c := &consumer{rows: []string{"setuid", "setresuid", "setreuid", "getrlimit"}}
	f := see(t, c, "ids")
	tid := f.int(t, "tid")
	if f.int(t, "limit") < 0 {
		t.Fatalf("no 32-bit calls on this kernel: %v", f)
	}
	one := func(typ schema.EventType, n int) []*record {
		rs := c.of(tid, typ)
		if len(rs) != n {
			t.Fatalf("%d %s", len(rs), typ.Info().ID)
		}
		return rs
	}
	for i, r := range one(schema.GetrlimitX, 2) {
		r.want(t, fmt.Sprint("limit ", i), "res", 0, "cur", -1, "max", -1)
	}
	one(schema.SetresuidX, 1)[0].want(t, "setresuid", "res", f.int(t, "setresuid"), "ruid", 7, "euid", 8, "suid", 9)
	one(schema.SetuidX, 1)[0].want(t, "setuid", "res", f.int(t, "root"), "uid", 9)
	one(schema.SetreuidX, 1)[0].want(t, "setreuid", "res", f.int(t, "none"), "ruid", 0xffffffff, "euid", 7)
	if f.int(t, "euid") != 9 {
		t.Errorf("the kernel has changed its mind: euid %d", f.int(t, "euid"))
	}
}

// x32Calls: the interface that is there or not, depending on the kernel; calls
// of it are told in any case, under the names of their 64-bit twins.
func x32Calls(t *T) {
	c := &consumer{}
	for i := range schema.Syscalls {
		switch sc := &schema.Syscalls[i]; sc.Name {
		case "sched_switch", "page_fault_user", "page_fault_kernel", "signal_deliver":
		default:
			c.filter.Syscalls = append(c.filter.Syscalls, sc.Code)
		}
	}
	f := see(t, c, "x32")
	tid := f.int(t, "tid")
	last := func(typ schema.EventType) *record {
		rs := c.of(tid, typ)
		if len(rs) == 0 {
			t.Fatalf("no %s", typ.Info().ID)
		}
		return rs[len(rs)-1]
	}
	const text = "0123456789more"
	last(schema.OpenatX).want(t, "openat", "fd", f.int(t, "openat"), "name", realFile, "dirfd", -100)
	writes := c.of(tid, schema.WritevX)
	if len(writes) != 2 {
		t.Fatalf("%d writev", len(writes))
	}
	writes[0].want(t, "writev", "res", f.int(t, "writev"), "fd", f.int(t, "file"), "size", len(text), "data", []byte(text))
	writes[1].want(t, "writev without the bit", "res", f.int(t, "own"), "size", 10, "data", []byte(text[:10]))
	r := last(schema.PreadvX)
	r.want(t, "preadv", "res", f.int(t, "preadv"), "fd", f.int(t, "file"), "pos", 2)
	if f.int(t, "preadv") > 0 {
		r.want(t, "preadv", "data", []byte("23456789mo"))
	}
	last(schema.SendmsgX).want(t, "sendmsg", "res", f.int(t, "sendmsg"), "fd", f.int(t, "pair"), "size", len(text), "data", []byte(text))
	last(schema.ExecveX).want(t, "execve", "res", f.int(t, "execve"), "exe", "0123456789", "args", []byte("more\x00"), "filename", "/files/none")
	generic := c.of(tid, schema.GenericX)
	seen := map[int64]bool{}
	for _, r := range generic {
		seen[r.num("nativeID")] = true
	}
	if !seen[999] {
		t.Errorf("an unknown number: %v", seen)
	}
	fmt.Printf("\tx32 is there: %v\n", f.int(t, "openat") >= 0)
}
