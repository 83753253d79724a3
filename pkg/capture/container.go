// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"unicode/utf8"
)

// appendContainer writes what the container event of old captures tells (id,
// type, name, image) as the JSON that later ones tell it in.
func appendContainer(b []byte, val [][]byte) []byte {
	text := func(i int) []byte {
		if i >= len(val) {
			return nil
		}
		s, _, _ := bytes.Cut(val[i], []byte{0})
		return s
	}
	b = append(b, `{"container":{"id":`...)
	b = appendJSON(b, text(0))
	if len(val) > 1 && len(val[1]) == 4 {
		b = append(b, `,"type":`...)
		b = strconv.AppendUint(b, uint64(binary.LittleEndian.Uint32(val[1])), 10)
	}
	b = append(b, `,"name":`...)
	b = appendJSON(b, text(2))
	b = append(b, `,"image":`...)
	b = appendJSON(b, text(3))
	return append(b, "}}\x00"...)
}

// appendJSON writes s as a JSON string; bytes that are no text are replaced.
func appendJSON(b, s []byte) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ' || r == 0x7f:
			b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
		s = s[n:]
	}
	return append(b, '"')
}
