// SPDX-License-Identifier: Apache-2.0

package field

import (
	"encoding/json"
	"math"
	"net/netip"
	"testing"
	"unicode/utf8"

	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/schema"
)

func TestRender(t *testing.T) {
	none := []Value(nil)
	for _, tt := range []struct {
		token  string
		values []Value
		text   string
		json   string
	}{
		{"proc.name", []Value{{Str: "a\"b\\c\n\x01é\xff"}}, "a\"b\\c\n\x01é\xff", `"a\"b\\c\n\u0001é` + "\uFFFD\""},
		{"proc.name", []Value{{Str: ""}}, "", `""`},
		{"proc.name", none, "<NA>", "null"},
		{"proc.aname", []Value{{Str: "a"}, {Str: "b"}}, "a b", `"a b"`},
		{"proc.aname", none, "<NA>", "null"},
		{"fd.types", []Value{{Str: "ipv4"}, {Str: "file"}}, "(ipv4,file)", `["ipv4","file"]`},
		{"fd.types", none, "<NA>", "null"},
		{"fd.types[3]", []Value{{Str: "file"}}, "file", `"file"`},
		{"fd.num", []Value{{Num: math.MaxUint64}}, "-1", "-1"},
		{"evt.num", []Value{{Num: math.MaxUint64}}, "18446744073709551615", "18446744073709551615"},
		{"evt.rawtime.ns", []Value{{Num: 5_000_001}}, "005000001", "5000001"},
		{"evt.rawtime.ns", []Value{{Num: 0}}, "000000000", "0"},
		{"evt.reltime", []Value{{Num: 12_345_678_901}}, "12345678901", "12345678901"},
		{"evt.time", []Value{{Str: "16:00:00.000000000", Num: 7}}, "16:00:00.000000000", "7"},
		{"evt.failed", []Value{{Num: 1}}, "true", "true"},
		{"evt.failed", []Value{{}}, "false", "false"},
		{"fd.sport", []Value{{Num: 443}}, "443", "443"},
		{"fd.sip", []Value{{IP: netip.MustParseAddr("2001:db8::1")}}, "2001:db8::1", `"2001:db8::1"`},
		{"fd.ip", []Value{{IP: netip.MustParseAddr("10.0.0.1")}}, "<NA>", `"<NA>"`},
		{"fd.cnet", []Value{{IP: netip.MustParseAddr("10.0.0.1")}}, "<IPNET>", `"<IPNET>"`},
		{"fd.dev", []Value{{Num: 0xfe10}}, "FE10", `"FE10"`},
		{"proc.fdusage", []Value{{Num: math.Float64bits(12.34)}}, "12.3", "12.3"},
		{"evt.buffer", []Value{{Str: "a\x00\xff\"\n"}}, "a..\".", `"a..\"."`},
		{"evt.rawarg.flags", []Value{{Num: 263}}, "107", `"107"`},
		{"evt.rawarg.mode", []Value{{Num: 0o755}}, "755", `"755"`},
		{"evt.rawarg.uid", []Value{{Num: 1000}}, "1000", "1000"},
		{"evt.rawarg.tuple", []Value{{Str: "1.2.3.4:5->6.7.8.9:80"}}, "1.2.3.4:5->6.7.8.9:80", `"1.2.3.4:5->6.7.8.9:80"`},
	} {
		r, err := Parse(tt.token)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(r.AppendAll(nil, tt.values)); got != tt.text {
			t.Errorf("%s prints %q, want %q", tt.token, got, tt.text)
		}
		got := r.AppendJSON(nil, tt.values)
		if string(got) != tt.json {
			t.Errorf("%s in JSON is %s, want %s", tt.token, got, tt.json)
		}
		if !json.Valid(got) || !utf8.Valid(got) {
			t.Errorf("%s: %q is no JSON", tt.token, got)
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
