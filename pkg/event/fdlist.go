// SPDX-License-Identifier: Apache-2.0

package event

import (
	"encoding/binary"
	"strconv"
)

// appendFD describes a descriptor: "<f>/etc/passwd", "<4t>1.2.3.4:5->6.7.8.9:80".
// A negative one is an error or AT_FDCWD.
func appendFD(buf []byte, fd int64, n Names) []byte {
	if fd < 0 {
		if fd == AtFDCWD {
			return append(buf, "AT_FDCWD"...)
		}
		return append(buf, ErrnoName(fd)...)
	}
	if n == nil {
		return buf
	}
	kind, transport, name, ok := n.FD(fd)
	if !ok {
		return buf
	}
	buf = append(buf, '<', kind)
	if transport != 0 {
		buf = append(buf, transport)
	}
	buf = append(buf, '>')
	return append(buf, name...)
}

// PollFD is one element of a list of descriptors.
type PollFD struct {
	FD     int64
	Events uint16
}

// FDList iterates over the list of descriptors p; a list that says to be longer
// than it is ends where it ends.
func FDList(p []byte) func(yield func(PollFD) bool) {
	return func(yield func(PollFD) bool) {
		if len(p) < 2 {
			return
		}
		n := int(binary.LittleEndian.Uint16(p))
		for q := p[2:]; n > 0 && len(q) >= 10; n, q = n-1, q[10:] {
			f := PollFD{int64(binary.LittleEndian.Uint64(q)), binary.LittleEndian.Uint16(q[8:])}
			if !yield(f) {
				return
			}
		}
	}
}

// appendFDList prints a list of descriptors as "3:p1 4:41": number, kind and
// the poll bits in hexadecimal.
func appendFDList(buf, p []byte, n Names) []byte {
	first := true
	for f := range FDList(p) {
		if !first {
			buf = append(buf, ' ')
		}
		first = false
		kind := byte('?')
		if n != nil {
			if k, _, _, ok := n.FD(f.FD); ok {
				kind = k
			}
		}
		buf = strconv.AppendInt(buf, f.FD, 10)
		buf = append(buf, ':', kind)
		buf = strconv.AppendUint(buf, uint64(f.Events), 16)
	}
	return buf
}
