// SPDX-License-Identifier: Apache-2.0

package state

import (
	"hash/maphash"
	"slices"
	"strings"
	"testing"
)

func TestList(t *testing.T) {
	like := []string{"-l", "", "/tmp"}
	in := interner{seed: maphash.MakeSeed()}
	for _, c := range []struct {
		in     string
		want   []string
		shared bool
	}{
		{"", nil, false},
		{"\x00", []string{""}, false},
		{"a", []string{"a"}, false},
		{"a\x00b\x00", []string{"a", "b"}, false},
		{"a\x00\x00", []string{"a", ""}, false},
		{"-l\x00\x00/tmp\x00", like, true},
		{"-l\x00\x00/tmp", like, true},
		{"-l\x00\x00/tmp\x00x\x00", []string{"-l", "", "/tmp", "x"}, false},
		{"-l\x00\x00/tm", []string{"-l", "", "/tm"}, false},
		{"-l\x00\x00/tmpx\x00", []string{"-l", "", "/tmpx"}, false},
		{"-l\x00", []string{"-l"}, false},
		{"-l", []string{"-l"}, false},
		{"-l\x00\x00", []string{"-l", ""}, false},
	} {
		got, cut := in.list([]byte(c.in), like)
		if !slices.Equal(got, c.want) || cut {
			t.Errorf("%q: %q %v", c.in, got, cut)
		}
		if shared := len(got) == len(like) && &got[0] == &like[0]; shared != c.shared {
			t.Errorf("%q: shared %v", c.in, shared)
		}
	}
	if got, cut := in.list([]byte(strings.Repeat("x", maxList+1)), nil); !cut || len(got) != 1 || len(got[0]) != maxList {
		t.Errorf("a long list: cut %v", cut)
	}
}

func TestInterner(t *testing.T) {
	in := interner{seed: maphash.MakeSeed()}
	buf := []byte("/usr/lib")
	a := in.bytes(buf)
	buf[1] = 'X'
	if a != "/usr/lib" || in.bytes(buf) != "/Xsr/lib" || in.str("/Xsr/lib") != "/Xsr/lib" {
		t.Error("texts are views of what was handed in")
	}
	long := strings.Repeat("x", maxInterned+1)
	if in.str(long) != long || in.bytes([]byte(long)) != long || in.str("") != "" {
		t.Error("long or empty texts change")
	}
}
