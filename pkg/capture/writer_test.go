// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/falco-go/falco/pkg/schema"
)

// given returns the recordings that were given for comparison, without the
// large one; it skips the test if they are not there.
func given(t testing.TB) []string {
	t.Helper()
	return slices.DeleteFunc(captures(t), func(f string) bool { return filepath.Base(f) == "libs0254-large.scap" })
}

// corpus returns the recordings of our own.
func corpus(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("../../tests/corpus/*.scap")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	return files
}

// unpacked returns the bytes of a recording.
func unpacked(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if b[0] != 0x1f { // not packed
		return b
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if b, err = io.ReadAll(z); err != nil {
		t.Fatal(err)
	}
	return b
}

// blocks cuts a recording into its blocks.
func blocks(b []byte) (list [][]byte) {
	for len(b) >= blockHead {
		n := int(binary.LittleEndian.Uint32(b[4:]))
		list, b = append(list, b[:n]), b[n:]
	}
	return list
}

// rewrite reads a recording and writes it again.
func rewrite(t testing.TB, in io.Reader, out io.Writer, legacy bool) *Writer {
	t.Helper()
	r, err := NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w := NewWriter(out, legacy)
	if err := r.Seed(w); err != nil {
		t.Fatal(err)
	}
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Event(binary.LittleEndian.Uint64(rec.Event), rec.CPU, rec.Flags, rec.Event, rec.Options); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return w
}

// What the newest of the others has written comes out of our Writer byte by byte.
func TestWritesWhatOthersWrite(t *testing.T) {
	for _, name := range given(t) {
		if filepath.Base(name)[:4] != "libs" {
			continue
		}
		t.Run(filepath.Base(name), func(t *testing.T) {
			want := unpacked(t, name)
			var got bytes.Buffer
			rewrite(t, bytes.NewReader(want), &got, false)
			if bytes.Equal(got.Bytes(), want) {
				return
			}
			a, b := blocks(want), blocks(got.Bytes())
			t.Errorf("%d blocks, %d written", len(a), len(b))
			for i := range min(len(a), len(b)) {
				if !bytes.Equal(a[i], b[i]) {
					t.Fatalf("block %d is\n%x\nwritten\n%x", i, a[i][:min(len(a[i]), 400)], b[i][:min(len(b[i]), 400)])
				}
			}
		})
	}
}

// What was read and written reads the same again, in today's form and packed in
// all ways: tables, events, and what stands beside them.
func TestRoundTrip(t *testing.T) {
	files := append(given(t), oldest()...)
	for _, name := range append(files, corpus(t)...) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			raw := unpacked(t, name)
			var again bytes.Buffer
			rewrite(t, bytes.NewReader(raw), &again, false)
			a, b := newWalk(t, raw), newWalk(t, again.Bytes())
			if diff := cmp.Diff(a.tables, b.tables, netips); diff != "" {
				t.Errorf("tables: %s", diff)
			}
			n := 0
			for ; ; n++ {
				x, xerr := a.Next()
				y, yerr := b.Next()
				if xerr != nil || yerr != nil {
					if !errors.Is(xerr, io.EOF) || !errors.Is(yerr, io.EOF) {
						t.Errorf("%v, again %v", xerr, yerr)
					}
					break
				}
				if x.Num != y.Num || x.CPU != y.CPU || x.Flags != y.Flags || !bytes.Equal(x.Event, y.Event) || !bytes.Equal(x.Options, y.Options) {
					t.Fatalf("%+v, again %+v", x, y)
				}
			}
			if n == 0 || len(a.tables.Procs) == 0 {
				t.Errorf("%d events, %d threads", n, len(a.tables.Procs))
			}
		})
	}
}

// netips lets addresses be compared.
var netips = cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})

// walk is a reader with what it told before the first event.
type walk struct {
	*Reader
	tables *seen
}

func newWalk(t *testing.T, data []byte) walk {
	t.Helper()
	r, err := NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	w := walk{r, &seen{}}
	if err := r.Seed(w.tables); err != nil {
		t.Fatal(err)
	}
	return w
}

// decode returns the row of an event and its time as text.
func decode(rec *Record) (*schema.Event, string) {
	return schema.EventType(binary.LittleEndian.Uint16(rec.Event[20:])).Info(),
		strconv.FormatUint(binary.LittleEndian.Uint64(rec.Event), 10)
}
