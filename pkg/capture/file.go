// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
)

// ErrLimit says that a file has reached the size that it may have.
var ErrLimit = errors.New("size limit reached")

// File is the end of a capture that lies on a disk: it takes whole blocks from
// a Writer, compresses them if wanted, and keeps the file valid. Each Write
// becomes a gzip stream of its own, one behind the other, so that the file can
// be read up to the last Write however a run ends. If a write fails, for the
// disk is full, the file is cut behind its last whole block.
type File struct {
	to    io.WriteCloser
	gz    *gzip.Writer // nil: not compressed
	z     bytes.Buffer
	limit int64 // bytes; 0 means none
	size  int64
	err   error
}

// truncater is what files have and pipes have not.
type truncater interface{ Truncate(size int64) error }

// NewFile returns the end of a capture that writes to to, which is empty. limit
// is the size that it may have; 0 means any.
func NewFile(to io.WriteCloser, compress bool, limit int64) *File {
	f := &File{to: to, limit: limit}
	if compress {
		f.gz, _ = gzip.NewWriterLevel(&f.z, gzip.BestSpeed) // the level exists
	}
	return f
}

// Size returns how many bytes the file has.
func (f *File) Size() int64 { return f.size }

// Err returns why nothing more is written, nil if all is well.
func (f *File) Err() error { return f.err }

// Write takes whole blocks.
func (f *File) Write(blocks []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	out := blocks
	if f.gz != nil {
		f.z.Reset()
		f.gz.Reset(&f.z)
		_, err := f.gz.Write(blocks)
		if e := f.gz.Close(); err == nil {
			err = e
		}
		if err != nil { // cannot be: memory takes everything
			f.err = err
			return 0, err
		}
		out = f.z.Bytes()
	}
	if f.limit > 0 && f.size+int64(len(out)) > f.limit {
		return 0, f.full(out)
	}
	n, err := f.to.Write(out)
	if err == nil && n < len(out) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return 0, f.fail(out[:min(max(n, 0), len(out))], err)
	}
	f.size += int64(n)
	return len(blocks), nil
}

// full writes what still fits, and no more.
func (f *File) full(out []byte) error {
	f.err = ErrLimit
	if f.gz != nil {
		return f.err
	}
	fits := out[:wholeBlocks(out[:max(f.limit-f.size, 0)])]
	if n, err := f.to.Write(fits); err != nil {
		return f.fail(fits[:min(max(n, 0), len(fits))], err)
	}
	f.size += int64(len(fits))
	return f.err
}

// fail cuts the file behind its last whole block; written is what the failed
// write left there.
func (f *File) fail(written []byte, err error) error {
	keep := 0
	if f.gz == nil {
		keep = wholeBlocks(written)
	}
	f.size += int64(keep)
	f.err = err
	if t, ok := f.to.(truncater); ok && len(written) > keep {
		if e := t.Truncate(f.size); e != nil {
			f.err = fmt.Errorf("%w; what was written of the last block is still there: %v", err, e)
		}
	}
	return f.err
}

// wholeBlocks returns how many bytes of b are whole blocks.
func wholeBlocks(b []byte) int {
	at := 0
	for len(b)-at >= blockHead {
		n := int(binary.LittleEndian.Uint32(b[at+4:]))
		if n < blockHead+blockTail || n > len(b)-at {
			break
		}
		at += n
	}
	return at
}

// Close closes what is below.
func (f *File) Close() error { return f.to.Close() }
