// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/falco-go/falco/pkg/driver"
	"github.com/falco-go/falco/pkg/schema"
)

var limited = []check{
	{"limits", limits},
	{"limits/arguments", arguments},
}

const truncated, fault = schema.ABIRecTruncated, schema.ABIRecFault

func flagged(t *T, what string, r *record, flags uint32) {
	if r.flags != flags {
		t.Errorf("%s: flags %#x, not %#x", what, r.flags, flags)
	}
}

func limits(t *T) {
	c := &consumer{rows: []string{"poll", "writev", "readv", "write", "openat"}, config: driver.Config{Snaplen: 65000}}
	f := see(t, c, "limits")
	tid := f.int(t, "tid")

	polls := c.of(tid, schema.PollX)
	if len(polls) != 2 {
		t.Fatalf("%d polls", len(polls))
	}
	list := func(r *record) (n int, last int64) {
		b := r.bytes("fds")
		n = int(binary.LittleEndian.Uint16(b))
		if len(b) != 2+10*n {
			t.Fatalf("%d descriptors in %d bytes", n, len(b))
		}
		return n, int64(binary.LittleEndian.Uint64(b[len(b)-10:]))
	}
	if n, last := list(polls[0]); n != 4096 || last < 3 {
		t.Errorf("poll: %d descriptors, the last %d", n, last)
	}
	flagged(t, "poll", polls[0], 0)
	if n, _ := list(polls[1]); n < 6000 || n > 6500 {
		t.Errorf("a larger poll: %d descriptors", n)
	}
	flagged(t, "a larger poll", polls[1], truncated)

	v := c.of(tid, schema.WritevX)
	if len(v) != 2 {
		t.Fatalf("%d writev", len(v))
	}
	v[0].want(t, "writev", "res", 1024, "size", 1024, "data", []byte(strings.Repeat("v", 1024)))
	flagged(t, "writev", v[0], 0)
	v[1].want(t, "writev of too many", "res", -22, "size", 1024, "data", []byte(strings.Repeat("v", 1024)))
	flagged(t, "writev of too many", v[1], truncated)
	if r := c.of(tid, schema.ReadvX); len(r) != 1 {
		t.Errorf("%d readv", len(r))
	} else {
		r[0].want(t, "readv", "res", 1024, "size", 1024, "data", make([]byte, 1024))
	}
	for _, r := range c.of(tid, schema.WriteX) {
		if r.num("size") == 200000 {
			r.want(t, "write", "res", 200000)
			if n := len(r.bytes("data")); n < 64000 || n > 65000 {
				t.Errorf("write: %d bytes", n)
			}
		}
	}
	n := 0
	for _, r := range c.of(tid, schema.OpenatX) {
		name := r.text("name")
		if !strings.HasPrefix(name, "/ppp") {
			continue
		}
		if len(name) != 4095 || name[4094] != 'p' {
			t.Errorf("open: a name of %d", len(name))
		}
		flagged(t, fmt.Sprint("open ", n), r, []uint32{truncated, 0}[n])
		n++
	}
	if n != 2 {
		t.Errorf("%d long names", n)
	}
}

func arguments(t *T) {
	c := &consumer{rows: []string{"execve"}, config: driver.Config{RingBytes: 16 << 20}}
	f := see(t, c, "arguments")
	word := strings.Repeat("w", 100) + "\x00"
	failed := c.of(f.int(t, "tid"), schema.ExecveX)
	if len(failed) != 4 { // the first is that of the deed itself
		t.Fatalf("%d execs", len(failed))
	}
	failed[1].want(t, "a long one that fails", "res", -2, "exe", "deeds", "env", []byte("A=1\x00"), "filename", "/files/none")
	long := func(what string, b []byte, first string) {
		if !strings.HasPrefix(string(b), first+word+word) || len(b) < 30000 || b[len(b)-1] != 0 || strings.Trim(string(b[len(first):]), "w\x00") != "" {
			t.Errorf("%s: %d bytes: %.30q", what, len(b), b)
		}
	}
	long("a long one that fails", failed[1].bytes("args"), "nothing\x00")
	flagged(t, "a long one that fails", failed[1], truncated)
	failed[2].want(t, "a hole", "res", f.int(t, "hole"), "exe", "one", "args", []byte("three\x00"), "env", []byte(nil))
	flagged(t, "a hole", failed[2], fault)
	failed[3].want(t, "nothing readable", "res", -14, "exe", "<absent>", "args", []byte(nil), "env", []byte(nil), "filename", "<absent>")
	flagged(t, "nothing readable", failed[3], fault)

	args := c.of(f.int(t, "args"), schema.ExecveX)
	env := c.of(f.int(t, "env"), schema.ExecveX)
	if len(args) != 1 || len(env) != 1 {
		t.Fatalf("%d and %d execs", len(args), len(env))
	}
	args[0].want(t, "long arguments", "res", 0, "exe", "deeds", "env", []byte("B=2\x00"), "filename", "/files/deeds",
		"trusted_exepath", "/files/deeds", "comm", "deeds")
	long("long arguments", args[0].bytes("args"), "nothing\x00")
	flagged(t, "long arguments", args[0], truncated)
	env[0].want(t, "long environment", "res", 0, "exe", "deeds", "args", []byte("nothing\x00"), "filename", "/files/deeds",
		"trusted_exepath", "/files/deeds", "comm", "deeds")
	long("long environment", env[0].bytes("env"), "deeds\x00nothing\x00")
	flagged(t, "long environment", env[0], truncated)
}
