// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/falco-go/falco/pkg/config"
)

// Layouts of the time in front of a log line.
const (
	logLayout    = "Mon Jan 02 15:04:05 2006"
	logISOLayout = "2006-01-02T15:04:05-0700"
)

// logger is the daemon's log. It counts levels as syslog does, which are more
// than logrus has, so it decides itself what is said and leaves writing, locking
// and hooks to logrus. It may be used from any goroutine.
type logger struct {
	to     *logrus.Logger
	level  atomic.Uint32 // a config.Level
	format *lineFormat
	stderr io.Writer
	held   *heldLines // if not nil, lines are kept and not written
}

// heldLines are lines of a log that waits for how something ends.
type heldLines struct {
	levels []config.Level
	texts  []string
}

// hold returns a log that keeps what it is told, at the level of l. It is for one
// goroutine.
func (l *logger) hold() *logger {
	h := newLogger(l.stderr)
	h.level.Store(l.level.Load())
	h.held = &heldLines{}
	return h
}

// release says what h has kept.
func (l *logger) release(h *logger) {
	for i, text := range h.held.texts {
		l.say(h.held.levels[i], "%s", text)
	}
}

// newLogger returns the log of a run. Until the configuration is known it says
// nothing.
func newLogger(stderr io.Writer) *logger {
	l := &logger{to: logrus.New(), format: &lineFormat{}, stderr: stderr}
	l.level.Store(uint32(config.Info))
	l.to.SetOutput(io.Discard)
	l.to.SetLevel(logrus.TraceLevel)
	l.to.SetFormatter(l.format)
	return l
}

// configure lets the log speak, or speak otherwise.
func (l *logger) configure(c *config.Config) {
	l.level.Store(uint32(c.Log.Level))
	l.format.iso.Store(c.ISO8601)
	if l.held != nil {
		return
	}
	if c.Log.Stderr {
		l.to.SetOutput(l.stderr)
	} else {
		l.to.SetOutput(io.Discard)
	}
	hooks := logrus.LevelHooks{}
	if c.Log.Syslog {
		hooks.Add(&syslogHook{})
	}
	l.to.ReplaceHooks(hooks)
}

const levelKey = "level"

func (l *logger) say(level config.Level, format string, args ...any) {
	if uint32(level) > l.level.Load() {
		return
	}
	if h := l.held; h != nil {
		h.levels, h.texts = append(h.levels, level), append(h.texts, fmt.Sprintf(format, args...))
		return
	}
	to := logrus.InfoLevel
	if level <= config.ErrorLevel {
		to = logrus.ErrorLevel
	}
	l.to.WithField(levelKey, level).Logf(to, format, args...)
}

// always writes a line that reaches stderr whatever log_stderr says.
func (l *logger) always(level config.Level, format string, args ...any) {
	if l.to.Out == io.Discard {
		line, _ := l.format.Format(&logrus.Entry{Message: fmt.Sprintf(format, args...), Time: time.Now()})
		l.stderr.Write(line)
	}
	l.say(level, format, args...)
}

func (l *logger) debugf(format string, args ...any)  { l.say(config.Debug, format, args...) }
func (l *logger) infof(format string, args ...any)   { l.say(config.Info, format, args...) }
func (l *logger) noticef(format string, args ...any) { l.say(config.Notice, format, args...) }
func (l *logger) warnf(format string, args ...any)   { l.say(config.Warning, format, args...) }
func (l *logger) errorf(format string, args ...any)  { l.say(config.ErrorLevel, format, args...) }

// lineFormat writes "<time>: <text>", without a level.
type lineFormat struct{ iso atomic.Bool }

func (f *lineFormat) Format(e *logrus.Entry) ([]byte, error) {
	var b bytes.Buffer
	if f.iso.Load() {
		b.WriteString(e.Time.UTC().Format(logISOLayout))
	} else {
		b.WriteString(e.Time.Format(logLayout))
	}
	b.WriteString(": ")
	b.WriteString(strings.TrimSuffix(e.Message, "\n"))
	b.WriteByte('\n')
	return b.Bytes(), nil
}
