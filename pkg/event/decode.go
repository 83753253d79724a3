// SPDX-License-Identifier: Apache-2.0

package event

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unsafe"

	"github.com/falco-go/falco/pkg/schema"
)

// Errors of Decode, wrapped with the place where they were found.
var (
	ErrShort   = errors.New("record is shorter than it says")
	ErrType    = errors.New("unknown event type")
	ErrParams  = errors.New("more parameters than the schema has")
	ErrLengths = errors.New("parameter lengths do not add up")
	ErrWidth   = errors.New("parameter has the wrong width")
)

// layout is what Decode has to know of a type of event, close together.
type layout struct {
	widths []uint8 // bytes of each parameter, 0 if that varies
	info   *schema.Event
	all    uint32 // parameters
	large  bool   // lengths have four bytes
	result bool   // the first parameter is what a system call returned

	// The lengths, four in a word, as they stand in a record that has all parameters.
	fours []four
	need  uint64 // the least size of a record in which the words can be read; never, if lengths are large
}

// four is what is known of four lengths.
type four struct {
	lengths uint64 // of parameters that do not vary
	fixed   uint64 // the bits that hold those, and such of others as no length may have here (manyBits)
	there   uint64 // the bits that hold a length at all: the last word may have less than four
}

var layouts = func() (all [schema.NumEvents]layout) {
	for i := range schema.Events {
		e, l := &schema.Events[i], &all[i]
		l.info, l.all = e, uint32(len(e.Params))
		for _, p := range e.Params {
			l.widths = append(l.widths, uint8(p.Type.Width()))
		}
		l.large = e.Flags&schema.LargePayload != 0
		if len(e.Params) > 0 && e.Class == schema.ClassSyscall && !schema.EventType(i).IsEnter() {
			switch e.Params[0].Type {
			case schema.TypeErrno, schema.TypeFD, schema.TypePID, schema.TypeInt64:
				l.result = true
			}
		}
		l.fix()
	}
	return all
}()

// fix fills in what is known of records whose parameters are all there.
func (l *layout) fix() {
	l.need = math.MaxUint64
	if l.large {
		return
	}
	l.fours = make([]four, (len(l.widths)+3)/4)
	for i, w := range l.widths {
		f, at := &l.fours[i/4], 16*(i%4)
		f.there |= 0xffff << at
		if w != 0 {
			f.fixed |= 0xffff << at
			f.lengths |= uint64(w) << at
		}
		f.fixed |= manyBits & (0xffff << at)
	}
	l.need = schema.HeaderSize + 8*uint64(len(l.fours))
}

// Decode makes e the view of the record that rec starts with and returns the
// record's length in bytes. It checks everything that the accessors rely on: a
// record that decodes cannot make them panic. On an error e must not be used.
//
// Layout (scap schema, driver.md §2): ts u64, tid u64, len u32, type u16,
// nparams u32, then nparams lengths (u16, or u32 for large_payload events),
// then the values without padding; little-endian, packed.
func (e *Event) Decode(rec []byte) (int, error) {
	if len(rec) < schema.HeaderSize {
		return e.decode(rec)
	}
	size, typ, n := uint64(binary.LittleEndian.Uint32(rec[16:])), binary.LittleEndian.Uint16(rec[20:]), binary.LittleEndian.Uint32(rec[22:])
	if size > uint64(len(rec)) || int(typ) >= len(layouts) {
		return e.decode(rec)
	}
	l := &layouts[typ]
	if n != l.all || size < l.need || size >= 1<<16 {
		return e.decode(rec)
	}
	e.TS = binary.LittleEndian.Uint64(rec)
	e.Tid = int64(binary.LittleEndian.Uint64(rec[8:]))
	e.Type, e.Info, e.n, e.near, e.raw, e.ext = schema.EventType(typ), l.info, int(n), int(n), rec[:size], e.ext[:0]
	// What the lengths are is known of those that do not vary. Each quarter of the product is
	// the sum of four of them up to there. With what was before, one overflows only if the
	// last does, and then pos is not size.
	lengths, pos, wrong := unsafe.Add(unsafe.Pointer(unsafe.SliceData(rec)), schema.HeaderSize), uint64(schema.HeaderSize+2*n), uint64(0)
	e.places[0] = pos << 48
	for i := range l.fours {
		f := &l.fours[i]
		w := binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(lengths, 8*i))[:]) & f.there
		wrong |= (w ^ f.lengths) & f.fixed
		e.places[1+(i&7)] = (w + pos) * ones
		pos += w * ones >> 48
	}
	if wrong != 0 || pos != size {
		return e.decode(rec)
	}
	return int(size), nil
}

// Four lengths of 16 bits in a word: the lowest bit of each, and the bits that only lengths
// have of which four may not fit into one.
const (
	ones     = 0x0001_0001_0001_0001
	manyBits = 0xc000_c000_c000_c000
)

// decode is Decode for records of whatever shape.
func (e *Event) decode(rec []byte) (int, error) {
	if len(rec) < schema.HeaderSize {
		return 0, fmt.Errorf("%w: %d bytes left, a header has %d", ErrShort, len(rec), schema.HeaderSize)
	}
	size := uint64(binary.LittleEndian.Uint32(rec[16:]))
	if size > uint64(len(rec)) || size < schema.HeaderSize {
		return 0, fmt.Errorf("%w: length %d, %d bytes left", ErrShort, size, len(rec))
	}
	rec = rec[:size]
	e.TS = binary.LittleEndian.Uint64(rec)
	e.Tid = int64(binary.LittleEndian.Uint64(rec[8:]))
	typ := schema.EventType(binary.LittleEndian.Uint16(rec[20:]))
	n := int(binary.LittleEndian.Uint32(rec[22:]))
	if int(typ) >= len(layouts) {
		return 0, fmt.Errorf("%w: %d", ErrType, typ)
	}
	l := &layouts[typ]
	if uint(n) > uint(len(l.widths)) || n > schema.MaxParams {
		return 0, fmt.Errorf("%w: %s has %d, the record %d", ErrParams, typ, len(l.widths), n)
	}
	e.Type, e.Info, e.n, e.raw, e.ext = typ, l.info, n, rec, nil
	return int(size), e.place(l, n)
}

// place finds the n parameters of a record of whatever shape.
func (e *Event) place(l *layout, n int) error {
	e.near = 0
	if l.large {
		return e.placeLarge(l.widths[:n])
	}
	lengths := e.raw[schema.HeaderSize:]
	if 2*n > len(lengths) {
		return fmt.Errorf("%w: %s, no room for %d lengths", ErrLengths, e.Type, n)
	}
	// Lengths that add up to what is there lie within it, each of them.
	size, pos := uint64(len(e.raw)), uint32(schema.HeaderSize+2*n)
	off := &e.off
	for i, w := range l.widths[:n] {
		length := binary.LittleEndian.Uint16(lengths)
		lengths = lengths[2:]
		if uint16(w) != length && w != 0 && length != 0 {
			return e.width(i, uint32(length))
		}
		off[i&(schema.MaxParams-1)] = pos
		pos += uint32(length)
	}
	if uint64(pos) != size {
		return fmt.Errorf("%w: %s ends at %d of %d", ErrLengths, e.Type, pos, size)
	}
	off[n] = pos
	if size < 1<<16 {
		for i, o := range off[:n+1] {
			e.places.set(i-1, o)
		}
		e.near = n
	}
	return nil
}

// placeLarge finds the parameters of an event with long ones.
func (e *Event) placeLarge(widths []uint8) error {
	lengths := e.raw[schema.HeaderSize:]
	if 4*len(widths) > len(lengths) {
		return fmt.Errorf("%w: %s, no room for %d lengths", ErrLengths, e.Type, len(widths))
	}
	pos, size := uint64(schema.HeaderSize+4*len(widths)), uint64(len(e.raw))
	for i, w := range widths {
		length := binary.LittleEndian.Uint32(lengths[4*i:])
		if uint32(w) != length && w != 0 && length != 0 {
			return e.width(i, length)
		}
		e.off[i] = uint32(pos)
		if pos += uint64(length); pos > size {
			break
		}
	}
	if pos != size {
		return fmt.Errorf("%w: %s ends at %d of %d", ErrLengths, e.Type, pos, size)
	}
	e.off[len(widths)] = uint32(pos)
	return nil
}

func (e *Event) width(i int, length uint32) error {
	p := &e.Info.Params[i]
	return fmt.Errorf("%w: %s.%s has %d bytes, its type %d", ErrWidth, e.Info.ID, p.Name, length, p.Type.Width())
}
