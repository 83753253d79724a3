// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// window is how much of a file is in memory; a power of two above the longest
// block of an ordinary event.
const window = 1 << 18

// source is a file as a window that moves over it. What need returns is a view
// that lives until the next need.
type source struct {
	r    io.Reader
	raw  counter // of the file as it lies on the disk
	kind Compression
	stop func()

	buf    []byte
	lo, hi int   // buf[lo:hi] is read and not yet used
	off    int64 // of buf[lo] in the uncompressed file
	err    error // that r ended with
}

// Compression is how a file is packed.
type Compression uint8

// Values of Compression.
const (
	Plain Compression = iota
	Gzip
	Zstd
)

// String names c as users do.
func (c Compression) String() string { return [...]string{"plain", "gzip", "zstd"}[c] }

// counter counts what passes.
type counter struct {
	r io.Reader
	n atomic.Int64 // read by whoever unpacks, asked by whoever draws a progress bar
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// maxZstdWindow bounds what a zstd file can make us keep of what has passed.
const maxZstdWindow = 8 << 20

// open sniffs how r is packed and unpacks it from then on.
func (s *source) open(r io.Reader) error {
	s.raw.r = r
	s.r = &s.raw
	s.stop = func() {}
	s.buf = make([]byte, window)
	head, err := s.need(4)
	if err != nil {
		return err
	}
	switch {
	case head[0] == 0x1f && head[1] == 0x8b:
		s.kind = Gzip
	case bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		s.kind = Zstd
	default:
		return nil
	}
	// What was read belongs in front of the unpacker. It is copied, for the
	// window is about to hold what comes out of it.
	packed := io.MultiReader(bytes.NewReader(bytes.Clone(s.buf[s.lo:s.hi])), &s.raw)
	s.lo, s.hi, s.err = 0, 0, nil
	if s.kind == Gzip {
		z, err := gzip.NewReader(packed)
		if err != nil {
			return fmt.Errorf("gzip: %w", err)
		}
		s.ahead(z, func() {})
		return nil
	}
	z, err := zstd.NewReader(packed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxZstdWindow))
	if err != nil {
		return fmt.Errorf("zstd: %w", err)
	}
	s.ahead(z, z.Close)
	return nil
}

// ahead lets somebody else do the unpacking.
func (s *source) ahead(z io.Reader, end func()) {
	a := newAhead(z, end)
	s.r, s.stop = a, sync.OnceFunc(a.stop)
}

// need returns the next n bytes without using them up. io.EOF says that there is
// not one byte left, io.ErrUnexpectedEOF that there are fewer than n.
func (s *source) need(n int) ([]byte, error) {
	if s.hi-s.lo >= n {
		return s.buf[s.lo : s.lo+n], nil
	}
	return s.fill(n)
}

func (s *source) fill(n int) ([]byte, error) {
	if kept := s.buf[s.lo:s.hi]; len(s.buf) > window && max(n, len(kept)) < window/2 {
		s.buf = make([]byte, window) // one giant does not keep its memory
		s.lo, s.hi = 0, copy(s.buf, kept)
	} else if s.lo > 0 {
		s.lo, s.hi = 0, copy(s.buf, kept)
	}
	idle := 0
	for s.hi < n {
		if s.err != nil {
			return nil, s.short()
		}
		if s.hi == len(s.buf) {
			// Memory is taken as bytes come in, not as a length promises them.
			s.buf = append(s.buf, make([]byte, len(s.buf))...)
		}
		m, err := s.r.Read(s.buf[s.hi:])
		s.hi += m
		s.err = err
		if idle++; m > 0 {
			idle = 0
		} else if idle == 100 && err == nil {
			s.err = io.ErrNoProgress
		}
	}
	return s.buf[:n], nil
}

// short tells why there is less than somebody needed.
func (s *source) short() error {
	switch {
	case errors.Is(s.err, io.EOF) && s.hi == s.lo:
		return io.EOF
	case errors.Is(s.err, io.EOF), errors.Is(s.err, io.ErrUnexpectedEOF):
		return io.ErrUnexpectedEOF
	case s.kind != Plain:
		return fmt.Errorf("%v: %w", s.kind, s.err)
	}
	return s.err
}

// use moves on by n bytes, which need has returned.
func (s *source) use(n int) {
	s.lo += n
	s.off += int64(n)
}

// skip moves on by n bytes, seen or not.
func (s *source) skip(n int) error {
	for n > 0 {
		if s.lo == s.hi {
			if _, err := s.need(1); err != nil {
				if errors.Is(err, io.EOF) {
					err = io.ErrUnexpectedEOF
				}
				return err
			}
		}
		step := min(n, s.hi-s.lo)
		s.use(step)
		n -= step
	}
	return nil
}
