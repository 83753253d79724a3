// SPDX-License-Identifier: Apache-2.0

package event_test

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/schema"
)

func openat() *eventtest.Builder {
	return eventtest.New(schema.OpenatX).Tid(42).TS(1_566_230_400_050_000_000).
		Int(3).Int(-100).Str("/etc/passwd").Uint(4097).Uint(0).Uint(0xfe00).Uint(199)
}

func TestDecode(t *testing.T) {
	rec := openat().Bytes()
	var ev event.Event
	n, err := ev.Decode(append(rec, "the next record"...))
	if err != nil || n != len(rec) {
		t.Fatalf("Decode = %d, %v, want %d bytes", n, err, len(rec))
	}
	if ev.TS != 1_566_230_400_050_000_000 || ev.Tid != 42 || ev.Type != schema.OpenatX || ev.Info.Name != "openat" {
		t.Errorf("header: %d %d %v", ev.TS, ev.Tid, ev.Type)
	}
	if ev.NumParams() != 7 || len(ev.Raw()) != len(rec) {
		t.Errorf("%d parameters, %d bytes", ev.NumParams(), len(ev.Raw()))
	}
	if fd, ok := ev.Int(0); !ok || fd != 3 {
		t.Errorf("fd = %d, %v", fd, ok)
	}
	if dirfd, ok := ev.Int(1); !ok || dirfd != -100 {
		t.Errorf("dirfd = %d, %v", dirfd, ok)
	}
	if name, ok := ev.Str(2); !ok || name != "/etc/passwd" {
		t.Errorf("name = %q, %v", name, ok)
	}
	if v, ok := ev.Return(); !ok || v != 3 {
		t.Errorf("Return = %d, %v", v, ok)
	}
	for _, i := range []int{-1, 7, 31, 1 << 30} {
		if p := ev.Param(i); p != nil {
			t.Errorf("Param(%d) = %v", i, p)
		}
		if _, ok := ev.Uint(i); ok {
			t.Errorf("Uint(%d) is there", i)
		}
		if _, ok := ev.Str(i); ok {
			t.Errorf("Str(%d) is there", i)
		}
	}
}

func TestDecodeShorterLayout(t *testing.T) {
	rec := eventtest.New(schema.OpenatX).Int(3).Int(-100).Str("x").Params(3).Bytes()
	var ev event.Event
	if _, err := ev.Decode(rec); err != nil {
		t.Fatal(err)
	}
	if ev.NumParams() != 3 || ev.Param(3) != nil {
		t.Errorf("%d parameters, the fourth is %v", ev.NumParams(), ev.Param(3))
	}
}

// An event that is decoded again must not show the parameters of the old one.
func TestDecodeAgain(t *testing.T) {
	var ev event.Event
	if _, err := ev.Decode(openat().Bytes()); err != nil {
		t.Fatal(err)
	}
	if _, err := ev.Decode(eventtest.New(schema.CloseX).Int(0).Bytes()); err != nil {
		t.Fatal(err)
	}
	if ev.NumParams() != 2 || ev.Param(2) != nil || ev.Param(1) != nil {
		t.Errorf("%d parameters, %v, %v", ev.NumParams(), ev.Param(1), ev.Param(2))
	}
}

func TestDecodeLargePayload(t *testing.T) {
	big := make([]byte, 70_000)
	big[69_999] = 7
	rec := eventtest.New(schema.AsynceventE).Uint(0).Str("container").Raw(big).Bytes()
	var ev event.Event
	if n, err := ev.Decode(rec); err != nil || n != len(rec) {
		t.Fatalf("Decode = %d, %v", n, err)
	}
	if p := ev.Param(2); len(p) != len(big) || p[69_999] != 7 {
		t.Errorf("data has %d bytes", len(p))
	}
}

func TestDecodeErrors(t *testing.T) {
	change := func(f func(rec []byte) []byte) []byte { return f(openat().Bytes()) }
	put32 := func(off int, v uint32) func([]byte) []byte {
		return func(rec []byte) []byte { binary.LittleEndian.PutUint32(rec[off:], v); return rec }
	}
	put16 := func(off int, v uint16) func([]byte) []byte {
		return func(rec []byte) []byte { binary.LittleEndian.PutUint16(rec[off:], v); return rec }
	}
	for _, tt := range []struct {
		name string
		rec  []byte
		want error
	}{
		{"empty", nil, event.ErrShort},
		{"half a header", change(func(r []byte) []byte { return r[:20] }), event.ErrShort},
		{"cut", change(func(r []byte) []byte { return r[:len(r)-1] }), event.ErrShort},
		{"length 0", change(put32(16, 0)), event.ErrShort},
		{"length beyond the end", change(put32(16, 1<<31)), event.ErrShort},
		{"unknown type", change(put16(20, uint16(len(schema.Events)))), event.ErrType},
		{"last type", change(put16(20, 0xffff)), event.ErrType},
		{"one parameter too many", change(put32(22, 8)), event.ErrParams},
		{"very many parameters", change(put32(22, 0xffffffff)), event.ErrParams},
		{"one parameter less than there are bytes", change(put32(22, 6)), event.ErrLengths},
		{"a length beyond the end", change(put16(26+4, 0xffff)), event.ErrLengths},
		{"a length too short", change(put16(26+4, 3)), event.ErrLengths},
		{"a number of 4 bytes instead of 8", change(put16(26, 4)), event.ErrWidth},
		{"no room for the lengths", change(func(r []byte) []byte { return put32(16, 30)(r) }), event.ErrLengths},
	} {
		var ev event.Event
		if _, err := ev.Decode(tt.rec); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	ev := eventtest.New(schema.QuotactlX).Int(-5).Set("dqi_flags", 255).Set("cmd", 0x8001).Set("id", uint32(1<<31)).Event()
	for _, tt := range []struct {
		name     string
		unsigned uint64
		signed   int64
	}{
		{"res", 0xfffffffffffffffb, -5},
		{"dqi_flags", 255, -1},
		{"cmd", 0x8001, 0x8001 - 0x10000},
		{"id", 1 << 31, -1 << 31},
	} {
		i := ev.Info.Param(tt.name)
		if v, ok := ev.Uint(i); !ok || v != tt.unsigned {
			t.Errorf("Uint(%s) = %d, %v, want %d", tt.name, v, ok, tt.unsigned)
		}
		if v, ok := ev.Int(i); !ok || v != tt.signed {
			t.Errorf("Int(%s) = %d, %v, want %d", tt.name, v, ok, tt.signed)
		}
	}
	if _, ok := ev.Uint(ev.Info.Param("quotafilepath")); ok {
		t.Error("an absent parameter is a number")
	}
}

func TestStrStopsAtNUL(t *testing.T) {
	for raw, want := range map[string]string{"ab\x00": "ab", "\x00": "", "ab\x00cd\x00": "ab", "ab": "ab"} {
		ev := eventtest.New(schema.ChdirX).Int(0).Raw([]byte(raw)).Event()
		if s, ok := ev.Str(1); !ok || s != want {
			t.Errorf("%q reads as %q, %v", raw, s, ok)
		}
	}
}

func TestReturn(t *testing.T) {
	for _, tt := range []struct {
		name string
		ev   *event.Event
		want int64
		ok   bool
	}{
		{"errno", eventtest.New(schema.CloseX).Int(-9).Event(), -9, true},
		{"pid", eventtest.New(schema.CloneX).Int(77).Event(), 77, true},
		{"fd", openat().Event(), 3, true},
		{"absent", eventtest.New(schema.CloseX).Event(), 0, false},
		{"no parameters", eventtest.New(schema.CloseX).Params(0).Event(), 0, false},
		{"generic", eventtest.New(schema.GenericX).Uint(5).Uint(5).Event(), 0, false},
		{"tracepoint", eventtest.New(schema.ProcexitE).Int(0).Event(), 0, false},
		{"switch", eventtest.New(schema.SwitchE).Int(5).Event(), 0, false},
	} {
		if v, ok := tt.ev.Return(); v != tt.want || ok != tt.ok {
			t.Errorf("%s: %d, %v, want %d, %v", tt.name, v, ok, tt.want, tt.ok)
		}
	}
}

// use calls every accessor: none may panic after a successful Decode.
func use(ev *event.Event) {
	var buf []byte
	for i := -1; i <= schema.MaxParams; i++ {
		ev.Param(i)
		ev.Uint(i)
		ev.Int(i)
		ev.Str(i)
		buf = ev.AppendRaw(buf[:0], i, nil)
		buf = ev.AppendResolved(buf[:0], i, people{})
		buf = ev.AppendArg(buf[:0], i, people{})
		event.ParseAddr(ev.Param(i))
		event.ParseTuple(ev.Param(i))
		for range event.FDList(ev.Param(i)) {
		}
	}
	ev.Return()
	buf = ev.AppendArgs(buf[:0], nil)
	ev.AppendArgs(buf[:0], people{})
}

func FuzzDecode(f *testing.F) {
	addr := netip.MustParseAddrPort("10.0.0.5:80")
	for _, rec := range [][]byte{
		openat().Bytes(),
		eventtest.New(schema.ConnectX).Int(0).Tuple(addr, addr).Int(3).Addr(addr).Bytes(),
		eventtest.New(schema.ConnectX).Int(0).UnixTuple(1, 2, "/run/x").Int(3).Unix("/run/x").Bytes(),
		eventtest.New(schema.PollX).Int(1).Raw([]byte{1, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0}).Bytes(),
		eventtest.New(schema.PtraceX).Int(0).Raw([]byte{1, 9}).Raw([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8}).Bytes(),
		eventtest.New(schema.AsynceventE).Uint(0).Str("container").Raw([]byte("{}")).Bytes(),
		eventtest.New(schema.GenericX).Uint(39).Uint(39).Bytes(),
	} {
		f.Add(rec)
	}
	f.Fuzz(func(t *testing.T, rec []byte) {
		var ev event.Event
		n, err := ev.Decode(rec)
		if err != nil {
			return
		}
		if n < schema.HeaderSize || n > len(rec) || ev.Info == nil || ev.Info.Type != ev.Type {
			t.Fatalf("Decode = %d of %d bytes, type %v", n, len(rec), ev.Type)
		}
		use(&ev)
	})
}

func BenchmarkDecode(b *testing.B) {
	rec := openat().Bytes()
	var ev event.Event
	b.ReportAllocs()
	b.SetBytes(int64(len(rec)))
	for b.Loop() {
		if _, err := ev.Decode(rec); err != nil {
			b.Fatal(err)
		}
	}
}

func TestDecodeDoesNotAllocate(t *testing.T) {
	rec := openat().Bytes()
	var ev event.Event
	buf := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(1000, func() {
		ev.Decode(rec)
		buf = ev.AppendArgs(buf[:0], people{})
	}); n != 0 {
		t.Errorf("%v allocations for decoding and printing an event", n)
	}
}
