// SPDX-License-Identifier: Apache-2.0

package event

import (
	"encoding/binary"

	"github.com/falco-go/falco/pkg/schema"
)

// ExtType says what an extension is: something that the kernel knows of an
// event and the schema has no parameter for (abi.tbl, EXT_*).
type ExtType uint16

// ExtRealpath is the path of the file that a call has opened, as the kernel
// finds it: no symbolic link in it, and nothing that the caller's memory says.
const ExtRealpath ExtType = schema.ABIExtRealpath

// extHead is the size of an extension's type and length.
const extHead = 4

// SetExt makes b, what stands behind the record in the ring, the extensions of
// e: {u16 type, u16 length, value} each, up to type 0 or to where they make no
// sense any more. It is for whoever has decoded e and seen the prefix flag; the
// next Decode takes them away.
func (e *Event) SetExt(b []byte) {
	n := 0
	for len(b)-n >= extHead {
		typ := binary.LittleEndian.Uint16(b[n:])
		size := extHead + int(binary.LittleEndian.Uint16(b[n+2:]))
		if typ == schema.ABIExtEnd || size > len(b)-n {
			break
		}
		n += size
	}
	e.ext = b[:n:n]
}

// Ext returns the extensions as they are, one behind the other, without
// padding; nil if there are none. It is a view, as Raw is.
func (e *Event) Ext() []byte {
	if len(e.ext) == 0 {
		return nil
	}
	return e.ext
}

// Extension returns the value of the first extension of type t, and whether
// there is one. It is a view.
func (e *Event) Extension(t ExtType) (value []byte, ok bool) {
	for b := e.ext; len(b) >= extHead; {
		end := extHead + int(binary.LittleEndian.Uint16(b[2:])) // SetExt has seen that it fits
		if ExtType(binary.LittleEndian.Uint16(b)) == t {
			return b[extHead:end:end], true
		}
		b = b[end:]
	}
	return nil, false
}

// Realpath returns the path of ExtRealpath, and whether the kernel told one.
func (e *Event) Realpath() (path []byte, ok bool) {
	v, ok := e.Extension(ExtRealpath)
	if !ok || len(v) == 0 || v[len(v)-1] != 0 {
		return nil, false
	}
	return v[:len(v)-1], true
}
