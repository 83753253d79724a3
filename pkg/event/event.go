// SPDX-License-Identifier: Apache-2.0

// Package event turns the bytes of one record into an Event: names and types
// for what the kernel, or a capture, has written.
//
// An Event is a view. Its bytes belong to the ring or the file that they came
// from and live for one turn of the loop; whoever keeps a string of it clones it.
package event

import (
	"encoding/binary"
	"errors"
	"fmt"

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

	n   int                          // parameters present
	off [schema.MaxParams + 1]uint32 // parameter i is raw[off[i]:off[i+1]]
	raw []byte                       // the record, from its header on
	ext []byte                       // what stands behind it, see SetExt
}

// Errors of Decode, wrapped with the place where they were found.
var (
	ErrShort   = errors.New("record is shorter than it says")
	ErrType    = errors.New("unknown event type")
	ErrParams  = errors.New("more parameters than the schema has")
	ErrLengths = errors.New("parameter lengths do not add up")
	ErrWidth   = errors.New("parameter has the wrong width")
)

// Decode makes e the view of the record that rec starts with and returns the
// record's length in bytes. It checks everything that the accessors rely on: a
// record that decodes cannot make them panic. On an error e must not be used.
//
// Layout (scap schema, driver.md §2): ts u64, tid u64, len u32, type u16,
// nparams u32, then nparams lengths (u16, or u32 for large_payload events),
// then the values without padding; little-endian, packed.
func (e *Event) Decode(rec []byte) (int, error) {
	if len(rec) < schema.HeaderSize {
		return 0, fmt.Errorf("%w: %d bytes left, a header has %d", ErrShort, len(rec), schema.HeaderSize)
	}
	size := binary.LittleEndian.Uint32(rec[16:])
	if uint64(size) > uint64(len(rec)) || size < schema.HeaderSize {
		return 0, fmt.Errorf("%w: length %d, %d bytes left", ErrShort, size, len(rec))
	}
	rec = rec[:size]
	typ := schema.EventType(binary.LittleEndian.Uint16(rec[20:]))
	info := typ.Info()
	if info == nil {
		return 0, fmt.Errorf("%w: %d", ErrType, typ)
	}
	n := binary.LittleEndian.Uint32(rec[22:])
	if n > uint32(len(info.Params)) || n > schema.MaxParams {
		return 0, fmt.Errorf("%w: %s has %d, the record %d", ErrParams, info.ID, len(info.Params), n)
	}
	width := uint32(2)
	if info.Flags&schema.LargePayload != 0 {
		width = 4
	}
	pos := schema.HeaderSize + n*width
	if pos > size {
		return 0, fmt.Errorf("%w: %s, no room for %d lengths", ErrLengths, info.ID, n)
	}
	for i := uint32(0); i < n; i++ {
		var l uint32
		if width == 2 {
			l = uint32(binary.LittleEndian.Uint16(rec[schema.HeaderSize+2*i:]))
		} else {
			l = binary.LittleEndian.Uint32(rec[schema.HeaderSize+4*i:])
		}
		if l > size-pos {
			return 0, fmt.Errorf("%w: %s.%s", ErrLengths, info.ID, info.Params[i].Name)
		}
		if w := info.Params[i].Type.Width(); w != 0 && l != 0 && l != uint32(w) {
			return 0, fmt.Errorf("%w: %s.%s has %d bytes, its type %d", ErrWidth, info.ID, info.Params[i].Name, l, w)
		}
		e.off[i] = pos
		pos += l
	}
	if pos != size {
		return 0, fmt.Errorf("%w: %s ends at %d of %d", ErrLengths, info.ID, pos, size)
	}
	e.off[n] = pos
	e.TS = binary.LittleEndian.Uint64(rec)
	e.Tid = int64(binary.LittleEndian.Uint64(rec[8:]))
	e.Type, e.Info, e.n, e.raw, e.ext = typ, info, int(n), rec, nil
	return int(size), nil
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
