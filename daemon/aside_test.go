// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/procfs"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// The tables meet a task that they do not know, this one: its record is there at
// once, what its sockets are a little later.
func TestReadAside(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	proc, err := procfs.New("/proc")
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{stop: make(chan struct{}), mail: make(chan func())}
	defer close(d.stop)
	find := procfs.NewFinder(proc, time.Minute)
	defer find.Close()
	d.pipe.state = state.New(state.Options{Source: find, Budget: state.Budget{Time: time.Minute}, Ask: d.readAside(proc)})

	look := func() *state.FD {
		ev := eventtest.New(schema.ListenX).Tid(int64(os.Getpid())).TS(uint64(time.Now().UnixNano())).
			Set("res", 0).Set("fd", int64(file.Fd())).Event()
		sc := d.pipe.state.Apply(ev)
		fd := sc.FD
		d.pipe.state.Settle()
		return fd
	}
	if fd := look(); fd == nil || fd.Type != state.FDUnknown {
		t.Fatalf("at once: %+v", fd)
	}
	tell := <-d.mail
	tell()
	want := l.Addr().String()
	fd := look()
	if fd == nil || fd.Type != state.FDIPv4Server || fd.Name != want || fd.Dst != netip.MustParseAddrPort(want) {
		t.Errorf("then: %+v, want %s", fd, want)
	}
}

func TestAnswer(t *testing.T) {
	proc, err := procfs.New("/proc")
	if err != nil {
		t.Fatal(err)
	}
	find := procfs.NewFinder(proc, time.Minute)
	defer find.Close()
	if answer(find, state.Ask{Kind: state.AskTask, Tid: 1 << 30}) != nil {
		t.Error("a task that is not there has been told of")
	}
	if answer(find, state.Ask{Kind: state.AskTask, Tid: int64(os.Getpid())}) == nil {
		t.Error("nothing was told of this task")
	}
	// It has the host's root: the tables learn that there is nothing to see.
	if answer(find, state.Ask{Kind: state.AskUsers, Tid: int64(os.Getpid()), Container: "abc"}) == nil {
		t.Error("no answer about users")
	}
}
