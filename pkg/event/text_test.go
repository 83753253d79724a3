// SPDX-License-Identifier: Apache-2.0

package event_test

import (
	"encoding/binary"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/schema"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC
	os.Exit(m.Run())
}

// people is a small world: descriptor 3 is a file, 4 a connection, 5 a pipe,
// thread 40 is called Cat, 0 is root.
type people struct{}

func (people) FD(n int64) (byte, byte, string, bool) {
	switch n {
	case 3:
		return 'f', 0, "/etc/shadow", true
	case 4:
		return '4', 't', "1.2.3.4:5->6.7.8.9:80", true
	case 5:
		return 'p', 0, "", true
	}
	return 0, 0, "", false
}

func (people) Comm(tid int64) (string, bool) { return "Cat", tid == 40 }

func (people) User(uid uint32) (string, bool) { return "root", uid == 0 }

func (people) Group(gid uint32) (string, bool) { return "wheel", gid == 0 }

func (people) AppendPath(buf []byte, dirfd int64, rel string) ([]byte, bool) {
	switch dirfd {
	case event.AtFDCWD:
		return append(append(buf, "/home/"...), rel...), true
	case 3:
		return append(append(buf, "/etc/"...), rel...), true
	}
	return append(buf, "half a path"...), false
}

// The raw and the resolved text of one parameter.
func TestText(t *testing.T) {
	v4 := netip.MustParseAddrPort("10.0.0.5:54321")
	w4 := netip.MustParseAddrPort("93.184.216.34:443")
	v6 := netip.MustParseAddrPort("[2001:db8::5]:54321")
	w6 := netip.MustParseAddrPort("[::1]:443")
	fds := []byte{3, 0}
	for _, f := range []event.PollFD{{FD: 3, Events: 0x41}, {FD: 99, Events: 1}, {FD: -1, Events: 0}} {
		fds = binary.LittleEndian.AppendUint64(fds, uint64(f.FD))
		fds = binary.LittleEndian.AppendUint16(fds, f.Events)
	}
	dyn := func(sel byte, v uint64, n int) []byte {
		return append([]byte{sel}, binary.LittleEndian.AppendUint64(nil, v)[:n]...)
	}
	for _, tt := range []struct {
		typ           schema.EventType
		param         string
		value         any // nil: absent
		raw, resolved string
	}{
		// results and descriptors
		{schema.CloseX, "res", 0, "0", ""},
		{schema.CloseX, "res", -9, "-9", "EBADF"},
		{schema.CloseX, "res", -4000, "-4000", ""},
		{schema.CloseX, "res", -512, "-512", "ERESTARTSYS"},
		{schema.CloseX, "res", nil, "<NA>", ""},
		{schema.CloseX, "fd", 3, "3", "<f>/etc/shadow"},
		{schema.CloseX, "fd", 4, "4", "<4t>1.2.3.4:5->6.7.8.9:80"},
		{schema.CloseX, "fd", 5, "5", "<p>"},
		{schema.CloseX, "fd", 6, "6", ""},
		{schema.CloseX, "fd", -2, "-2", "ENOENT"},
		{schema.OpenatX, "dirfd", -100, "-100", "AT_FDCWD"},
		// threads, users
		{schema.ExecveX, "tid", 40, "40", "Cat"},
		{schema.ExecveX, "tid", 41, "41", ""},
		{schema.ExecveX, "uid", 0, "0", "root"},
		{schema.ExecveX, "uid", 1000, "1000", "<NA>"},
		{schema.ExecveX, "loginuid", uint32(0xffffffff), "-1", "<NONE>"},
		{schema.ExecveX, "gid", 0, "0", "wheel"},
		// text and bytes
		{schema.ExecveX, "exe", "/usr/bin/Cat", "/usr/bin/Cat", ""},
		{schema.ExecveX, "exe", "", "", ""},
		{schema.ExecveX, "exe", nil, "<NA>", ""},
		{schema.ExecveX, "args", []string{"-l", "/tmp"}, "-l./tmp.", ""},
		{schema.ExecveX, "args", nil, "NULL", ""},
		{schema.WriteX, "data", []byte("GET\x00\x01\xff"), "GET...", ""},
		// paths
		{schema.MkdirX, "path", "a/b", "a/b", "/home/a/b"},
		{schema.MkdirX, "path", "/a/../b", "/a/../b", ""},
		{schema.MkdirX, "path", "", "", ""},
		{schema.MkdirX, "path", nil, "<NA>", ""},
		// numbers
		{schema.IoctlX, "request", 0x540f, "540F", ""},
		{schema.OpenatX, "dev", 0xfe10, "FE10", ""},
		{schema.OpenatX, "mode", 0o755, "0755", ""},
		{schema.OpenatX, "mode", 0, "0", ""},
		{schema.OpenatX, "ino", uint64(1<<63 - 1), "9223372036854775807", ""},
		{schema.PreadX, "pos", uint64(64), "64", ""},
		{schema.LseekX, "offset", uint64(0xffffffffffffffc4), "-60", ""},
		// flags
		{schema.OpenatX, "flags", 263, "263", "O_TRUNC|O_CREAT|O_RDWR"},
		{schema.OpenatX, "flags", 4097, "4097", "O_RDONLY|O_CLOEXEC"},
		{schema.OpenatX, "flags", 0, "0", "O_NONE"},
		{schema.OpenatX, "flags", uint32(1<<31 | 1), "2147483649", "O_RDONLY"},
		{schema.OpenatX, "flags", nil, "<NA>", ""},
		{schema.UnlinkatX, "flags", 0, "0", ""},
		{schema.UnlinkatX, "flags", 512, "512", "AT_REMOVEDIR"},
		{schema.SocketX, "domain", 1, "1", "AF_LOCAL|AF_UNIX"},
		{schema.SocketX, "domain", 17, "17", "AF_PACKET"},
		{schema.SocketX, "domain", 200, "200", ""},
		{schema.ChmodX, "mode", 0o4755, "04755", "S_IXOTH|S_IROTH|S_IXGRP|S_IRGRP|S_IXUSR|S_IWUSR|S_IRUSR|S_ISUID"},
		// signals
		{schema.KillX, "sig", 9, "9", "SIGKILL"},
		{schema.KillX, "sig", 64, "64", ""},
		{schema.PpollX, "sigmask", 0x4001, "16385", "SIGHUP SIGTERM"},
		{schema.PpollX, "sigmask", 0, "0", ""},
		// times
		{schema.PpollX, "timeout", 1_500_000_000, "1.5s", ""},
		{schema.PpollX, "timeout", 1000, "1e-06s", ""},
		{schema.PpollX, "timeout", 100_000_000_000_000, "100000s", ""},
		{schema.PpollX, "timeout", 0, "0s", ""},
		{schema.ExecveX, "exe_ino_ctime", 1_566_230_400_000_000_001, "2019-08-19 16:00:00.000000001", ""},
		// addresses
		{schema.BindX, "addr", v4, "10.0.0.5:54321", ""},
		{schema.BindX, "addr", v6, "2001:db8::5:54321", ""},
		{schema.BindX, "addr", []byte("\x01/run/x.sock\x00"), "/run/x.sock", ""},
		{schema.BindX, "addr", []byte{16, 1, 2}, "family 16", ""},
		{schema.BindX, "addr", []byte{2, 1, 2}, "<NA>", ""},
		{schema.BindX, "addr", nil, "<NA>", ""},
		{schema.ConnectX, "tuple", eventtest.Tuple(v4, w4), "10.0.0.5:54321->93.184.216.34:443", ""},
		{schema.ConnectX, "tuple", eventtest.Tuple(v6, w6), "2001:db8::5:54321->::1:443", ""},
		{schema.ConnectX, "tuple", eventtest.UnixTuple(0xff45, 0x10, "/run/x"), "ff45->10 /run/x", ""},
		{schema.ConnectX, "tuple", eventtest.UnixTuple(0xff45, 0, ""), "ff45->0 ", ""},
		{schema.ConnectX, "tuple", []byte{17}, "family 17", ""},
		{schema.ConnectX, "tuple", []byte{10, 1}, "NULL", ""},
		{schema.ConnectX, "tuple", nil, "NULL", ""},
		// lists and selected types
		{schema.PollX, "fds", fds, "3:f41 99:?1 -1:?0", ""},
		{schema.PollX, "fds", fds[:15], "3:f41", ""},
		{schema.PollX, "fds", nil, "NULL", ""},
		{schema.SetsockoptX, "val", dyn(2, 32768, 4), "32768", ""},
		{schema.SetsockoptX, "val", append([]byte{0}, 0, 'a', 7), ".a.", ""},
		{schema.SetsockoptX, "val", []byte{0}, "NULL", ""},
		{schema.SetsockoptX, "val", []byte{99, 1}, "NULL", ""},
		{schema.SetsockoptX, "val", dyn(2, 32768, 3), "NULL", ""},
		{schema.GetsockoptX, "val", dyn(1, ^uint64(110), 8), "-111", "ECONNREFUSED"},
		{schema.SetsockoptX, "val", nil, "NULL", ""},
		{schema.GenericX, "ID", uint64(schema.ScGetpid), "16", "getpid"},
	} {
		b := eventtest.New(tt.typ)
		if tt.value != nil {
			b.Set(tt.param, tt.value)
		}
		ev := b.Event()
		i := ev.Info.Param(tt.param)
		if got := string(ev.AppendRaw(nil, i, people{})); got != tt.raw {
			t.Errorf("%s.%s of %v: %q, want %q", ev.Info.Name, tt.param, tt.value, got, tt.raw)
		}
		if got := string(ev.AppendResolved(nil, i, people{})); got != tt.resolved {
			t.Errorf("%s.%s of %v resolves to %q, want %q", ev.Info.Name, tt.param, tt.value, got, tt.resolved)
		}
		want := tt.resolved
		if want == "" {
			want = tt.raw
		}
		if got := string(ev.AppendArg([]byte("x"), i, people{})); got != "x"+want {
			t.Errorf("%s.%s of %v as an argument: %q, want %q", ev.Info.Name, tt.param, tt.value, got, want)
		}
	}
}

func TestRelativePathsFollowTheirDescriptor(t *testing.T) {
	for _, tt := range []struct {
		dirfd any
		path  string
		want  string
	}{
		{3, "x", "/etc/x"},
		{-100, "x", "/home/x"},
		{7, "x", ""},
		{3, "/x", ""},
		{3, "", ""},
		{nil, "x", ""},
	} {
		b := eventtest.New(schema.UnlinkatX).Int(0)
		if tt.dirfd != nil {
			b.Set("dirfd", tt.dirfd)
		}
		ev := b.Set("name", tt.path).Event()
		if got := string(ev.AppendResolved(nil, ev.Info.Param("name"), people{})); got != tt.want {
			t.Errorf("%q in %v: %q, want %q", tt.path, tt.dirfd, got, tt.want)
		}
	}
}

func TestAppendArgs(t *testing.T) {
	for _, tt := range []struct {
		ev   *event.Event
		want string
	}{
		{openat().Event(), "fd=3(<f>/etc/shadow) dirfd=-100(AT_FDCWD) name=/etc/passwd flags=4097(O_RDONLY|O_CLOEXEC) mode=0 dev=FE00 ino=199"},
		{eventtest.New(schema.OpenX).Int(-2).Str("/nope").Uint(1).Event(), "fd=-2(ENOENT) name=/nope flags=1(O_RDONLY) mode=<NA> dev=<NA> ino=<NA>"},
		{eventtest.New(schema.OpenX).Int(-2).Str("/nope").Params(2).Event(), "fd=-2(ENOENT) name=/nope"},
		{eventtest.New(schema.SetuidX).Int(0).Uint(0).Event(), "res=0 uid=0(root)"},
		{eventtest.New(schema.GenericX).Uint(5).Uint(5).Event(), ""},
	} {
		if got := string(tt.ev.AppendArgs(nil, people{})); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.ev.Info.ID, got, tt.want)
		}
	}
	if got := string(openat().Event().AppendArgs(nil, nil)); !strings.HasPrefix(got, "fd=3 dirfd=-100(AT_FDCWD) name=") {
		t.Errorf("without names: %q", got)
	}
}

func TestTimes(t *testing.T) {
	const ns = 1_566_230_400_050_000_000
	for _, tt := range []struct {
		print func([]byte, uint64) []byte
		want  string
	}{
		{event.AppendClockNs, "16:00:00.050000000"},
		{event.AppendClock, "16:00:00"},
		{event.AppendDateTime, "2019-08-19 16:00:00.050000000"},
		{event.AppendDateTimeS, "2019-08-19 16:00:00"},
		{event.AppendISO8601, "2019-08-19T16:00:00.050000000+0000"},
	} {
		if got := string(tt.print(nil, ns)); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

func TestParseTupleRefusesWhatDoesNotFit(t *testing.T) {
	v4 := netip.MustParseAddrPort("10.0.0.5:54321")
	whole := eventtest.Tuple(v4, v4)
	for n := range whole {
		if _, ok := event.ParseTuple(whole[:n]); ok {
			t.Errorf("%d of %d bytes are a tuple", n, len(whole))
		}
	}
	if _, ok := event.ParseTuple(append(whole, 0)); ok {
		t.Error("a tuple with a byte behind it is a tuple")
	}
	if _, ok := event.ParseAddr(append(eventtest.Addr(v4), 0)); ok {
		t.Error("an address with a byte behind it is an address")
	}
	if a, ok := event.ParseAddr([]byte("\x01name without NUL")); !ok || a.Path != "name without NUL" {
		t.Errorf("unix address: %+v, %v", a, ok)
	}
}
