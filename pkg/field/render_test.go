// SPDX-License-Identifier: Apache-2.0

package field

import (
	"math"
	"net/netip"
	"testing"

	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/schema"
)

func TestRender(t *testing.T) {
	for _, tt := range []struct {
		token string
		value Value
		want  string
	}{
		{"proc.name", Value{Str: "a\"b\n\x01é\xff"}, "a\"b\n\x01é\xff"},
		{"proc.name", Value{}, ""},
		{"fd.num", Value{Num: math.MaxUint64}, "-1"},
		{"evt.num", Value{Num: math.MaxUint64}, "18446744073709551615"},
		{"evt.cpu", Value{Num: 1}, "1"},
		{"evt.rawtime.ns", Value{Num: 5_000_001}, "005000001"},
		{"evt.rawtime.ns", Value{}, "000000000"},
		{"evt.reltime", Value{Num: 12_345_678_901}, "12345678901"},
		{"evt.failed", Value{Num: 1}, "true"},
		{"evt.failed", Value{}, "false"},
		{"fd.sport", Value{Num: 443}, "443"},
		{"fd.sip", Value{IP: netip.MustParseAddr("2001:db8::1")}, "2001:db8::1"},
		{"fd.sip", Value{}, "<NA>"},
		{"fd.dev", Value{Num: 0xfe10}, "FE10"},
		{"fd.dev", Value{Num: math.MaxUint64}, "FFFFFFFF"},
		{"proc.fdusage", Value{Num: math.Float64bits(12.34)}, "12.3"},
		{"evt.buffer", Value{Str: "a\x00\xff\"\n"}, "a..\"."},
		{"evt.rawarg.flags", Value{Num: 263}, "107"},
		{"evt.rawarg.mode", Value{Num: 0o755}, "755"},
		{"evt.rawarg.uid", Value{Num: 1000}, "1000"},
		{"evt.rawarg.tuple", Value{Str: "1.2.3.4:5->6.7.8.9:80"}, "1.2.3.4:5->6.7.8.9:80"},
	} {
		r, err := Parse(tt.token)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(r.AppendText([]byte("x"), tt.value)); got != "x"+tt.want {
			t.Errorf("%s prints %q, want %q", tt.token, got, "x"+tt.want)
		}
	}
}

func TestSchemaNames(t *testing.T) {
	seen := make(map[string]bool)
	for typ := Type(1); typ < numTypes; typ++ {
		name := typ.SchemaName()
		if name == "" || seen[name] {
			t.Errorf("type %d is called %q", typ, name)
		}
		seen[name] = true
	}
	if Type(0).SchemaName() != "NONE" || Type(200).SchemaName() != "NONE" {
		t.Error("what is no type has a name")
	}
}

// A parameter that is a number in one event and a text in another has the type
// of the first; the other one's value is not mistaken for it.
func TestRawArgOfAnotherKind(t *testing.T) {
	w := newWorld(t)
	w.clone(40, 40, 30, 0)
	mount := w.apply(40, eventtest.New(schema.MountX).Int(0).Str("/dev/sda1").Str("/mnt").Str("ext4").Uint(0))
	check(t, mount, map[string]string{"evt.rawarg.dev": "-", "evt.rawarg.type": "-", "evt.arg.dev": "/dev/sda1", "evt.rawarg.dir": "/mnt"})
	open := w.apply(40, eventtest.New(schema.OpenX).Int(3).Str("/x").Uint(1).Uint(0).Uint(0xfe10).Uint(1))
	check(t, open, map[string]string{"evt.rawarg.dev": "FE10", "evt.rawarg.type": "-"})
}
