// SPDX-License-Identifier: Apache-2.0

package state

import (
	"testing"

	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/procfs"
	"github.com/falco-go/falco/pkg/schema"
)

func socket(domain, typ, proto int) *eventtest.Builder {
	return call(schema.SocketX, 100, "fd", 3, "domain", domain, "type", typ, "proto", proto)
}

func connect(res int, tuple []byte, exitAddr string) *eventtest.Builder {
	b := call(schema.ConnectX, 100, "res", res, "tuple", tuple, "fd", 3)
	if exitAddr != "" {
		b.Set("addr", addr(exitAddr))
	}
	return b
}

func sendto(res int, fd int, src, dst string) *eventtest.Builder {
	return call(schema.SendtoX, 100, "res", res, "fd", fd, "tuple", tuple(src, dst))
}

func recvfrom(res int, src, dst string) *eventtest.Builder {
	return call(schema.RecvfromX, 100, "res", res, "fd", 3, "tuple", tuple(src, dst))
}

func bind(a string) *eventtest.Builder {
	return call(schema.BindX, 100, "res", 0, "fd", 3, "addr", addr(a))
}

// sock verifies the record of the event's descriptor.
func (w *world) sock(sc *Scene, name, src, dst string, role FDFlags) {
	w.Helper()
	if sc.FD == nil {
		w.Fatalf("no record, want %q", name)
	}
	w.same("name", sc.FD.Name, name)
	w.same("src", sc.FD.Src, src)
	w.same("dst", sc.FD.Dst, dst)
	w.same("role", sc.FD.Flags&(FDClient|FDServer), role)
}

const none = "invalid AddrPort"

func TestSocket(t *testing.T) {
	udp := func(w *world) *Scene { return w.do(socket(2, 2, 0)) }
	c134 := func(w *world) *Scene {
		udp(w)
		return w.do(sendto(40, 3, "10.0.0.5:3000", "8.8.8.8:53"))
	}
	runAll(t, []scenario{
		{"C-120", func(w *world) {
			sc := w.do(socket(2, 1, 0))
			w.sock(sc, "", none, none, 0)
			w.same("type", sc.FD.Type, FDIPv4)
			w.same("connected", sc.FD.Has(FDConnected), false)
		}},
		{"C-121", func(w *world) {
			w.do(socket(2, 1, 0))
			sc := w.do(connect(0, tuple("10.0.0.5:40000", "1.2.3.4:443"), "1.2.3.4:443"))
			w.sock(sc, "10.0.0.5:40000->1.2.3.4:443", "10.0.0.5:40000", "1.2.3.4:443", FDClient)
			w.same("l4", sc.FD.L4, L4TCP)
			w.same("connected", sc.FD.Has(FDConnected), true)
			w.same("changed", sc.NameChanged, true)
			w.same("local", w.s.IsLocal(sc.Thread, sc.FD.Src.Addr()), true)
			w.same("remote", w.s.IsLocal(sc.Thread, sc.FD.Dst.Addr()), false)
		}},
		{"C-122", func(w *world) {
			w.do(socket(2, 1, 0))
			sc := w.do(connect(errInProgress, tuple("10.0.0.5:40000", "1.2.3.4:443"), ""))
			w.sock(sc, "10.0.0.5:40000->1.2.3.4:443", "10.0.0.5:40000", "1.2.3.4:443", FDClient)
		}},
		{"C-123", func(w *world) {
			w.do(socket(2, 1, 0))
			sc := w.do(connect(-111, nil, ""))
			w.sock(sc, "", none, none, 0)
			w.same("connected", sc.FD.Has(FDConnected), false)
		}},
		{"C-124", func(w *world) {
			sc := w.do(connect(0, tuple("10.0.0.5:40000", "1.2.3.4:443"), ""))
			w.same("record", sc.FD == nil, true)
			w.same("num", sc.FDNum, 3)
		}},
		{"C-125", func(w *world) {
			w.do(socket(2, 1, 0))
			w.do(call(schema.ConnectE, 100, "fd", 3, "addr", addr("9.9.9.9:80")))
			sc := w.do(connect(0, nil, "9.9.9.9:80"))
			w.sock(sc, "", none, "9.9.9.9:80", 0)
			w.same("type", sc.FD.Type, FDIPv4)
			sc = w.do(sendto(5, 3, "10.0.0.5:4000", "9.9.9.9:80"))
			w.sock(sc, "10.0.0.5:4000->9.9.9.9:80", "10.0.0.5:4000", "9.9.9.9:80", FDClient)
		}},
		{"C-126", func(w *world) {
			w.do(socket(2, 1, 0))
			w.do(call(schema.ConnectE, 100, "fd", 3, "addr", addr("1.1.1.1:80")))
			sc := w.do(connect(0, tuple("10.0.0.5:4000", "8.8.8.8:80"), "8.8.8.8:80"))
			w.same("destination", sc.FD.Dst, "1.1.1.1:80")
		}},
		{"C-127", func(w *world) {
			w.do(socket(2, 1, 0))
			w.do(call(schema.ConnectE, 100, "fd", 3, "addr", addr("1.1.1.1:80")))
			sc := w.do(connect(0, tuple("10.0.0.5:4000", "1.1.1.1:80"), "8.8.8.8:80"))
			w.same("destination", sc.FD.Dst, "1.1.1.1:80")
		}},
		{"three addresses", func(w *world) {
			w.do(socket(2, 1, 0))
			w.do(call(schema.ConnectE, 100, "fd", 3, "addr", addr("2.2.2.2:80")))
			sc := w.do(connect(0, tuple("10.0.0.5:4000", "1.1.1.1:80"), "8.8.8.8:80"))
			w.same("the kernel's", sc.FD.Dst, "1.1.1.1:80")
		}},
		{"C-128", func(w *world) {
			w.do(socket(10, 1, 0))
			sc := w.do(connect(0, tuple("[::ffff:10.0.0.5]:1", "[::ffff:1.2.3.4]:2"), ""))
			w.sock(sc, "10.0.0.5:1->1.2.3.4:2", "10.0.0.5:1", "1.2.3.4:2", FDClient)
			w.same("type", sc.FD.Type.String(), "ipv4")
		}},
		{"C-129", func(w *world) {
			w.do(socket(10, 1, 0))
			sc := w.do(connect(0, tuple("[2001:db8:0:1::5]:4000", "[2001:db8:9::1]:53"), ""))
			w.sock(sc, "2001:db8:0:1::5:4000->2001:db8:9::1:53", "[2001:db8:0:1::5]:4000", "[2001:db8:9::1]:53", FDClient)
			w.same("local", w.s.IsLocal(sc.Thread, addr("[2001:db8:0:1::77]:1").Addr()), true)
			w.same("remote", w.s.IsLocal(sc.Thread, sc.FD.Dst.Addr()), false)
			sc.Thread.ContainerID = dockID
			w.same("in a container", w.s.IsLocal(sc.Thread, sc.FD.Src.Addr()), false)
		}},
		{"C-130", func(w *world) {
			w.do(socket(2, 1, 0))
			sc := w.do(bind("0.0.0.0:8080"))
			w.sock(sc, "0.0.0.0:8080", none, "0.0.0.0:8080", FDServer)
			w.same("server", sc.FD.Type.IsServer(), true)
			sc = w.do(call(schema.ListenX, 100, "res", 0, "fd", 3))
			w.same("listen", sc.FD.Name, "0.0.0.0:8080")
		}},
		{"C-131", func(w *world) {
			w.do(socket(2, 1, 0))
			sc := w.do(bind("0.0.0.0:0"))
			w.sock(sc, "0.0.0.0:0", none, none, 0)
			w.same("type", sc.FD.Type, FDIPv4)
		}},
		{"C-132", func(w *world) {
			sc := w.do(call(schema.Accept4X, 100, "fd", 4, "tuple", tuple("10.0.0.9:5000", "10.0.0.5:8080"), "flags", schema.OCloexec))
			w.same("num", sc.FDNum, 4)
			w.sock(sc, "10.0.0.9:5000->10.0.0.5:8080", "10.0.0.9:5000", "10.0.0.5:8080", FDServer)
			w.same("connected", sc.FD.Has(FDConnected), true)
			w.do(execve(100, "x", "x", nil))
			w.same("dropped", w.fdName(100, 4), "<nil>")
		}},
		{"C-133", func(w *world) {
			sc := w.do(call(schema.AcceptX, 100, "fd", -11))
			w.same("num", sc.FDNum, -1)
			w.same("record", sc.FD == nil, true)
		}},
		{"C-134 C-135", func(w *world) {
			sc := c134(w)
			w.sock(sc, "10.0.0.5:3000->8.8.8.8:53", "10.0.0.5:3000", "8.8.8.8:53", FDClient)
			w.same("changed", sc.NameChanged, true)
			w.same("l4", sc.FD.L4, L4UDP)
			w.same("connected", sc.FD.Has(FDConnected), true)
			sc = w.do(recvfrom(80, "8.8.8.8:53", "10.0.0.5:3000"))
			w.sock(sc, "10.0.0.5:3000->8.8.8.8:53", "10.0.0.5:3000", "8.8.8.8:53", FDClient)
			w.same("changed", sc.NameChanged, false)
		}},
		{"C-136", func(w *world) {
			c134(w)
			sc := w.do(sendto(5, 3, "10.0.0.5:3000", "1.1.1.1:53"))
			w.sock(sc, "10.0.0.5:3000->1.1.1.1:53", "10.0.0.5:3000", "1.1.1.1:53", FDClient)
			w.same("changed", sc.NameChanged, true)
		}},
		{"C-137", func(w *world) {
			c134(w)
			w.sock(w.do(recvfrom(5, "9.9.9.9:53", "10.0.0.5:3000")), "10.0.0.5:3000->9.9.9.9:53", "10.0.0.5:3000", "9.9.9.9:53", FDClient)
		}},
		{"C-138 C-139", func(w *world) {
			udp(w)
			w.do(bind("0.0.0.0:5353"))
			sc := w.do(recvfrom(5, "10.0.0.7:6000", "10.0.0.5:5353"))
			w.sock(sc, "10.0.0.7:6000->10.0.0.5:5353", "10.0.0.7:6000", "10.0.0.5:5353", FDServer)
			w.same("no server socket now", sc.FD.Type, FDIPv4)
			sc = w.do(sendto(5, 3, "10.0.0.5:5353", "10.0.0.7:6000"))
			w.same("changed", sc.NameChanged, false)
			sc = w.do(sendto(5, 3, "10.0.0.5:5353", "10.0.0.8:7000"))
			w.sock(sc, "10.0.0.8:7000->10.0.0.5:5353", "10.0.0.8:7000", "10.0.0.5:5353", FDServer)
		}},
		{"C-140", func(w *world) {
			udp(w)
			w.sock(w.do(recvfrom(5, "10.0.0.7:1", "10.0.0.5:2")), "10.0.0.7:1->10.0.0.5:2", "10.0.0.7:1", "10.0.0.5:2", FDServer)
		}},
		{"C-141", func(w *world) {
			w.do(socket(10, 2, 0))
			w.sock(w.do(recvfrom(5, "[2001:db8::7]:1", "[2001:db8::5]:2")),
				"2001:db8::7:1->2001:db8::5:2", "[2001:db8::7]:1", "[2001:db8::5]:2", FDServer)
		}},
		{"C-142 C-143", func(w *world) {
			sc := w.do(sendto(5, 9, "10.0.0.5:3000", "8.8.8.8:53"))
			w.sock(sc, "10.0.0.5:3000->8.8.8.8:53", "10.0.0.5:3000", "8.8.8.8:53", FDClient)
			w.same("l4", sc.FD.L4, L4UDP)
			w.same("failed", w.do(sendto(-32, 11, "10.0.0.5:3000", "8.8.8.8:53")).FD == nil, true)
			w.same("not made by recv", w.do(recvfrom(5, "10.0.0.7:1", "10.0.0.5:2")).FD == nil, true)
		}},
		{"C-144", func(w *world) {
			w.same("raw", w.do(socket(2, 3, 1)).FD.L4, L4Raw)
			sc := w.do(sendto(5, 3, "10.0.0.5:0", "8.8.8.8:0"))
			w.same("name", sc.FD.Name, "10.0.0.5->8.8.8.8")
			w.same("icmp", w.do(socket(2, 2, 1)).FD.L4, L4ICMP)
		}},
		{"C-145", func(w *world) {
			sc := w.do(socket(17, 3, 3))
			w.same("char", string(sc.FD.Type.Char()), "o")
			w.same("type", sc.FD.Type.String(), "<NA>")
			w.same("netlink", w.do(socket(16, 3, 3)).FD.Type, FDNetlink)
		}},
		{"C-146", func(w *world) {
			w.do(socket(1, 1, 0))
			sc := w.do(call(schema.ConnectX, 100, "res", 0, "fd", 3, "tuple", eventtest.UnixTuple(0xab, 0xcd, "/run/d.sock")))
			w.same("name", sc.FD.Name, "ab->cd /run/d.sock")
			w.same("type", sc.FD.Type, FDUnix)
			sc = w.do(call(schema.SendmsgX, 100, "res", 1, "fd", 3, "tuple", eventtest.UnixTuple(1, 2, "")))
			w.same("without a path", sc.FD.Name, "1->2 ")
		}},
		{"C-147", func(w *world) {
			w.do(socket(1, 1, 0))
			b := eventtest.New(schema.BindX).Tid(100).Int(0).Unix("/run/my.sock").Int(3)
			w.same("name", w.do(b).FD.Name, "/run/my.sock")
		}},
		{"C-149", func(w *world) {
			sc := w.do(call(schema.SocketpairX, 100, "res", 0, "fd1", 3, "fd2", 4, "source", 1, "peer", 2))
			w.same("num", sc.FDNum, 4)
			w.same("record", sc.FD == w.s.FD(sc.Thread, 3), true)
			w.same("both", w.s.FD(sc.Thread, 4).Type, FDUnix)
		}},
		{"zero address", func(w *world) {
			udp(w)
			w.same("same network", w.do(sendto(5, 3, "0.0.0.0:9", "10.0.0.77:53")).FD.Src, "10.0.0.5:9")
			w.same("other", w.do(sendto(5, 3, "0.0.0.0:9", "8.8.8.8:53")).FD.Src, "10.0.0.5:9")
			w.same("loopback", w.do(sendto(5, 3, "0.0.0.0:9", "127.0.0.1:53")).FD.Src, "127.0.0.1:9")
		}},
		{"read connects", func(w *world) {
			w.do(socket(2, 1, 0))
			w.same("failed", w.do(write(100, 3, -9)).FD.Has(FDConnected), false)
			w.same("done", w.do(write(100, 3, 5)).FD.Has(FDConnected), true)
		}},
		{"bad tuple", func(w *world) {
			udp(w)
			for _, b := range [][]byte{{2}, {10, 1}, {77, 1, 2, 3}, make([]byte, 13)} {
				sc := w.do(call(schema.SendtoX, 100, "res", 1, "fd", 3, "tuple", b))
				w.same("name", sc.FD.Name, "")
				w.do(call(schema.ConnectX, 100, "res", 0, "fd", 3, "tuple", b))
				w.do(call(schema.BindX, 100, "res", 0, "fd", 3, "addr", b))
			}
		}},
	})
}

// C-187: what the scan tells of sockets.
func TestSeedSockets(t *testing.T) {
	w := newWorld(t)
	inet := func(n int64, local, remote string) procfs.FD {
		return procfs.FD{Num: n, Kind: procfs.Inet, Socket: procfs.Socket{Proto: procfs.TCP, Local: addr(local), Remote: addr(remote)}}
	}
	w.s.Seed(task(300, 300, 1, "sshd", func(k *procfs.Task) {
		k.FDs = []procfs.FD{
			inet(3, "0.0.0.0:22", "0.0.0.0:0"),
			inet(4, "10.0.0.5:22", "10.0.0.9:999"),
			inet(5, "10.0.0.5:4000", "1.2.3.4:443"),
			inet(6, "[2001:db8::5]:22", "[2001:db8::9]:7"),
			inet(7, "[::ffff:10.0.0.5]:22", "[::ffff:10.0.0.9]:8"),
			{Num: 8, Kind: procfs.Unix, Name: "/run/x"},
			{Num: 9, Kind: procfs.Event, Name: "anon_inode:[eventfd]"},
			{Num: 10, Kind: procfs.Memfd, Name: "/memfd:a (deleted)"},
			{Num: 11, Kind: procfs.Unsupported, Name: "anon_inode:[perf_event]"},
		}
	}))
	w.s.Seeded()
	for _, c := range []struct {
		n          int64
		name, kind string
		flags      FDFlags
	}{
		{3, "0.0.0.0:22", "4", 0},
		{4, "10.0.0.9:999->10.0.0.5:22", "4", FDServer | FDConnected},
		{5, "10.0.0.5:4000->1.2.3.4:443", "4", FDClient | FDConnected},
		{6, "2001:db8::9:7->2001:db8::5:22", "6", FDServer | FDConnected},
		{7, "10.0.0.9:8->10.0.0.5:22", "4", FDServer | FDConnected},
		{8, "/run/x", "u", 0},
		{9, "", "e", 0},
		{10, "/memfd:a (deleted)", "m", 0},
		{11, "anon_inode:[perf_event]", "X", 0},
	} {
		f := w.s.FD(w.s.Lookup(300), c.n)
		if f.Name != c.name || string(f.Type.Char()) != c.kind || f.Flags&^FDFromProc != c.flags {
			t.Errorf("%d: %q %c %b, want %q %s %b", c.n, f.Name, f.Type.Char(), f.Flags, c.name, c.kind, c.flags)
		}
	}
}

// A unix socket keeps its name while the same ends are told, and takes another as soon
// as anything of them differs.
func TestUnixEndsAgain(t *testing.T) {
	l := newLoop(t)
	send := func(src, dst uint64, path string) string {
		ev := eventtest.New(schema.SendtoX).Tid(100).Set("res", 1).Set("fd", 30).Set("size", 1).Set("tuple", eventtest.UnixTuple(src, dst, path)).Event()
		l.ts += 1000
		ev.TS = l.ts
		name := l.s.Apply(ev).FD.Name
		l.s.Settle()
		return name
	}
	ev := eventtest.New(schema.SocketX).Tid(100).Set("fd", 30).Set("domain", 1).Set("type", 1).Set("proto", 0).Event()
	ev.TS = l.ts
	l.s.Apply(ev)
	l.s.Settle()
	for _, c := range []struct {
		src, dst uint64
		path     string
		want     string
	}{
		{0x10, 0x20, "/run/a", "10->20 /run/a"}, {0x10, 0x20, "/run/a", "10->20 /run/a"}, {0x10, 0x20, "/run/ab", "10->20 /run/ab"},
		{0x10, 0x20, "/run/a", "10->20 /run/a"}, {0x11, 0x20, "/run/a", "11->20 /run/a"}, {0x11, 0x21, "/run/a", "11->21 /run/a"},
		{0x11, 0x21, "", "11->21 "}, {0x11, 0x21, "", "11->21 "}, {0x11, 0x21, "/", "11->21 /"},
	} {
		if got := send(c.src, c.dst, c.path); got != c.want {
			t.Errorf("%x, %x, %q: the name is %q, not %q", c.src, c.dst, c.path, got, c.want)
		}
	}
}

// A capture may say that a unix socket is bound to an address without a port: its name has
// no path then, and the ends that come again are put into a name anew.
func TestUnixBoundElsewhere(t *testing.T) {
	w := newWorld(t)
	w.do(socket(1, 1, 0))
	again := func() *eventtest.Builder {
		return call(schema.SendtoX, 100, "res", 1, "fd", 3, "tuple", eventtest.UnixTuple(0xabcdef0123456789, 0x20, "/run/a"))
	}
	w.do(again())
	w.do(bind("1.2.3.4:0"))
	if got := w.do(again()).FD.Name; got != "abcdef0123456789->20 /run/a" {
		t.Errorf("the name is %q", got)
	}
}
