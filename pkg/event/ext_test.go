// SPDX-License-Identifier: Apache-2.0

package event_test

import (
	"bytes"
	"testing"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/schema"
)

func TestExtensions(t *testing.T) {
	const path = "\x01\x00\x05\x00/etc\x00"
	for _, c := range []struct {
		name, behind, ext, realpath string
		ok                          bool
	}{
		{name: "nothing"},
		{name: "padding", behind: "\x00\x00\x00\x00\x00\x00\x00"},
		{name: "path", behind: path + "\x00\x00", ext: path, realpath: "/etc", ok: true},
		{name: "path to the end", behind: path, ext: path, realpath: "/etc", ok: true},
		{name: "behind another", behind: "\x09\x00\x01\x00x" + path + "\x00\x00\x00\x00",
			ext: "\x09\x00\x01\x00x" + path, realpath: "/etc", ok: true},
		{name: "the first counts", behind: path + "\x01\x00\x03\x00/x\x00",
			ext: path + "\x01\x00\x03\x00/x\x00", realpath: "/etc", ok: true},
		{name: "another alone", behind: "\x09\x00\x00\x00", ext: "\x09\x00\x00\x00"},
		{name: "too long", behind: "\x01\x00\xff\xff/etc\x00"},
		{name: "without NUL", behind: "\x01\x00\x04\x00/etc", ext: "\x01\x00\x04\x00/etc"},
		{name: "empty", behind: "\x01\x00\x00\x00", ext: "\x01\x00\x00\x00"},
		{name: "behind the end", behind: "\x00\x00\x00\x00" + path},
	} {
		t.Run(c.name, func(t *testing.T) {
			rec := eventtest.New(schema.CloseX).Int(0).Int(3).Bytes()
			behind := []byte(c.behind)
			var e event.Event
			n, err := e.Decode(append(bytes.Clone(rec), behind...))
			if err != nil || n != len(rec) {
				t.Fatal(n, err)
			}
			if e.Ext() != nil {
				t.Error("extensions before SetExt")
			}
			e.SetExt(behind)
			if got := string(e.Ext()); got != c.ext {
				t.Errorf("Ext is %q, not %q", got, c.ext)
			}
			if got, ok := e.Realpath(); string(got) != c.realpath || ok != c.ok {
				t.Errorf("Realpath is %q, %v", got, ok)
			}
			if allocs := testing.AllocsPerRun(10, func() { e.SetExt(behind); e.Realpath() }); allocs != 0 {
				t.Errorf("%v allocations", allocs)
			}
			if _, err := e.Decode(rec); err != nil || e.Ext() != nil {
				t.Error("extensions outlive Decode")
			}
		})
	}
}

func FuzzExtensions(f *testing.F) {
	f.Add([]byte("\x01\x00\x05\x00/etc\x00\x00\x00"))
	f.Add([]byte("\x01\x00\xff\xff"))
	f.Fuzz(func(t *testing.T, behind []byte) {
		var e event.Event
		e.SetExt(behind)
		ext := bytes.Clone(e.Ext())
		if !bytes.HasPrefix(behind, ext) {
			t.Fatal("Ext is no beginning of what was set")
		}
		e.Realpath()
		e.Extension(9)
		if e.SetExt(ext); !bytes.Equal(e.Ext(), ext) {
			t.Fatal("Ext does not read back")
		}
	})
}
