// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"encoding/binary"
	"unsafe"
)

// Uint returns parameter i as an unsigned number, whatever its width; ok is
// false if it is absent or not a number.
func (e *Event) Uint(i int) (v uint64, ok bool) {
	p := e.Param(i)
	if len(p) == 8 {
		return binary.LittleEndian.Uint64(p), true
	}
	return narrow(p)
}

// Int returns parameter i as a signed number, sign-extended from its width.
func (e *Event) Int(i int) (v int64, ok bool) {
	if uint(i) < uint(e.near) {
		if from, to := e.places.at(i); to-from == 8 {
			return int64(binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(e.raw)), from))[:])), true
		}
	}
	return e.narrowInt(i)
}

func (e *Event) narrowInt(i int) (v int64, ok bool) {
	p := e.Param(i)
	if len(p) == 8 {
		return int64(binary.LittleEndian.Uint64(p)), true
	}
	u, ok := narrow(p)
	unused := (64 - 8*len(p)) & 63
	return int64(u<<unused) >> unused, ok
}

// narrow reads numbers of less than eight bytes.
func narrow(p []byte) (v uint64, ok bool) {
	switch len(p) {
	case 1:
		return uint64(p[0]), true
	case 2:
		return uint64(binary.LittleEndian.Uint16(p)), true
	case 4:
		return uint64(binary.LittleEndian.Uint32(p)), true
	}
	return 0, false
}

// Str returns parameter i as text, without the NUL that ends it on the wire; ok
// is false if it is absent. The text is a view of the record: clone what you keep.
func (e *Event) Str(i int) (s string, ok bool) {
	p := e.Param(i)
	if p == nil {
		return "", false
	}
	if n := bytes.IndexByte(p, 0); n >= 0 {
		p = p[:n]
	}
	return View(p), true
}

// View returns b as a string without copying it. The string changes when b
// does: it must not outlive the record that b is a part of.
func View(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// Return returns what the system call returned: parameter 0 of an exit event
// whose first parameter is a result. ok is false where there is none.
func (e *Event) Return() (v int64, ok bool) {
	if !layouts[e.Type].result {
		return 0, false
	}
	return e.Int(0)
}
