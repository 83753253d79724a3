// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"github.com/falco-go/falco/pkg/driver"
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/schema"
)

var network = []check{
	{"messages", messages},
	{"messages/full", messagesFull},
	{"messages/vectors", vectors},
	{"sendto", sendto},
}

// tuple is how a parameter reads: from>to.
func (r *record) tuple() string {
	for i, p := range r.Info.Params {
		if p.Type != schema.TypeSockTuple {
			continue
		}
		t, ok := event.ParseTuple(r.Param(i))
		switch {
		case r.Param(i) == nil:
			return "-"
		case !ok:
			return "bad"
		case t.Family == event.FamilyUnix:
			return "unix:" + t.Path
		}
		return fmt.Sprintf("%v>%v", t.Src, t.Dst)
	}
	panic(r.Info.ID + " has no tuple")
}

// text of message i of deeds/net.c.
func messageText(i int) string { return fmt.Sprintf("%04d%056d", i, i)[:i%50+1] }

// messages: an event for each one that went, none for those that didn't.
func messages(t *T) {
	c := &consumer{rows: []string{"sendmmsg", "recvmmsg"}}
	f := see(t, c, "messages")
	tid, out, in := f.int(t, "tid"), f.int(t, "out"), f.int(t, "in")
	sent := c.of(tid, schema.SendmmsgX)
	if f.int(t, "sent") != 1024 || f.int(t, "partial") != 2 || f.int(t, "none") != -1 || f.int(t, "zero") != 0 {
		t.Fatalf("the kernel sent otherwise: %v", f)
	}
	if len(sent) != 1024+2+1+1 {
		t.Fatalf("%d events", len(sent))
	}
	for i, r := range sent[:1026] {
		n := i % 1024
		text := messageText(n)
		r.want(t, fmt.Sprint("sent ", i), "res", len(text), "fd", out, "size", len(text), "data", []byte(text))
		if got, want := r.tuple(), fmt.Sprintf("127.0.0.1:4999>127.0.0.1:%d", 5000+n%2); got != want {
			t.Errorf("sent %d: %s, not %s", i, got, want)
		}
		if r.flags != 0 {
			t.Errorf("sent %d: flags %#x", i, r.flags)
		}
	}
	sent[1026].want(t, "unreadable", "res", -14, "fd", out, "size", 0, "data", []byte(nil))
	sent[1027].want(t, "none", "res", 0, "fd", out, "size", 0, "data", []byte(nil))

	got := c.of(tid, schema.RecvmmsgX)
	if f.int(t, "received") != 20 || len(got) < 20 {
		t.Fatalf("%d received, %d events", f.int(t, "received"), len(got))
	}
	for i, r := range got[:20] {
		text := messageText(2 * i)[:i+1] // the even ones come here, and find room for that much
		r.want(t, fmt.Sprint("received ", i), "res", len(text), "fd", in, "size", len(text), "data", []byte(text))
		if got := r.tuple(); got != "127.0.0.1:4999>127.0.0.1:5000" {
			t.Errorf("received %d: %s", i, got)
		}
	}
	got[len(got)-1].want(t, "nothing more", "res", -11, "fd", in, "size", 0, "data", []byte(nil), "msgcontrol", []byte(nil))
}

// messagesFull: what does not fit the ring is lost one by one (finish balances).
func messagesFull(t *T) {
	c := &consumer{rows: []string{"sendmmsg", "recvmmsg"}, config: driver.Config{RingBytes: 64 << 10}}
	see(t, c, "messages")
	if c.stats.Lost.Full == 0 || c.stats.Produced < 1028 {
		t.Errorf("%+v", c.stats)
	}
}

// vectors: one long vector is told whole, a thousand of them are cut and say so.
func vectors(t *T) {
	c := &consumer{rows: []string{"sendmmsg"}, config: driver.Config{Snaplen: 2000}}
	f := see(t, c, "vectors")
	got := c.of(f.int(t, "tid"), schema.SendmmsgX)
	if len(got) != int(f.int(t, "one")+f.int(t, "all")) || len(got) < 100 {
		t.Fatalf("%d events: %v", len(got), f)
	}
	got[0].want(t, "one", "res", 1024, "size", 1024, "data", []byte(strings.Repeat("v", 1024)))
	if got[0].flags != 0 {
		t.Errorf("one: flags %#x", got[0].flags)
	}
	for _, r := range got[1:] {
		if n := r.num("size"); r.num("res") != 1024 || n < 8 || n >= 1024 || r.flags&schema.ABIRecTruncated == 0 {
			t.Fatalf("many: res %d, size %d, flags %#x", r.num("res"), n, r.flags)
		}
	}
}

func sendto(t *T) {
	c := &consumer{rows: []string{"sendto", "sendmsg"}}
	f := see(t, c, "sendto")
	tid := f.int(t, "tid")
	got := c.of(tid, schema.SendtoX)
	for i, want := range []string{
		"127.0.0.1:6000>127.0.0.1:6001",
		"127.0.0.1:6000>127.0.0.1:6002",
		"127.0.0.1:6000>127.0.0.1:6002",
		">127.0.0.1:6001",
		">[::ffff:127.0.0.1]:6002",
		"unix:/tmp/deed.x",
		"unix:/tmp/deed.y",
	} {
		if i >= len(got) {
			t.Fatalf("%d events", len(got))
		}
		if !strings.HasSuffix(got[i].tuple(), want) {
			t.Errorf("%d: %s, not %s", i+1, got[i].tuple(), want)
		}
	}
	for _, r := range c.of(tid, schema.SendmsgX) {
		if got := r.tuple(); got != "127.0.0.1:6000>127.0.0.1:6002" {
			t.Errorf("sendmsg: %s", got)
		}
	}
}
