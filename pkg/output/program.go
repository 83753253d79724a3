// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bufio"
	"io"
	"os"
	"os/exec"
)

// program writes lines to the standard input of a shell command.
type program struct {
	command  string
	keep     bool // one process for all lines
	buffered bool
	run      *process
}

// process is a running command.
type process struct {
	in   io.WriteCloser
	w    *bufio.Writer
	gone chan struct{} // closed when it has ended and was waited for
}

// NewProgram returns the sink that hands lines to a command: to a new process
// each, or with keep to one process that is started by the first line, and again
// after it has died. What it prints goes where our own output goes, and how it
// ends does not matter.
func NewProgram(command string, keep, buffered bool) Sink {
	return &program{command: command, keep: keep, buffered: buffered && keep}
}

func (s *program) Name() string { return "program" }

func (s *program) start() error {
	cmd := exec.Command("/bin/sh", "-c", s.command)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		in.Close()
		return err
	}
	p := &process{in: in, w: bufio.NewWriterSize(in, bufferSize), gone: make(chan struct{})}
	go func() {
		cmd.Wait() // closes in, so that a write that waits for a dead reader ends
		close(p.gone)
	}()
	s.run = p
	return nil
}

// Write starts the command if it does not run. A line that a dying process did
// not take goes to the next one; a second death is an error.
func (s *program) Write(l Line) error {
	for again := s.keep; ; again = false {
		if s.run != nil {
			select {
			case <-s.run.gone:
				s.run = nil
			default:
			}
		}
		if s.run == nil {
			if err := s.start(); err != nil {
				return err
			}
		}
		_, err := s.run.w.Write(l.Text)
		if err == nil && !s.buffered {
			err = s.run.w.Flush()
		}
		switch {
		case !s.keep: // a command need not read what it is given
			s.Close()
			return nil
		case err == nil:
			return nil
		}
		s.Close()
		if !again {
			return err
		}
	}
}

// Reopen ends the process; the next line starts another.
func (s *program) Reopen() error { return s.Close() }

// Close lets the process end and waits for it.
func (s *program) Close() error {
	if s.run == nil {
		return nil
	}
	s.run.w.Flush() // an error means that nobody reads any more
	s.run.in.Close()
	<-s.run.gone
	s.run = nil
	return nil
}
