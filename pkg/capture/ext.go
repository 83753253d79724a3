// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"encoding/binary"
	"iter"
)

// What a live record has beside the event (the flags of its prefix, extensions
// behind its parameters) stands in a capture behind the event, where others have
// the options of pcapng: {u16 code, u16 length, value, padding to four bytes},
// and a zero code at the end. Ours have codes that pcapng leaves to everybody's
// own use, so that other readers skip them.
//
//	event │ padding to 4 │ flags │ extension │ … │ end
const (
	optEnd   = 0
	optOwn   = 0x8000 // plus the number of the extension
	optFlags = 0xFF00 // u32: the flags of the prefix
	maxExtID = optFlags - optOwn - 1
)

// AppendOptions appends the options of an event whose prefix had flags, and
// behind whose parameters stood extensions: {u16 type, u16 length, value} each.
// An event that has neither has no options.
func AppendOptions(buf []byte, flags uint32, extensions []byte) []byte {
	if flags == 0 && len(extensions) == 0 {
		return buf
	}
	buf = binary.LittleEndian.AppendUint16(buf, optFlags)
	buf = binary.LittleEndian.AppendUint16(buf, 4)
	buf = binary.LittleEndian.AppendUint32(buf, flags)
	for typ, value := range tlvs(extensions) {
		if typ == 0 || typ > maxExtID { // 0 is the end of them in a ring
			continue
		}
		buf = binary.LittleEndian.AppendUint16(buf, optOwn|typ)
		buf = binary.LittleEndian.AppendUint16(buf, uint16(len(value)))
		buf = append(buf, value...)
		buf = append(buf, 0, 0, 0)[:len(buf)+-len(value)&3]
	}
	return binary.LittleEndian.AppendUint32(buf, optEnd)
}

// tlvs visits what stands behind the parameters of a live record.
func tlvs(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= 4 {
			n := int(binary.LittleEndian.Uint16(b[2:]))
			if n > len(b)-4 || !yield(binary.LittleEndian.Uint16(b), b[4:4+n]) {
				return
			}
			b = b[4+n:]
		}
	}
}

// optionsOf returns the options in rest, what stands behind an event of so many
// bytes in its block; nil if that is only padding.
func optionsOf(rest []byte, size uint32) []byte {
	pad := int(-(2 + size) & 3) // CPU and event end at a multiple of four; the flags are four bytes
	if len(rest) < pad+4 {
		return nil
	}
	return rest[pad:]
}

// Prefix returns the flags that the kernel gave the record.
func (r *Record) Prefix() uint32 {
	// Ours come first: whoever adds options writes them behind those that he found.
	o := r.Options
	if len(o) >= 8 && binary.LittleEndian.Uint16(o) == optFlags && binary.LittleEndian.Uint16(o[2:]) == 4 {
		return binary.LittleEndian.Uint32(o[4:])
	}
	return 0
}

// AppendExtensions appends the extensions as they stood behind the parameters.
func (r *Record) AppendExtensions(buf []byte) []byte {
	for typ, value := range r.Extensions() {
		buf = binary.LittleEndian.AppendUint16(buf, typ)
		buf = binary.LittleEndian.AppendUint16(buf, uint16(len(value)))
		buf = append(buf, value...)
	}
	return buf
}

// Extensions visits the extensions of the record, by number.
func (r *Record) Extensions() iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for o := r.Options; len(o) >= 4; {
			code, n := binary.LittleEndian.Uint16(o), int(binary.LittleEndian.Uint16(o[2:]))
			if code == optEnd || n > len(o)-4 {
				return
			}
			if code > optOwn && code < optFlags && !yield(code-optOwn, o[4:4+n]) {
				return
			}
			o = o[4+n:]
			o = o[min(-n&3, len(o)):]
		}
	}
}
