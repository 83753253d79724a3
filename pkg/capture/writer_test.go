// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/falco-go/falco/pkg/schema"
)

// given returns the recordings that were given for comparison, without the
// large one; it skips the test if they are not there.
func given(t testing.TB) []string {
	t.Helper()
	shared := os.Getenv("FALCO_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "..", "shared")
	}
	files, _ := filepath.Glob(filepath.Join(shared, "data", "captures", "*.scap"))
	files = slices.DeleteFunc(files, func(f string) bool { return filepath.Base(f) == "libs0254-large.scap" })
	if len(files) == 0 {
		t.Skip("SKIP 1 cases: FALCO_SHARED not found")
	}
	return files
}

// unpacked returns the bytes of a recording.
func unpacked(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
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

// decode returns the row of an event and its time as text.
func decode(rec *Record) (*schema.Event, string) {
	return schema.EventType(binary.LittleEndian.Uint16(rec.Event[20:])).Info(),
		strconv.FormatUint(binary.LittleEndian.Uint64(rec.Event), 10)
}
