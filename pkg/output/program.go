// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// program writes lines to the standard input of a shell command.
type program struct {
	command  string
	keep     bool // one process for all lines
	buffered bool
	answers  bool // how it ends matters
	run      *process
}

// process is a running command.
type process struct {
	in   io.WriteCloser
	w    *bufio.Writer
	gone chan struct{} // closed when it has ended and was waited for
	err  error         // how; of the one that is gone
}

// NewProgram returns the sink that hands lines to a command: to a new process
// each, or with keep to one process that is started by the first line, and again
// after it has died. What it prints goes where our own output goes. How it ends
// does not matter; with answers, a process that was started for one line and ends with
// anything but 0 has not taken it. What the pipe to a process that dies held, nobody knows.
func NewProgram(command string, keep, buffered, answers bool) Sink {
	return &program{command: command, keep: keep, buffered: buffered && keep, answers: answers && !keep}
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
		p.err = cmd.Wait() // closes in, so that a write that waits for a dead reader ends
		close(p.gone)
	}()
	s.run = p
	return nil
}

// Write starts the command if it does not run. A line that a dying process did
// not take goes to the next one; a second death is an error.
func (s *program) Write(ctx context.Context, l Line) error {
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
		in := s.run.in
		stop := context.AfterFunc(ctx, func() { in.Close() }) // ends a write that waits
		_, err := s.run.w.Write(l.Text)
		if err == nil && (!s.buffered || !s.keep) {
			err = s.run.w.Flush()
		}
		stop()
		switch {
		case !s.keep: // a command need not read what it is given
			return s.ended(ctx)
		case err == nil:
			return nil
		}
		if e := s.ended(ctx); !again || ctx.Err() != nil {
			if ctx.Err() != nil {
				return e
			}
			return err
		}
	}
}

// ended closes the process's input and waits for its end, or for that of ctx: then
// it is left to itself.
func (s *program) ended(ctx context.Context) error {
	p := s.run
	s.run = nil
	p.in.Close()
	select {
	case <-p.gone:
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.answers && p.err != nil {
		return fmt.Errorf("the command has failed: %w", p.err)
	}
	return nil
}

// Reopen ends the process; the next line starts another.
func (s *program) Reopen() error { return s.Close() }

// closeLimit is for how long a process may go on after its input has ended.
const closeLimit = 5 * time.Second

// Close lets the process end and waits for it, but not for ever: it is left to
// itself then.
func (s *program) Close() error {
	if s.run == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	in := s.run.in
	defer context.AfterFunc(ctx, func() { in.Close() })()
	s.run.w.Flush() // an error means that nobody reads any more
	return s.ended(ctx)
}
