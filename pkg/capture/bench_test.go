// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// unpackedFile returns the large recording unpacked, from a cache.
func unpackedFile(b *testing.B) string {
	b.Helper()
	packed := captures(b)[0]
	packed = filepath.Join(filepath.Dir(packed), "libs0254-large.scap")
	dir, err := os.UserCacheDir()
	if err != nil {
		b.Skip(err)
	}
	dir = filepath.Join(dir, "falco-go")
	name := filepath.Join(dir, "libs0254-large.raw")
	if _, err := os.Stat(name); err == nil {
		return name
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	in, err := os.Open(packed)
	if err != nil {
		b.Skip(err)
	}
	defer in.Close()
	z, err := gzip.NewReader(in)
	if err != nil {
		b.Fatal(err)
	}
	out, err := os.CreateTemp(dir, "unpacking")
	if err != nil {
		b.Fatal(err)
	}
	defer os.Remove(out.Name())
	if _, err := io.Copy(out, z); err != nil {
		b.Fatal(err)
	}
	if err := out.Close(); err != nil {
		b.Fatal(err)
	}
	if err := os.Rename(out.Name(), name); err != nil {
		b.Fatal(err)
	}
	return name
}

// BenchmarkReader reads the largest recording; one operation is all of it.
func BenchmarkReader(b *testing.B) {
	plain := unpackedFile(b)
	packed := filepath.Join(filepath.Dir(captures(b)[0]), "libs0254-large.scap")
	for _, c := range []struct{ name, file string }{{"plain", plain}, {"gzip", packed}} {
		b.Run(c.name, func(b *testing.B) { benchmark(b, func() (io.Reader, error) { return os.Open(c.file) }) })
	}
	old, err := os.ReadFile(filepath.Join(filepath.Dir(packed), "sysdig029-b-files.scap"))
	if err != nil {
		b.Skip(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(old))
	if err != nil {
		b.Fatal(err)
	}
	if old, err = io.ReadAll(z); err != nil {
		b.Fatal(err)
	}
	b.Run("old", func(b *testing.B) { benchmark(b, func() (io.Reader, error) { return bytes.NewReader(old), nil }) })
}

func benchmark(b *testing.B, open func() (io.Reader, error)) {
	b.ReportAllocs()
	var events uint64
	for b.Loop() {
		in, err := open()
		if err != nil {
			b.Fatal(err)
		}
		r, err := NewReader(in)
		if err != nil {
			b.Fatal(err)
		}
		for {
			if _, err = r.Next(); err != nil {
				break
			}
		}
		if !errors.Is(err, io.EOF) {
			b.Fatal(err)
		}
		st := r.Stats()
		b.SetBytes(st.Bytes)
		events += st.Delivered + st.Enters
		r.Close()
		if c, ok := in.(io.Closer); ok {
			c.Close()
		}
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
}
