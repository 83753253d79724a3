// SPDX-License-Identifier: Apache-2.0

package output

import (
	"errors"
	"fmt"
	"time"
)

// Class is what kind of failure an error is.
type Class uint8

// Values of Class.
const (
	Retryable     Class = iota // may work later; what is not an *Error is that
	Final                      // this event will never be taken: to the dead letters
	Configuration              // nothing will be taken until somebody mends the settings: kept, tried slowly
	Big                        // the batch is too long: again in halves; a single event is Final
)

// Error is a failure that says of what kind it is.
type Error struct {
	Class  Class
	After  time.Duration // when the receiver has asked to come back, 0 if it has not
	Status int           // of HTTP, 0 if there is none
	Err    error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Permanent returns err as one of an event that will never be taken.
func Permanent(err error) error { return &Error{Class: Final, Err: err} }

// Permanentf is Permanent of a text.
func Permanentf(format string, args ...any) error { return Permanent(fmt.Errorf(format, args...)) }

// Misconfigured returns err as one of the settings: a wrong password, a queue that is not there.
func Misconfigured(err error) error { return &Error{Class: Configuration, Err: err} }

// Misconfiguredf is Misconfigured of a text.
func Misconfiguredf(format string, args ...any) error {
	return Misconfigured(fmt.Errorf(format, args...))
}

// Retry returns err as one that goes away; after is when the receiver wants to be asked
// again, 0 if it does not say.
func Retry(err error, after time.Duration) error {
	return &Error{Class: Retryable, After: after, Err: err}
}

// TooBig returns err as one about the length of a batch.
func TooBig(err error) error { return &Error{Class: Big, Err: err} }

// Partial is the error of a batch of which each event has its own result.
type Partial struct {
	Errs []error // as many as there are events; nil: delivered
}

func (p *Partial) Error() string {
	n, first := 0, error(nil)
	for _, err := range p.Errs {
		if err != nil {
			if n++; first == nil {
				first = err
			}
		}
	}
	return fmt.Sprintf("%d of %d events: %v", n, len(p.Errs), first)
}

// Results returns errs as an error: nil if all of them are, and a *Partial else.
func Results(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return &Partial{errs}
		}
	}
	return nil
}

// ClassOf returns the class of err and the pause that was asked for.
func ClassOf(err error) (Class, time.Duration) {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class, e.After
	}
	return Retryable, 0
}
