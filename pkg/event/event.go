// SPDX-License-Identifier: Apache-2.0

// Package event turns the bytes of one record into an Event: names and types
// for what the kernel, or a capture, has written.
//
// An Event is a view. Its bytes belong to the ring or the file that they came
// from and live for one turn of the loop; whoever keeps a string of it clones it.
package event

import (
	"unsafe"

	"github.com/falco-go/falco/pkg/schema"
)

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

	n      int                          // parameters present
	near   int                          // of these, those that places finds: all or none
	places places                       // of records below 64 KiB
	off    [schema.MaxParams + 1]uint32 // of longer ones: parameter i is raw[off[i]:off[i+1]]
	raw    []byte                       // the record, from its header on
	ext    []byte                       // what stands behind it, see SetExt
}

// places are offsets of 16 bits: the first one where parameter 0 begins, then where each
// ends. Three that say nothing stand before them, so that four ends are one aligned word.
type places [1 + schema.MaxParams/4]uint64

// at returns where parameter i, which there is, begins and ends.
func (p *places) at(i int) (from, to uintptr) {
	both := *(*uint32)(unsafe.Add(unsafe.Pointer(p), 2*i+6)) // little-endian, as all of this is
	return uintptr(both & 0xffff), uintptr(both >> 16)
}

// set says that parameter i ends at to; of -1, that parameter 0 begins there.
func (p *places) set(i int, to uint32) {
	*(*uint16)(unsafe.Add(unsafe.Pointer(p), 2*i+8)) = uint16(to)
}

// NumParams returns how many parameters the record carries; an older producer
// may send fewer than the schema has.
func (e *Event) NumParams() int { return e.n }

// Raw returns the record, from its header on. It is a view.
func (e *Event) Raw() []byte { return e.raw }

// Param returns the bytes of parameter i, nil if it is absent. It is a view.
func (e *Event) Param(i int) []byte {
	if uint(i) < uint(e.near) {
		if from, to := e.places.at(i); from != to {
			return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(e.raw)), from)), to-from)
		}
		return nil
	}
	return e.far(i)
}

// far is Param for a record whose places are too far apart for places.
func (e *Event) far(i int) []byte {
	if uint(i) >= uint(e.n) || e.near > 0 || e.off[i] == e.off[i+1] {
		return nil
	}
	return e.raw[e.off[i]:e.off[i+1]:e.off[i+1]]
}
