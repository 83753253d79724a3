// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bytes"
	"io"
	"regexp"
)

// sieve takes what the daemon prints on its standard output, line by line, apart: alerts, and the sums with which it ends.
// Alerts go on as they come.
type sieve struct {
	alerts, sums io.Writer
	within       bool // the sums
	lines        lineWriter
}

var (
	sumsHead = regexp.MustCompile(`^(?:Events detected: \d+|Rule counts by severity:|Triggered rules by rule name:)$`)
	sumsRow  = regexp.MustCompile(`^   \S.*: \d+$`)
)

func newSieve(alerts, sums io.Writer) *sieve {
	s := &sieve{alerts: alerts, sums: sums}
	s.lines.line = s.line
	return s
}

func (s *sieve) Write(p []byte) (int, error) { return s.lines.Write(p) }

// flush ends a last line that has no end: a daemon that was killed leaves one.
func (s *sieve) flush() {
	if len(s.lines.rest) > 0 {
		s.Write([]byte("\n"))
	}
}

func (s *sieve) line(line []byte) {
	s.within = sumsHead.Match(line) || s.within && sumsRow.Match(line)
	to := s.alerts
	if s.within {
		to = s.sums
	}
	to.Write(append(bytes.Clone(line), '\n'))
}
