// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bufio"
	"context"
	"io"
)

const bufferSize = 64 << 10

// stdout writes lines to a stream that is there from the start.
type stdout struct {
	w        *bufio.Writer
	to       io.Writer
	buffered bool
}

// NewStdout returns the sink that prints to w. Unless buffered, each alert is
// written at once, in one piece; if it is, when 64 KiB have come together, on
// Reopen and on Close.
func NewStdout(w io.Writer, buffered bool) Sink {
	return &stdout{w: bufio.NewWriterSize(w, bufferSize), to: w, buffered: buffered}
}

func (s *stdout) Name() string { return "stdout" }

func (s *stdout) Write(_ context.Context, l Line) error {
	_, err := s.w.Write(l.Text)
	if err == nil && !s.buffered {
		err = s.w.Flush()
	}
	if err != nil {
		s.w.Reset(s.to) // bufio keeps an error for good; the next alert gets a new chance
	}
	return err
}

func (s *stdout) Reopen() error { return s.Close() }

func (s *stdout) Close() error {
	err := s.w.Flush()
	if err != nil {
		s.w.Reset(s.to)
	}
	return err
}
