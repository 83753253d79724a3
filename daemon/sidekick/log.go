// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/sirupsen/logrus"
)

// logger is the log: lines that begin with a time and a level, or JSON.
type logger struct{ *logrus.Logger }

func newLogger(w io.Writer, level, format string) *logger {
	l := logrus.New()
	l.Out = w
	l.Formatter = lines{}
	if format == "json" {
		l.Formatter = &logrus.JSONFormatter{}
	}
	l.Level = logrus.InfoLevel
	if v, err := logrus.ParseLevel(level); err == nil {
		l.Level = v
	}
	return &logger{l}
}

// lines is the form of a line that scripts know: 2026/11/21 12:00:00 [INFO]  : text.
type lines struct{}

// Format implements logrus.Formatter.
func (lines) Format(e *logrus.Entry) ([]byte, error) {
	name := strings.ToUpper(e.Level.String())
	var b bytes.Buffer
	text := strings.Map(func(r rune) rune { // an event's text begins no line of its own
		switch {
		case r == '\n', r == '\t':
			return r
		case r < ' ', r == 0x7f:
			return ' '
		}
		return r
	}, e.Message)
	fmt.Fprintf(&b, "%s %-8s: %s\n", e.Time.Format("2006/01/02 15:04:05"), "["+name+"]", strings.ReplaceAll(text, "\n", "\n\t"))
	return b.Bytes(), nil
}
