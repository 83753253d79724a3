// SPDX-License-Identifier: Apache-2.0

// Package corpus keeps small recordings that several suites share. They are
// written by our own Writer from the scripts below, so they can be made anew:
//
//	go test ./tests/corpus -update
//
//	shell.scap    a login runs cat /etc/shadow, asks a server, ends; a server answers
//	legacy.scap   the same for readers of 2022, compressed
//	filtered.scap the same, of which only the exec is shown and the rest is for the state
package corpus

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"io"
	"net/netip"
	"os"
	"testing"

	"github.com/falco-go/falco/pkg/capture"
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

var update = flag.Bool("update", false, "write the recordings anew")

// epoch is when it all happens, in ns: 1 January 2026, noon.
const epoch = 1767268800_000000000

// tables tells what was there before.
func tables(to capture.Tables) {
	to.Begin()
	to.Machine(&capture.Machine{CPUs: 2, Memory: 4 << 30, Hostname: "corpus", BootTime: epoch - 3600e9})
	to.Interface(&capture.Interface{Name: "lo", Addr: ip("127.0.0.1"), Netmask: ip("255.0.0.0"), Broadcast: ip("127.255.255.255")})
	to.Interface(&capture.Interface{Name: "eth0", Addr: ip("10.0.0.5"), Netmask: ip("255.255.255.0"), Broadcast: ip("10.0.0.255")})
	to.Interface(&capture.Interface{Name: "eth0", Addr: ip("fe80::5"), Netmask: ip("ffff:ffff:ffff:ffff::"), Broadcast: ip("::")})
	to.User(&capture.User{UID: 0, Name: "root", Home: "/root", Shell: "/bin/bash"})
	to.User(&capture.User{UID: 1000, GID: 1000, Name: "ada", Home: "/home/ada", Shell: "/bin/bash"})
	to.Group(&capture.Group{GID: 0, Name: "root"})
	to.Group(&capture.Group{GID: 1000, Name: "ada"})
	for _, p := range []capture.Proc{
		{Tid: 1, Pid: 1, Comm: "init", Exe: "/sbin/init", ExePath: "/usr/sbin/init", Cwd: "/"},
		{Tid: 50, Pid: 50, Ptid: 1, Comm: "sshd", Exe: "sshd: ada [priv]", ExePath: "/usr/sbin/sshd", Cwd: "/"},
		{Tid: 60, Pid: 60, Ptid: 50, Sid: 60, Comm: "bash", Exe: "-bash", ExePath: "/usr/bin/bash", Cwd: "/home/ada/",
			Env: []string{"HOME=/home/ada", "SHELL=/bin/bash"}, TTY: 0x8801, LoginUID: 1000, UID: 1000, GID: 1000},
		{Tid: 80, Pid: 80, Ptid: 1, Comm: "nginx", Exe: "nginx", ExePath: "/usr/sbin/nginx", Args: []string{"-g", "daemon off;"}, Cwd: "/"},
		{Tid: 81, Pid: 80, Ptid: 1, Comm: "nginx", Exe: "nginx", ExePath: "/usr/sbin/nginx", Cwd: "/", Flags: schema.CloneThread | schema.CloneFiles},
	} {
		p.Vtid, p.Vpid, p.Vpgid, p.Pgid, p.FDLimit, p.Root = p.Tid, p.Pid, p.Pid, p.Pid, 1024, "/"
		p.Cgroups = []string{"cpu=/system.slice"}
		to.Proc(&p)
	}
	for _, f := range []capture.FD{
		{Tid: 60, Num: 0, Type: capture.FDFileV2, Name: "/dev/pts/1", OpenFlags: schema.ORdwr, Ino: 4},
		{Tid: 60, Num: 1, Type: capture.FDFileV2, Name: "/dev/pts/1", OpenFlags: schema.ORdwr, Ino: 4},
		{Tid: 80, Num: 4, Type: capture.FDIPv4Server, L4: 2, Dst: netip.MustParseAddrPort("0.0.0.0:80"), Ino: 77},
		{Tid: 80, Num: 5, Type: capture.FDUnix, UnixSrc: 1, UnixDst: 2, Name: "/run/nginx.sock"},
		{Tid: 80, Num: 6, Type: capture.FDEpoll, Name: "[eventpoll]"},
	} {
		to.FD(&f)
	}
	to.End()
}

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

// script returns the events, in order.
func script() []*eventtest.Builder {
	ours, server := netip.MustParseAddrPort("10.0.0.5:40000"), netip.MustParseAddrPort("10.0.0.9:443")
	client := netip.MustParseAddrPort("10.0.0.7:50000")
	const bash, cat, nginx = 60, 100, 81
	proc := func(b *eventtest.Builder, tid, pid, ptid int) *eventtest.Builder {
		return b.Set("tid", tid).Set("pid", pid).Set("ptid", ptid).Set("cwd", "/home/ada").Set("fdlimit", 1024)
	}
	forked := func(res, tid, pid, ptid int) *eventtest.Builder {
		return proc(eventtest.New(schema.CloneX).Set("res", res).Set("exe", "-bash").Set("comm", "bash"), tid, pid, ptid).
			Set("uid", 1000).Set("gid", 1000).Set("vtid", tid).Set("vpid", pid)
	}
	return []*eventtest.Builder{
		forked(cat, bash, bash, 50).Tid(bash),
		forked(0, cat, cat, bash).Tid(cat),
		proc(eventtest.New(schema.ExecveX).Tid(cat).Set("res", 0).Set("exe", "cat").Set("args", []string{"/etc/shadow"}), cat, cat, bash).
			Set("comm", "cat").Set("env", []string{"HOME=/home/ada", "LANG=C"}).Set("uid", 1000).Set("gid", 1000).
			Set("loginuid", 1000).Set("trusted_exepath", "/usr/bin/cat").Set("filename", "/usr/bin/cat").Set("pgid", cat).Set("vpgid", cat),
		eventtest.New(schema.OpenatX).Tid(cat).Int(3).Int(-100).Str("/etc/shadow").Uint(schema.ORdonly).Uint(0).Uint(0xfe00).Uint(1234),
		eventtest.New(schema.ReadX).Tid(cat).Int(9).Raw([]byte("root:*:1:")).Int(3).Uint(4096),
		eventtest.New(schema.WriteX).Tid(cat).Int(9).Raw([]byte("root:*:1:")).Int(1).Uint(9),
		eventtest.New(schema.Dup2X).Tid(cat).Int(7).Int(3).Int(7),
		eventtest.New(schema.CloseX).Tid(cat).Int(0).Int(3),
		eventtest.New(schema.SocketX).Tid(cat).Int(3).Uint(2).Uint(1).Uint(0),
		eventtest.New(schema.ConnectX).Tid(cat).Int(0).Tuple(ours, server).Int(3).Addr(server),
		eventtest.New(schema.CloseX).Tid(cat).Int(0).Int(7),
		eventtest.New(schema.Accept4X).Tid(nginx).Int(8).Tuple(client, netip.MustParseAddrPort("10.0.0.5:80")).Uint(0).Uint(0).Uint(511).Int(0),
		eventtest.New(schema.UnlinkatX).Tid(nginx).Int(0).Int(-100).Str("/run/nginx.pid").Uint(0),
		eventtest.New(schema.GenericX).Tid(nginx).Uint(uint64(schema.ScSync)).Uint(162),
		eventtest.New(schema.ProcexitE).Tid(cat).Int(0).Int(0).Uint(0).Uint(0).Int(0),
	}
}

// recordings are the files, and how they are made.
var recordings = map[string]func(io.Writer) error{
	"shell.scap": func(to io.Writer) error { return write(to, false, nil) },
	"filtered.scap": func(to io.Writer) error {
		return write(to, false, func(t schema.EventType) bool { return t == schema.ExecveX })
	},
	"legacy.scap": func(to io.Writer) error {
		return write(capture.NewFile(unclosed{to}, true, 0), true, nil)
	},
}

type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }

// write writes tables and events; those that are not shown are for the state.
func write(to io.Writer, legacy bool, shown func(schema.EventType) bool) error {
	w := capture.NewWriter(to, legacy)
	tables(w)
	var options []byte
	for i, b := range script() {
		rec := b.Bytes()
		var flags capture.RecordFlags
		if typ := schema.EventType(binary.LittleEndian.Uint16(rec[20:])); shown != nil && !shown(typ) {
			flags = capture.StateOnly
		}
		prefix := uint32(0)
		if i == 4 {
			prefix = schema.ABIRecTruncated
		}
		options = capture.AppendOptions(options[:0], prefix, nil)
		if err := w.Event(epoch+uint64(i)*1e6, i%2, flags, rec, options); err != nil {
			return err
		}
	}
	return w.Flush()
}

const maxSize = 50 << 10

// The files are what the scripts make.
func TestFresh(t *testing.T) {
	for name, make := range recordings {
		var b bytes.Buffer
		if err := make(&b); err != nil {
			t.Fatal(err)
		}
		if b.Len() > maxSize {
			t.Errorf("%s has %d bytes, more than %d", name, b.Len(), maxSize)
		}
		if *update {
			if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, b.Bytes()) {
			t.Errorf("%s is another than its script makes: go test ./tests/corpus -update", name)
		}
	}
}

// From each of the files the tables become the same, and every descriptor has the
// name that it had.
func TestSameWorld(t *testing.T) {
	for name := range recordings {
		t.Run(name, func(t *testing.T) {
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			r, err := capture.NewReader(f)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			s := state.New(state.Options{})
			if err := r.Seed(s.Tables()); err != nil {
				t.Fatal(err)
			}
			names := map[string]string{}
			shown, cut := 0, 0
			var ev event.Event
			for {
				rec, err := r.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if rec.Flags&capture.StateOnly == 0 {
					shown++
				}
				if rec.Prefix()&schema.ABIRecTruncated != 0 {
					cut++
				}
				if _, err := ev.Decode(rec.Event); err != nil {
					t.Fatal(err)
				}
				if sc := s.Apply(&ev); sc != nil && sc.FD != nil {
					names[ev.Info.Name] = sc.Thread.Cmdline + "|" + sc.FD.Name
				}
				s.Settle()
			}
			want := map[string]string{
				"openat": "cat /etc/shadow|/etc/shadow", "read": "cat /etc/shadow|/etc/shadow", "write": "cat /etc/shadow|/dev/pts/1",
				"close": "cat /etc/shadow|/etc/shadow", "socket": "cat /etc/shadow|",
				"connect": "cat /etc/shadow|10.0.0.5:40000->10.0.0.9:443", "accept4": "nginx|10.0.0.7:50000->10.0.0.5:80",
			}
			dup := "dup2"
			if name == "legacy.scap" {
				dup = "dup"
			}
			want[dup] = "cat /etc/shadow|/etc/shadow"
			for call, w := range want {
				if names[call] != w {
					t.Errorf("%s: %q, expected %q", call, names[call], w)
				}
			}
			n := len(script())
			switch name {
			case "filtered.scap":
				n = 1
			case "legacy.scap":
				n += 3 // the enter events that are events today
			}
			if shown != n || cut != 1 && name != "legacy.scap" {
				t.Errorf("%d events shown, expected %d; %d cut", shown, n, cut)
			}
			if s.Lookup(100) != nil || s.Lookup(60) == nil {
				t.Error("cat has not gone, or bash has")
			}
		})
	}
}
