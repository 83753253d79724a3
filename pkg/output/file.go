// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// file appends lines to a file.
type file struct {
	name     string
	keep     bool // open until Reopen
	buffered bool
	f        *os.File
	w        *bufio.Writer
	torn     bool // the last write ended within a line: the disk was full
}

// NewFile returns the sink that appends to a file, which is made if need be; its
// folder is not. With keep the file stays open until Reopen, so that it can be
// renamed meanwhile; buffered only counts with keep.
func NewFile(name string, keep, buffered bool) Sink {
	return &file{name: name, keep: keep, buffered: buffered && keep}
}

func (s *file) Name() string { return "file" }

// Write opens the file within the worker: a FIFO that nobody reads keeps only
// this sink waiting.
func (s *file) Write(ctx context.Context, l Line) error {
	if s.f == nil {
		f, err := s.open(ctx)
		if err != nil {
			return fmt.Errorf("failed to open output file %s: %w", s.name, err)
		}
		s.f, s.w = f, bufio.NewWriterSize(f, bufferSize)
	}
	if s.torn {
		s.w.WriteByte('\n') // what stands there stays a line of its own
	}
	defer s.until(ctx)()
	_, err := s.w.Write(l.Text)
	if err == nil && !s.buffered {
		err = s.w.Flush()
	}
	if err != nil {
		s.torn = true
		s.drop()
		return err
	}
	s.torn = false
	if !s.keep {
		return s.Close()
	}
	return nil
}

// open waits for somebody to read if the file is a FIFO.
func (s *file) open(ctx context.Context) (*os.File, error) {
	for {
		// Without O_NONBLOCK a FIFO would keep a thread, for ever maybe; other files do not mind.
		f, err := os.OpenFile(s.name, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NONBLOCK, 0o644)
		if !errors.Is(err, syscall.ENXIO) {
			return f, err
		}
		select {
		case <-time.After(fifoPause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// fifoPause is how often a FIFO is asked whether somebody reads it now.
const fifoPause = 50 * time.Millisecond

// until makes writes end with ctx, where they can wait at all, until the result is called.
func (s *file) until(ctx context.Context) func() {
	f := s.f
	stop := context.AfterFunc(ctx, func() { f.SetWriteDeadline(time.Unix(1, 0)) })
	return func() { stop() }
}

func (s *file) drop() {
	s.f.Close()
	s.f, s.w = nil, nil
}

// Reopen closes the file; the next line opens one of that name, old or new.
func (s *file) Reopen() error { return s.Close() }

func (s *file) Close() error {
	if s.f == nil {
		return nil
	}
	err := s.w.Flush()
	s.drop()
	return err
}
