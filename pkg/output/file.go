// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bufio"
	"fmt"
	"os"
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
func (s *file) Write(l Line) error {
	if s.f == nil {
		f, err := os.OpenFile(s.name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return fmt.Errorf("failed to open output file %s: %w", s.name, err)
		}
		s.f, s.w = f, bufio.NewWriterSize(f, bufferSize)
	}
	if s.torn {
		s.w.WriteByte('\n') // what stands there stays a line of its own
	}
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
