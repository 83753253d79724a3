// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// window is how much of a file is in memory that nobody reads ahead; a power of two
// above the longest block of an ordinary event.
const window = 1 << 18

// source is a file as a window that moves over it. What need returns is a view
// that lives until the next need.
type source struct {
	raw   counter // the file as it lies on the disk
	kind  Compression
	ahead *ahead // that reads it; nil: nobody, need does
	hasty bool   // not to wait for ahead
	stop  func()

	buf    []byte
	whole  []byte // the chunk of ahead that buf is; nil if it is memory of our own
	lo, hi int    // buf[lo:hi] is read and not yet used
	off    int64  // of buf[lo] in the uncompressed file
	err    error  // that reading ended with
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

// open sniffs how r is packed and unpacks it from then on. What is packed is read
// ahead, and all if o is not nil.
func (s *source) open(r io.Reader, o *Ahead) error {
	s.raw.r = r
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
	case o == nil:
		return nil
	}
	if o == nil {
		o = &Ahead{}
	}
	from, end := io.MultiReader(bytes.NewReader(s.buf[:s.hi]), &s.raw), func() {}
	switch s.kind {
	case Gzip:
		z, err := gzip.NewReader(bufio.NewReaderSize(from, chunkBytes))
		if err != nil {
			return fmt.Errorf("gzip: %w", err)
		}
		from = z
	case Zstd:
		z, err := zstd.NewReader(from, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err != nil {
			return fmt.Errorf("zstd: %w", err)
		}
		from, end = z, z.Close
	}
	s.buf, s.lo, s.hi, s.err = nil, 0, 0, nil
	s.ahead = newAhead(from, *o, end)
	s.stop = sync.OnceFunc(s.ahead.stop)
	return nil
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
	for s.hi-s.lo < n {
		if s.err != nil {
			return nil, s.short()
		}
		if s.ahead == nil {
			s.read(n)
		} else if c, ok := s.ahead.take(!s.hasty); ok {
			s.move(c)
		} else {
			return nil, ErrWait
		}
	}
	return s.buf[s.lo : s.lo+n], nil
}

// move moves the window on to c. What is left of the one before goes to the room in
// front of it.
func (s *source) move(c chunk) {
	kept := s.buf[s.lo:s.hi]
	s.err = c.err
	if room := chunkRoom - len(kept); room >= 0 {
		copy(c.b[room:], kept)
		if s.whole != nil {
			s.ahead.give(s.whole)
		}
		s.buf, s.whole, s.lo, s.hi = c.b, c.b, room, len(c.b)
		return
	}
	// A giant is put together in memory that is taken as bytes come in, not as a length
	// promises them, and that goes with it.
	if s.whole != nil {
		s.buf = append(make([]byte, 0, 2*(chunkRoom+chunkBytes)), kept...)
		s.ahead.give(s.whole)
		s.whole = nil
	} else {
		s.buf = s.buf[:copy(s.buf, kept)]
	}
	s.buf = append(s.buf, c.b[chunkRoom:]...)
	s.lo, s.hi = 0, len(s.buf)
	s.ahead.give(c.b)
}

// read moves the window on to where n bytes are wanted, and reads some of them.
func (s *source) read(n int) {
	if kept := s.buf[s.lo:s.hi]; len(s.buf) > window && max(n, len(kept)) < window/2 {
		s.buf = make([]byte, window) // one giant does not keep its memory
		s.lo, s.hi = 0, copy(s.buf, kept)
	} else if s.lo > 0 {
		s.lo, s.hi = 0, copy(s.buf, kept)
	}
	if s.hi == len(s.buf) {
		s.buf = append(s.buf, make([]byte, len(s.buf))...) // as bytes come in here, too
	}
	var m int
	m, s.err = readAtLeast(&s.raw, s.buf[s.hi:], 1)
	s.hi += m
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
