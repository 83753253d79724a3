// SPDX-License-Identifier: Apache-2.0

package output

import (
	"time"
)

// Env is what an output gets from the outside.
type Env struct {
	Name     string // of the instance: "slack", or what the list of outputs calls it
	Title    string // for the log
	Version  string
	StateDir string // a folder of the output's own, which may not be there yet; "" in tests

	Log Logger
	Now func() time.Time

	TLS TLS // of all clients

	// Labels are the names of the fields that the settings add to each event (customfields,
	// templatedfields): some outputs make columns or labels of them.
	Labels []string
	// Enabled lists the titles of the outputs that are on.
	Enabled func() []string
	// Bracket is what "[" of a field's name becomes, "" if names stay.
	Bracket string
}

// Logger is where an output says what the operator should know. Failures are not: the
// engine says them, once.
type Logger interface {
	Debugf(format string, args ...any)
	Infof(format string, args ...any)
	Warnf(format string, args ...any)
}

// NoLog is a Logger that says nothing.
type NoLog struct{}

func (NoLog) Debugf(string, ...any) {}
func (NoLog) Infof(string, ...any)  {}
func (NoLog) Warnf(string, ...any)  {}
