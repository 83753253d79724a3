// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"github.com/falco-go/falco/pkg/driver"
	"github.com/falco-go/falco/pkg/schema"
)

var lies = []check{
	{"links", links},
	{"links/unasked", linksUnasked},
	{"swap", swap},
	{"unserved", unserved},
}

const (
	realFile = "/tmp/deed.real"
	fakeFile = "/tmp/deed.fake"
)

func (r *record) realpath() string {
	p, ok := r.Realpath()
	if !ok {
		return "-"
	}
	return string(p)
}

// links: whatever a file is called, the kernel says where it is.
func links(t *T) {
	c := &consumer{rows: []string{"open", "openat", "openat2", "creat"}, filter: driver.Filter{Realpath: true, Enter: true}}
	see(t, c, "links")
	names := map[string]bool{}
	opened := 0
	for i := range c.records {
		r := &c.records[i]
		switch r.Type {
		case schema.OpenX, schema.OpenatX, schema.Openat2X, schema.CreatX:
		default:
			if r.Ext() != nil {
				t.Errorf("%s has an extension", r.Info.ID)
			}
			continue
		}
		name := r.text("name")
		switch {
		case r.num("fd") < 0:
			if r.Ext() != nil || r.flags&schema.ABIRecExt != 0 {
				t.Errorf("%s failed and has an extension", name)
			}
		case strings.Contains(name, "deed.real") || strings.Contains(name, "deed.link"):
			opened++
			names[r.Info.ID+" "+name] = true
			if r.realpath() != realFile {
				t.Errorf("%s %s is %s", r.Info.ID, name, r.realpath())
			}
		case name == "end":
			if want := "/tmp/deed.dir" + strings.Repeat("/"+strings.Repeat("d", 200), 30) + "/end"; r.realpath() != want {
				t.Errorf("the deep one is %d bytes: %s…", len(r.realpath()), r.realpath()[:min(len(r.realpath()), 20)])
			}
			names[name] = true
		case r.realpath() == "-":
			t.Errorf("%s %s has no path", r.Info.ID, name)
		}
	}
	if len(names) != 10 || opened < 10 {
		t.Errorf("%d openings by %d names: %v", opened, len(names), names)
	}
}

// linksUnasked: two consumers, one of which asked; alone, nobody gets it.
func linksUnasked(t *T) {
	a := &consumer{rows: []string{"openat"}}
	see(t, a, "links")
	for i := range a.records {
		if a.records[i].Ext() != nil {
			t.Fatalf("%s tells unasked", a.records[i].text("name"))
		}
	}
	b, c := &consumer{rows: []string{"openat"}}, &consumer{rows: []string{"openat"}, filter: driver.Filter{Realpath: true}}
	watch(t, []*consumer{b, c}, "links")
	if len(b.records) == 0 || len(c.records) == 0 {
		t.Fatalf("%d and %d events", len(b.records), len(c.records))
	}
	for i := range c.records {
		if r := &c.records[i]; r.num("fd") >= 0 && r.Ext() == nil {
			t.Fatalf("%s does not tell", r.text("name"))
		}
	}
}

// swap: while another thread changes the names, what the kernel did is told all
// the same: by dev and inode, path and tuple of its own objects.
func swap(t *T) {
	c := &consumer{rows: []string{"openat", "connect", "getpeername", "execve"}, config: driver.Config{RingBytes: 16 << 20},
		filter: driver.Filter{Realpath: true, Enter: true}}
	f := see(t, c, "swap")
	tid := f.int(t, "tid")
	file := map[int64]string{f.int(t, "real"): realFile, f.int(t, "fake"): fakeFile}
	opened, lied, enter := 0, 0, 0
	var last string
	for i := range c.records {
		r := &c.records[i]
		if r.Tid != tid {
			continue
		}
		switch r.Type {
		case schema.OpenatE:
			last = r.text("name")
		case schema.OpenatX:
			name := r.text("name")
			if r.num("fd") < 0 || !strings.HasPrefix(name, "/tmp/deed.") {
				continue
			}
			path, known := file[r.num("ino")]
			if !known {
				continue
			}
			opened++
			if r.realpath() != path {
				t.Errorf("inode %d is %s, the path %s", r.num("ino"), path, r.realpath())
			}
			if name != path {
				lied++
				if last == path {
					enter++
				}
			}
		}
	}
	if int64(opened) < f.int(t, "opened") {
		t.Errorf("%d openings, %d seen", f.int(t, "opened"), opened)
	}
	connects := 0
	for _, r := range c.of(tid, schema.ConnectX) {
		if r.num("res") != 0 {
			continue
		}
		connects++
		if to := r.tuple(); !strings.HasSuffix(to, ":7001") && !strings.HasSuffix(to, ":7002") {
			t.Errorf("connected %s", to)
		}
	}
	if connects != 200 {
		t.Errorf("%d of 200 connects", connects)
	}
	execs := 0
	for i := range c.records {
		r := &c.records[i]
		if r.Type != schema.ExecveX || r.num("res") != 0 || !strings.HasPrefix(r.text("filename"), "/tmp/deed.") {
			continue
		}
		execs++
		want := map[string]string{realFile: "/files/deeds", fakeFile: "/files/guest"}[r.text("filename")]
		if got := r.text("trusted_exepath"); got != want && r.text("filename") != "" {
			t.Errorf("%s ran %s", r.text("filename"), got)
		}
	}
	if execs < 10 {
		t.Errorf("%d of 30 execs", execs)
	}
	fmt.Printf("\t%d openings, %d of them under another name afterwards, of which %d had the true one before; %d execs\n", opened, lied, enter, execs)
}

// unserved: a fault that nobody serves costs the value, not the event.
func unserved(t *T) {
	c := &consumer{rows: []string{"openat", "write", "writev", "sched_process_exit"}, filter: driver.Filter{Enter: true}, config: driver.Config{Snaplen: 4000}}
	f := see(t, c, "unserved")
	tid := f.int(t, "tid")
	seen := 0
	for _, r := range c.of(tid, schema.OpenatX) {
		if r.text("name") == realFile && r.flags == 0 && r.num("flags")&4 == 0 {
			seen++
		}
	}
	if seen != 1 {
		t.Errorf("the string before the hole: %d", seen)
	}
	seen = 0
	for _, r := range c.of(tid, schema.WriteX) {
		if r.num("size") == 2000 {
			seen++
			r.want(t, "write", "res", 2000, "data", []byte("eed.real\x00\x00"))
			if r.flags != schema.ABIRecFault {
				t.Errorf("write: flags %#x", r.flags)
			}
		}
	}
	if seen != 1 {
		t.Errorf("the write into the hole: %d", seen)
	}
	for _, r := range c.of(tid, schema.WritevX) {
		r.want(t, "writev", "res", 16, "size", 16, "data", []byte("abc"))
		if r.flags != schema.ABIRecFault {
			t.Errorf("writev: flags %#x", r.flags)
		}
	}
	waits := f.int(t, "waits")
	if e := c.of(waits, schema.OpenatE); len(e) != 1 || e[0].text("name") != "<absent>" || e[0].flags != schema.ABIRecFault {
		t.Errorf("the enter event of the call that waits: %d", len(e))
	}
	if x := c.of(waits, schema.OpenatX); len(x) > 1 {
		t.Errorf("%d exits of the call that waits", len(x))
	}
	if e := c.of(waits, schema.ProcexitE); len(e) != 1 {
		t.Errorf("%d ends of the process that waited", len(e))
	}
}
