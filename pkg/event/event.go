// SPDX-License-Identifier: Apache-2.0

// Package event turns the bytes of one record into an Event: names and types
// for what the kernel, or a capture, has written.
//
// An Event is a view. Its bytes belong to the ring or the file that they came
// from and live for one turn of the loop; whoever keeps a string of it clones it.
package event

import "github.com/falco-go/falco/pkg/schema"

// PrefixFlags are what the kernel says about a record beside its contents
// (abi.tbl, record flags).
type PrefixFlags uint32

// Event is one decoded record. The zero value is ready for Decode, and one
// Event can be decoded into again and again without allocating.
type Event struct {
	Num   uint64 // evt.num: running number, from 1; set by the loop
	TS    uint64 // ns since the epoch, wall clock
	Tid   int64  // thread id in the initial pid namespace
	CPU   int    // CPU whose ring carried the event
	Type  schema.EventType
	Flags PrefixFlags
	Info  *schema.Event

	// StateOnly marks an event that a filtered capture holds for what it changes
	// in the state: nobody sees it, and it has no number. Its source sets it.
	StateOnly bool

	n   int                          // parameters present
	off [schema.MaxParams + 1]uint32 // parameter i is raw[off[i]:off[i+1]]
	raw []byte                       // the record, from its header on
	ext []byte                       // what stands behind it, see SetExt
}

// NumParams returns how many parameters the record carries; an older producer
// may send fewer than the schema has.
func (e *Event) NumParams() int { return e.n }

// Raw returns the record, from its header on. It is a view.
func (e *Event) Raw() []byte { return e.raw }

// Param returns the bytes of parameter i, nil if it is absent. It is a view.
func (e *Event) Param(i int) []byte {
	if uint(i) >= uint(e.n) || e.off[i] == e.off[i+1] {
		return nil
	}
	return e.raw[e.off[i]:e.off[i+1]:e.off[i+1]]
}
