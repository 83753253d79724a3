// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"slices"
	"syscall"
	"testing"

	"github.com/falco-go/falco/pkg/event/eventtest"
	"github.com/falco-go/falco/pkg/schema"
)

// disk is a file on a disk that has room for so many bytes.
type disk struct {
	data []byte
	room int
}

func (d *disk) Write(p []byte) (int, error) {
	n := min(len(p), d.room-len(d.data))
	d.data = append(d.data, p[:n]...)
	if n < len(p) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

func (d *disk) Truncate(size int64) error { d.data = d.data[:size]; return nil }
func (d *disk) Close() error              { return nil }

// event returns a write of some bytes at a time.
func someWrite(ts uint64) []byte {
	return eventtest.New(schema.WriteX).Tid(7).TS(ts).Int(5).Raw([]byte("hello")).Int(1).Uint(5).Bytes()
}

// fill writes events until nothing is taken any more and returns how many were.
func fill(t *testing.T, f *File) *Writer {
	t.Helper()
	w := NewWriter(f, false)
	for i := uint64(1); i <= 1<<16; i++ {
		if err := w.Event(i, 0, 0, someWrite(1), nil); err != nil {
			return w
		}
	}
	w.Flush()
	return w
}

// count reads a capture to its end, which has to be a good one.
func count(t *testing.T, data []byte) (n uint64) {
	t.Helper()
	r, err := NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			t.Fatalf("after %d events: %v", n, err)
		}
		if n++; !bytes.Equal(rec.Event, someWrite(n)) {
			t.Fatalf("event %d is %x", n, rec.Event)
		}
	}
}

// A full disk leaves a file that is whole up to there.
func TestFullDisk(t *testing.T) {
	for _, compress := range []bool{false, true} {
		for _, room := range []int{1 << 20, 1<<20 + 1, 1<<20 + 50, 300_000} {
			d := &disk{room: room}
			f := NewFile(d, compress, 0)
			w := fill(t, f)
			if compress && w.Err() == nil {
				continue // it was enough
			}
			if !errors.Is(w.Err(), syscall.ENOSPC) || !errors.Is(f.Err(), syscall.ENOSPC) {
				t.Errorf("compressed %v, room %d: %v, %v", compress, room, w.Err(), f.Err())
			}
			if int64(len(d.data)) != f.Size() {
				t.Errorf("compressed %v, room %d: %d bytes, and Size says %d", compress, room, len(d.data), f.Size())
			}
			n := count(t, d.data)
			if n == 0 || !compress && len(d.data) < room-200 {
				t.Errorf("compressed %v, room %d: only %d events in %d bytes", compress, room, n, len(d.data))
			}
		}
	}
}

// A file does not grow beyond its limit, and is whole.
func TestLimit(t *testing.T) {
	for _, compress := range []bool{false, true} {
		const limit = 40_000
		d := &disk{room: 1 << 30}
		w := fill(t, NewFile(d, compress, limit))
		if !errors.Is(w.Err(), ErrLimit) {
			t.Errorf("compressed %v: %v", compress, w.Err())
		}
		if n := count(t, d.data); len(d.data) > limit || n == 0 {
			t.Errorf("compressed %v: %d events in %d bytes", compress, n, len(d.data))
		}
	}
}

// A writer below that has no Truncate keeps what it got: the reader says where it ends.
func TestCutPipe(t *testing.T) {
	d := &disk{room: 1000}
	f := NewFile(struct{ io.WriteCloser }{d}, false, 0)
	if w := fill(t, f); !errors.Is(w.Err(), syscall.ENOSPC) || len(d.data) != 1000 || f.Size() > 1000 {
		t.Errorf("%v, %d bytes, Size %d", w.Err(), len(d.data), f.Size())
	}
}

// What stands beside an event comes back, and others' options stay what they are.
func TestOptions(t *testing.T) {
	extensions := []byte{1, 0, 3, 0, 'a', 'b', 'c', 2, 0, 0, 0}
	theirs := []byte{1, 0, 2, 0, 'h', 'i', 0, 0, 0, 0, 0, 0}
	for name, options := range map[string][]byte{
		"none": nil, "flags": AppendOptions(nil, 0x24, nil), "both": AppendOptions(nil, 0x04, extensions), "theirs": theirs,
	} {
		var b bytes.Buffer
		w := NewWriter(&b, false)
		for size := range 5 { // every padding
			rec := eventtest.New(schema.WriteX).Int(5).Raw(make([]byte, size)).Int(1).Uint(5).Bytes()
			w.Event(1, 3, 0, rec, options)
		}
		w.Flush()
		r, err := NewReader(&b)
		if err != nil {
			t.Fatal(err)
		}
		for size := range 5 {
			rec, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(rec.Options, options) {
				t.Errorf("%s, %d: options %x, expected %x", name, size, rec.Options, options)
			}
			want := map[string]uint32{"flags": 0x24, "both": 0x04}[name]
			if got := rec.Prefix(); got != want {
				t.Errorf("%s, %d: flags %#x", name, size, got)
			}
			var ids []uint16
			var values []string
			for id, v := range rec.Extensions() {
				ids, values = append(ids, id), append(values, string(v))
			}
			if back := rec.AppendExtensions(nil); name == "both" && !bytes.Equal(back, extensions) || name != "both" && back != nil {
				t.Errorf("%s, %d: extensions %x", name, size, back)
			}
			if name == "both" && (!slices.Equal(ids, []uint16{1, 2}) || !slices.Equal(values, []string{"abc", ""})) || name != "both" && ids != nil {
				t.Errorf("%s, %d: extensions %v %q", name, size, ids, values)
			}
		}
	}
}

// What no reader takes is refused, cut or left out, and counted.
func TestRefused(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b, false)
	big := eventtest.New(schema.ExecveX).Raw(make([]byte, 8)).Str("x").Raw(make([]byte, 65000)).
		Set("env", make([]byte, 500)).Set("cgroups", make([]byte, 200)).Bytes()
	w.Event(1, 0, 0, big[:30], nil)
	if err := w.Event(1, 0, 0, big[:30], nil); err == nil {
		t.Error("half an event was taken")
	}
	w.Event(1, 0, 0, big, nil)
	long := string(bytes.Repeat([]byte("x"), 70_000))
	w.Machine(&Machine{Hostname: long})
	w.Proc(&Proc{Tid: 1, Pid: 1, Comm: long, Args: []string{long, long}, Cwd: long})
	w.FD(&FD{Tid: 1, Num: 1, Type: FDFileV2, Name: long})
	w.FD(&FD{Tid: 1, Num: 2, Type: FDIPv4, Src: netip.MustParseAddrPort("[::1]:1")})
	w.User(&User{Name: long})
	w.Event(1, 0, 0, someWrite(1), nil)
	w.Flush()
	if s := w.Stats(); s.TooBig != 1 || s.Cut != 5 || s.Events != 1 {
		t.Errorf("%+v", s)
	}
	r, err := NewReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); err != nil {
		t.Error(err)
	}
	if s := r.Stats(); s.BadEntries != 0 || s.Skipped != 0 {
		t.Errorf("%+v", s)
	}
}
