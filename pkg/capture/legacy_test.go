// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/tests/vm"
)

// sysdig returns the path of the reader of 2022, which is installed if need be.
func sysdig(t *testing.T) string {
	t.Helper()
	path := vm.Tool(t, "sysdig", "sysdig")
	if out, err := exec.Command(path, "--version").Output(); err != nil || !strings.Contains(string(out), " 0.29.") {
		t.Skipf("SKIP 1 cases: this is no sysdig of 2022: %s %v", bytes.TrimSpace(out), err)
	}
	return path
}

// told is what sysdig prints of the exits in a capture. It crashes now and then
// on what it does not know; then what it printed is what counts.
func told(t *testing.T, path, file string) []string {
	t.Helper()
	const format = "*%evt.rawtime %evt.cpu %thread.tid %evt.type|%fd.num|%fd.name|%proc.cmdline"
	out, err := exec.Command(path, "-r", file, "-p", format, "evt.dir=<").Output()
	if err != nil {
		t.Errorf("sysdig -r %s: %v", filepath.Base(file), err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// Whoever has a sysdig of 2022 sees in our legacy captures what it would have
// seen in its own: descriptors and command lines agree to the last event.
func TestLegacyIsUnderstood(t *testing.T) {
	path := sysdig(t)
	for _, name := range given(t) {
		base := filepath.Base(name)
		if strings.HasSuffix(base, "-adaptive.scap") || strings.HasSuffix(base, "-b-files.scap") {
			continue // the others have everything in them, and are quicker
		}
		t.Run(base, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), base)
			f, err := os.Create(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			raw := unpacked(t, name)
			w := rewrite(t, bytes.NewReader(raw), f, true)
			got := told(t, path, file)
			if strings.HasPrefix(base, "sysdig029") {
				want := told(t, path, name)
				for i := range min(len(want), len(got)) {
					if want[i] != got[i] {
						t.Fatalf("line %d is\n%s\nexpected\n%s", i, got[i], want[i])
					}
				}
				if len(want) != len(got) {
					t.Errorf("%d lines, expected %d", len(got), len(want))
				}
				return
			}
			// It dies early in the file as it was; now it gets to the end. Names of
			// calls that changed since then differ, times do not.
			if last, want := lastTime(t, raw), strings.SplitN(got[len(got)-1], " ", 2)[0]; last != want {
				t.Errorf("sysdig printed %d lines, up to %s; the last exit of %d events was at %s", len(got), want, w.Stats().Events, last)
			}
		})
	}
}

// lastTime returns when the last exit happened that the reader of 2022 knows.
func lastTime(t *testing.T, raw []byte) string {
	var out bytes.Buffer
	rewrite(t, bytes.NewReader(raw), &out, true)
	r, err := NewReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	last := ""
	r.raw = func(rec *Record) {
		e, at := decode(rec)
		if e.Class == schema.ClassSyscall && !e.Type.IsEnter() {
			last = at
		}
	}
	for err == nil {
		_, err = r.Next()
	}
	return last
}

// Enter events of our own take the place of those that come along, values that
// are not there have a stand-in, and what is new is told as what it was.
func TestLegacyEvents(t *testing.T) {
	id := func(rec []byte) string { return schema.EventType(binary.LittleEndian.Uint16(rec[20:])).String() }
	for _, c := range []struct {
		name string
		in   *eventtest.Builder
		want []*eventtest.Builder
	}{
		{"read", eventtest.New(schema.ReadX).Int(2).Raw([]byte("hi")).Int(3).Uint(80), []*eventtest.Builder{
			eventtest.New(schema.ReadE).Int(3).Uint(80), eventtest.New(schema.ReadX).Int(2).Raw([]byte("hi")).Params(2)}},
		{"an enter event", eventtest.New(schema.OpenE).Str("/x").Uint(1).Uint(0), nil},
		{"dup2", eventtest.New(schema.Dup2X).Int(5).Int(3).Int(5), []*eventtest.Builder{
			eventtest.New(schema.Dup0E).Int(3), eventtest.New(schema.Dup0X).Int(5)}},
		{"wider and narrower numbers", eventtest.New(schema.Eventfd2X).Int(5).Uint(0x8002).Uint(7), []*eventtest.Builder{
			eventtest.New(schema.EventfdE).Uint(7).Uint(0x8002), eventtest.New(schema.EventfdX).Int(5).Params(1)}},
		{"bpf", eventtest.New(schema.BpfX).Int(-1).Uint(2), []*eventtest.Builder{
			eventtest.New(schema.Bpf0E).Int(2), eventtest.New(schema.Bpf0X).Raw([]byte{1, 255, 255, 255, 255, 255, 255, 255, 255})}},
		{"absent values", eventtest.New(schema.OpenatX).Int(-14), []*eventtest.Builder{
			eventtest.New(schema.OpenatE).Int(-1).Str("<NA>").Uint(0).Uint(0),
			eventtest.New(schema.OpenatX).Int(-14).Int(-1).Str("<NA>").Uint(0).Uint(0).Uint(0).Params(6)}},
		{"a new call", eventtest.New(schema.ChownX).Int(0).Str("/x").Uint(0).Uint(0), []*eventtest.Builder{
			eventtest.New(schema.GenericX).Uint(uint64(schema.ScChown)).Params(1)}},
		{"a call without a name then", eventtest.New(schema.GenericX).Uint(400).Uint(334), []*eventtest.Builder{
			eventtest.New(schema.GenericX).Uint(0).Params(1)}},
		{"the child's clone", eventtest.New(schema.CloneX).Int(0), []*eventtest.Builder{nil}},
		{"a user", eventtest.New(schema.UserAddedE).Uint(5), nil},
	} {
		var b bytes.Buffer
		w := NewWriter(&b, true)
		if err := w.Event(9, 1, 0, c.in.TS(9).Bytes(), nil); err != nil {
			t.Fatal(err)
		}
		w.Flush()
		got := blocks(b.Bytes())[1:]
		if len(got) != len(c.want) {
			t.Errorf("%s: %d events, expected %d", c.name, len(got), len(c.want))
			continue
		}
		for i, want := range c.want {
			if want == nil {
				continue
			}
			rec := got[i][blockHead+2:]
			rec = rec[:binary.LittleEndian.Uint32(rec[16:])]
			if x := want.TS(9).Bytes(); !bytes.Equal(rec, x) {
				t.Errorf("%s: %s is\n%x, expected %s\n%x", c.name, id(rec), rec, id(x), x)
			}
		}
	}
}

// Whatever an event holds, a legacy writer survives it, and its file can be read.
func FuzzLegacy(f *testing.F) {
	f.Add(eventtest.New(schema.ConnectX).Int(0).Raw(make([]byte, 13)).Int(3).Bytes())
	f.Add(eventtest.New(schema.BpfX).Int(-1).Uint(2).Bytes())
	f.Fuzz(func(t *testing.T, rec []byte) {
		if len(rec) >= schema.HeaderSize {
			binary.LittleEndian.PutUint32(rec[16:], uint32(len(rec)))
		}
		var b bytes.Buffer
		w := NewWriter(&b, true)
		w.Event(1, 0, 0, rec, nil)
		w.Flush()
		r, err := NewReader(&b)
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = r.Next()
		}
		if s := r.Stats(); s.Malformed != 0 || !errors.Is(err, io.EOF) && !errors.Is(err, ErrNoEvents) {
			t.Errorf("%v: %+v", err, s)
		}
	})
}
