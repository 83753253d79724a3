// SPDX-License-Identifier: Apache-2.0

package cases

import (
	"context"
	"net/netip"
	"runtime"

	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/field"
	"github.com/falco-go/falco/pkg/procfs"
	"github.com/falco-go/falco/pkg/schema"
)

// Sockets. All act on descriptor 3 of bash.
var sockets = []scenario{
	{"C-120", func(w *world) {
		w.tcp()
		w.want("fd.name", "", "fd.type", "ipv4", "fd.typechar", "4", "fd.l4proto", "<NA>", "fd.sip", null, "fd.connected", "false", "fd.sockfamily", "ip")
	}},
	{"C-121", func(w *world) {
		w.tcp()
		w.connect(0, tuple("10.0.0.5:40000", "1.2.3.4:443"), "1.2.3.4:443")
		w.want(connected...)
		w.holds("evt.arg.fd startswith '<4t>'")
	}},
	{"C-122", func(w *world) {
		w.tcp()
		w.connect(-115, tuple("10.0.0.5:40000", "1.2.3.4:443"), "1.2.3.4:443")
		w.want(connected...)
	}},
	{"C-123", func(w *world) {
		w.tcp()
		w.connect(-111, nil, "")
		w.want("fd.name", "", "fd.sip", null, "fd.connected", "false", "evt.res", "ECONNREFUSED")
	}},
	{"C-124", func(w *world) {
		w.connect(0, tuple("10.0.0.5:40000", "1.2.3.4:443"), "1.2.3.4:443")
		w.want("fd.name", "10.0.0.5:40000->1.2.3.4:443", "fd.type", null, "fd.typechar", "o")
	}},
	{"C-125", func(w *world) {
		w.tcp()
		w.do(call(schema.ConnectE, 100, "fd", 3, "addr", addr("9.9.9.9:80")))
		w.connect(0, nil, "9.9.9.9:80")
		w.want("fd.sip", null, "fd.type", "ipv4")
		w.same("port", w.last.FD.Dst.Port(), 80)
		w.send("10.0.0.5:4000", "9.9.9.9:80")
		w.want("fd.name", "10.0.0.5:4000->9.9.9.9:80")
	}},
	{"C-126", func(w *world) {
		w.tcp()
		w.do(call(schema.ConnectE, 100, "fd", 3, "addr", addr("1.1.1.1:80")))
		w.connect(0, tuple("10.0.0.5:4000", "8.8.8.8:80"), "8.8.8.8:80")
		w.want("fd.sip", "1.1.1.1")
	}},
	{"C-127", func(w *world) {
		w.tcp()
		w.do(call(schema.ConnectE, 100, "fd", 3, "addr", addr("1.1.1.1:80")))
		w.connect(0, tuple("10.0.0.5:4000", "1.1.1.1:80"), "8.8.8.8:80")
		w.want("fd.sip", "1.1.1.1")
	}},
	{"C-128", func(w *world) {
		w.socket(10, 1, 0)
		w.connect(0, tuple("[::ffff:10.0.0.5]:1", "[::ffff:1.2.3.4]:2"), "")
		w.want("fd.type", "ipv4", "fd.name", "10.0.0.5:1->1.2.3.4:2")
	}},
	{"C-129", func(w *world) {
		w.socket(10, 1, 0)
		w.connect(0, tuple("[2001:db8:0:1::5]:4000", "[2001:db8:9::1]:53"), "")
		w.want("fd.name", "2001:db8:0:1::5:4000->2001:db8:9::1:53", "fd.lip", "2001:db8:0:1::5")
		w.last.Thread.ContainerID = short
		w.want("fd.lip", "2001:db8:9::1")
	}},
	{"C-130", func(w *world) {
		w.tcp()
		w.bind("0.0.0.0:8080")
		listens := []string{"fd.name", "0.0.0.0:8080", "fd.sport", "8080", "fd.sip", "0.0.0.0", "fd.cip", null, "fd.is_server", "true", "fd.lport", null}
		w.want(listens...)
		w.holds("fd.port=8080")
		w.do(call(schema.ListenX, 100, "res", 0, "fd", 3))
		w.want(listens...)
	}},
	{"C-131", func(w *world) {
		w.tcp()
		w.bind("0.0.0.0:0")
		w.want("fd.name", "0.0.0.0:0", "fd.sip", null, "fd.is_server", "false")
	}},
	{"C-132", func(w *world) {
		w.do(call(schema.Accept4X, 100, "fd", 4, "tuple", tuple("10.0.0.9:5000", "10.0.0.5:8080"), "flags", schema.OCloexec))
		w.want("fd.num", "4", "fd.cip", "10.0.0.9", "fd.sip", "10.0.0.5", "fd.sport", "8080", "fd.lip", "10.0.0.5", "fd.rip", "10.0.0.9",
			"fd.is_server", "true", "fd.connected", "true")
		w.do(execve(100, "x", "x", nil))
		w.same("after exec", w.fds(100), "0 1 2")
	}},
	{"C-133", func(w *world) {
		w.do(call(schema.AcceptX, 100, "fd", -11))
		w.want("fd.num", "-1", "fd.typechar", "4", "fd.name", "NULL")
		w.holds("fd.name=NULL")
		w.do(call(schema.AcceptX, 100, "fd", -11, "tuple", tuple("10.0.0.9:5000", "10.0.0.5:8080")))
		w.want("fd.name", "10.0.0.9:5000->10.0.0.5:8080")
	}},
	{"C-134", func(w *world) {
		w.resolver()
		w.want("fd.name", "10.0.0.5:3000->8.8.8.8:53", "fd.sport", "53", "fd.cip", "10.0.0.5", "fd.name_changed", "true",
			"fd.l4proto", "udp", "fd.connected", "true", "fd.is_server", "false")
	}},
	{"C-135", func(w *world) {
		w.resolver()
		w.receive("8.8.8.8:53", "10.0.0.5:3000")
		w.want("fd.name", "10.0.0.5:3000->8.8.8.8:53", "fd.name_changed", "false")
	}},
	{"C-136", func(w *world) {
		w.resolver()
		w.send("10.0.0.5:3000", "1.1.1.1:53")
		w.want("fd.name", "10.0.0.5:3000->1.1.1.1:53", "fd.name_changed", "true")
	}},
	{"C-137", func(w *world) {
		w.resolver()
		w.receive("9.9.9.9:53", "10.0.0.5:3000")
		w.want("fd.name", "10.0.0.5:3000->9.9.9.9:53")
	}},
	{"C-138", func(w *world) {
		w.mdns()
		w.want("fd.name", "10.0.0.7:6000->10.0.0.5:5353", "fd.cip", "10.0.0.7", "fd.sport", "5353")
		w.send("10.0.0.5:5353", "10.0.0.7:6000")
		w.want("fd.name", "10.0.0.7:6000->10.0.0.5:5353", "fd.name_changed", "false")
	}},
	{"C-139", func(w *world) {
		w.mdns()
		w.send("10.0.0.5:5353", "10.0.0.8:7000")
		w.want("fd.cip", "10.0.0.8", "fd.cport", "7000", "fd.sport", "5353")
	}},
	{"C-140", func(w *world) {
		w.socket(2, 2, 0)
		w.receive("10.0.0.7:1", "10.0.0.5:2")
		w.want("fd.cip", "10.0.0.7", "fd.sip", "10.0.0.5")
	}},
	{"C-141", func(w *world) {
		w.socket(10, 2, 0)
		w.receive("[2001:db8::7]:1", "[2001:db8::5]:2")
		w.want("fd.cip", "2001:db8::7", "fd.sip", "2001:db8::5")
	}},
	{"C-142", func(w *world) {
		w.do(call(schema.SendtoX, 100, "res", 40, "fd", 9, "tuple", tuple("10.0.0.5:3000", "8.8.8.8:53")))
		w.want("fd.name", "10.0.0.5:3000->8.8.8.8:53", "fd.l4proto", "udp", "fd.type", "ipv4")
	}},
	{"C-143", func(w *world) {
		w.do(call(schema.SendmsgX, 100, "res", -32, "fd", 9, "tuple", tuple("10.0.0.5:3000", "8.8.8.8:53")))
		w.want("fd.type", null)
		w.same("record", w.fd(100, 9), null)
	}},
	{"C-144", func(w *world) {
		w.socket(2, 3, 1)
		w.send("10.0.0.5:0", "8.8.8.8:0")
		w.want("fd.name", "10.0.0.5->8.8.8.8", "fd.l4proto", "raw")
		w.socket(2, 2, 1)
		w.send("10.0.0.5:0", "8.8.8.8:0")
		w.want("fd.name", "10.0.0.5->8.8.8.8", "fd.l4proto", "icmp")
	}},
	{"C-145", func(w *world) {
		w.socket(17, 3, 3)
		w.want("fd.typechar", "o", "fd.type", "<NA>", "evt.arg.domain", "AF_PACKET")
		w.holds("evt.arg.domain=AF_PACKET") // evt.arg[0] is read so in rules of 0.26 alone
	}},
	{"C-146", func(w *world) {
		w.socket(1, 1, 0)
		w.connect(0, eventtest.UnixTuple(0xab, 0xcd, "/run/d.sock"), "")
		w.want("fd.name", "ab->cd /run/d.sock", "fd.type", "unix", "fd.sockfamily", "unix", "fd.sip", null)
	}},
	{"C-147", func(w *world) {
		w.socket(1, 1, 0)
		w.do(eventtest.New(schema.BindX).Tid(100).Int(0).Unix("/run/my.sock").Int(3))
		w.want("fd.name", "/run/my.sock")
	}},
	// The module leaves the NUL out with which an abstract address begins.
	{"C-148", func(w *world) {
		w.socket(1, 1, 0)
		w.do(eventtest.New(schema.BindX).Tid(100).Int(0).Unix("foo").Int(3))
		w.want("fd.name", "foo")
	}},
	{"C-149", func(w *world) {
		w.do(call(schema.SocketpairX, 100, "res", 0, "fd1", 3, "fd2", 4, "source", 1, "peer", 2))
		w.want("fd.name", "", "fd.num", "4", "fd.type", "unix")
		w.same("descriptors", w.fds(100), "0 1 2 3 4")
	}},
	{"C-150", func(w *world) {
		w.proc.fds[[2]int64{100, 7}] = procfs.FD{Num: 7, Kind: procfs.File, Name: "/etc/shadow"}
		w.socket(1, 1, 0)
		control := []byte{20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0}
		w.do(call(schema.RecvmsgX, 100, "res", 1, "fd", 3, "msgcontrol", control))
		w.do(writes(100, 7, 1))
		w.want("fd.name", "/etc/shadow", "fd.type", "file")
	}},
	{"C-151", func(w *world) {
		w.tcp()
		w.connect(0, tuple("10.0.0.5:40000", "1.2.3.4:443"), "")
		w.holds("fd.net=10.0.0.0/8", "fd.net in (9.0.0.0/8, 1.2.3.0/24)")
		w.fails("fd.net!=10.0.0.0/8")
		w.socket(10, 1, 0)
		w.connect(0, tuple("[2001:db8:0:1::5]:4000", "[2001:db8:9::1]:53"), "")
		w.fails("fd.net=10.0.0.0/8")
		w.holds("fd.net!=10.0.0.0/8")
	}},
	{"C-152", func(w *world) {
		w.tcp()
		w.connect(0, tuple("10.0.0.5:40000", "1.2.3.4:443"), "")
		w.holds("fd.ip=1.2.3.4")
		w.fails("fd.ip!=1.2.3.4")
		w.do(writes(100, 1, 1))
		w.fails("fd.ip=1.2.3.4", "fd.ip!=1.2.3.4")
		w.holds("fd.ip exists")
	}},
	{"C-153", func(w *world) {
		hosts := field.Hosts
		defer func() { field.Hosts = hosts }()
		field.Hosts = field.NewHostTable(func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("1.2.3.4")}, nil
		})
		w.tcp()
		w.connect(0, tuple("10.0.0.5:40000", "1.2.3.4:443"), "")
		w.fails("fd.sip.name=example.org") // which is asked for from now on
		ctx, end := context.WithCancel(context.Background())
		defer end()
		go field.Hosts.Run(ctx)
		for set := field.Hosts.Watch("example.org"); !set.Contains(netip.MustParseAddr("1.2.3.4")); {
			runtime.Gosched()
		}
		w.holds("fd.sip.name=example.org")
		w.want("fd.sip.name", "example.org", "fd.cip.name", null)
	}},
	{"C-154", func(w *world) {
		w.socket(2, 2, 0)
		w.fork(100, 200)
		w.do(call(schema.RecvfromX, 200, "res", 1, "fd", 3, "tuple", tuple("8.8.8.8:53", "10.0.0.5:3000")))
		w.want("fd.name", "8.8.8.8:53->10.0.0.5:3000")
		w.same("parent's", w.fd(100, 3), "")
	}},
}

var connected = []string{
	"fd.name", "10.0.0.5:40000->1.2.3.4:443", "fd.cip", "10.0.0.5", "fd.cport", "40000", "fd.sip", "1.2.3.4", "fd.sport", "443",
	"fd.lip", "10.0.0.5", "fd.rip", "1.2.3.4", "fd.lport", "40000", "fd.rport", "443", "fd.l4proto", "tcp", "fd.is_server", "false",
	"fd.connected", "true", "fd.name_changed", "true",
}

func (w *world) socket(domain, typ, proto int) {
	w.do(call(schema.SocketX, 100, "fd", 3, "domain", domain, "type", typ, "proto", proto))
}

func (w *world) tcp() { w.socket(2, 1, 0) }

func (w *world) connect(res int, tuple []byte, exit string) {
	b := call(schema.ConnectX, 100, "res", res, "tuple", tuple, "fd", 3)
	if exit != "" {
		b.Set("addr", addr(exit))
	}
	w.do(b)
}

func (w *world) bind(a string) {
	w.do(call(schema.BindX, 100, "res", 0, "fd", 3, "addr", addr(a)))
}

func (w *world) send(src, dst string) {
	w.do(call(schema.SendtoX, 100, "res", 40, "fd", 3, "tuple", tuple(src, dst)))
}

func (w *world) receive(src, dst string) {
	w.do(call(schema.RecvfromX, 100, "res", 80, "fd", 3, "tuple", tuple(src, dst)))
}

// resolver has asked 8.8.8.8 for a name.
func (w *world) resolver() {
	w.socket(2, 2, 0)
	w.send("10.0.0.5:3000", "8.8.8.8:53")
}

// mdns is bound to a port and has been asked.
func (w *world) mdns() {
	w.socket(2, 2, 0)
	w.bind("0.0.0.0:5353")
	w.receive("10.0.0.7:6000", "10.0.0.5:5353")
}
