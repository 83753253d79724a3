// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/falco-go/falco/pkg/config"
)

// What goes where, and in which words. This file prints it, nobody else does.
//
//   - stdout: alerts, results of informational commands, the statistics at the
//     end. Nothing else, so that it can be piped.
//   - stderr: the log if log_stderr is on (log.go), errors, the ledger at the
//     end, and the warnings of a time when there is no log yet.
//   - An error of options, configuration, rules or sources is a block that begins
//     with "Error: ". Scripts look for it, and for its texts.
//   - "Runtime error: ... Exiting." is the line of some errors that the original
//     did not expect. It is a log line that always reaches stderr.
//   - Every other error is one line: "falco: ", what was being done, why it failed.
//   - Below an error stands what to do next, where we know it: "falco: hint: ".
//   - An error ends the program with 1, before anything has been started, or after
//     everything that has been started was stopped. 255 is for a pid file that
//     cannot be written, 2 for a verb that is not there yet.

// Exit codes.
const (
	exitOK      = 0
	exitError   = 1
	exitNoVerb  = 2
	exitPidFile = 255
)

// failure is an error with its form.
type failure struct {
	form form
	text string
	hint string
	code int // 0 means exitError
}

// form is how a failure looks.
type form uint8

const (
	block   form = iota // Error: text
	exiting             // <time>: Runtime error: text. Exiting.
	plain               // falco: text
	silent              // nothing: it has been said
)

func (f *failure) Error() string { return f.text }

func optionErrorf(format string, args ...any) *failure {
	return &failure{form: block, text: fmt.Sprintf(format, args...)}
}

// printError tells the operator about err and returns the exit code.
func printError(stderr io.Writer, log *logger, err error) int {
	f := &failure{form: plain, text: err.Error()}
	var c *config.Error
	switch {
	case errors.As(err, &f):
	case errors.As(err, &c):
		f = &failure{form: block, text: c.Text, hint: c.Hint}
		if c.At.Line > 0 || strings.HasPrefix(c.At.File, "-o ") {
			f.hint = strings.TrimSuffix("see "+c.At.String()+": "+c.Hint, ": ")
		}
	}
	switch f.form {
	case block:
		fmt.Fprintf(stderr, "Error: %s\n", strings.TrimSuffix(f.text, "\n"))
	case exiting:
		log.always(config.ErrorLevel, "Runtime error: %s. Exiting.", f.text)
	case plain:
		fmt.Fprintf(stderr, "falco: %s\n", f.text)
	}
	if f.hint != "" {
		fmt.Fprintf(stderr, "falco: hint: %s\n", f.hint)
	}
	if f.code != 0 {
		return f.code
	}
	return exitError
}
