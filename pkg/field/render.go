// SPDX-License-Identifier: Apache-2.0

package field

import (
	"math"
	"strconv"

	"github.com/falco-go/falco/pkg/schema"
)

// NA is what an output prints for a field that has no value.
const NA = "<NA>"

// AppendText appends one value of r as text.
func (r *Ref) AppendText(buf []byte, v Value) []byte { return AppendValue(buf, r.Type, r.Fmt, &v) }

// AppendValue appends a value of type t as text. A number of type Other, such as
// a uid, has a format; what has none is a text.
func AppendValue(buf []byte, t Type, f schema.Format, v *Value) []byte {
	switch t {
	case String, Path:
		return append(buf, v.Str...)
	case Bytes:
		return AppendPrintable(buf, v.Str)
	case Other:
		if f == schema.FormatNA {
			return append(buf, v.Str...)
		}
	case Bool:
		return strconv.AppendBool(buf, v.Num != 0)
	case IP, IPNet:
		if !v.IP.IsValid() {
			return append(buf, NA...)
		}
		return v.IP.AppendTo(buf)
	case Double:
		return strconv.AppendFloat(buf, math.Float64frombits(v.Num), 'f', 1, 64)
	}
	return appendNumber(buf, t, f, v.Num)
}

func appendNumber(buf []byte, t Type, f schema.Format, n uint64) []byte {
	switch f {
	case schema.FormatHex:
		return appendUpperHex(buf, truncate(t, n))
	case schema.FormatOct:
		return strconv.AppendUint(buf, truncate(t, n), 8)
	case schema.FormatPaddedDec:
		for pad := uint64(100_000_000); pad > n && pad > 1; pad /= 10 {
			buf = append(buf, '0')
		}
		return strconv.AppendUint(buf, n, 10)
	}
	if t.Signed() {
		return strconv.AppendInt(buf, int64(n), 10)
	}
	return strconv.AppendUint(buf, n, 10)
}

// truncate cuts n to the width of t: a negative number of 32 bits has eight
// hexadecimal digits.
func truncate(t Type, n uint64) uint64 {
	switch t {
	case Int8, Uint8:
		return uint64(uint8(n))
	case Int16, Uint16:
		return uint64(uint16(n))
	case Int32, Uint32, Mode, Flags:
		return uint64(uint32(n))
	}
	return n
}

func appendUpperHex(buf []byte, n uint64) []byte {
	start := len(buf)
	buf = strconv.AppendUint(buf, n, 16)
	for i := start; i < len(buf); i++ {
		if c := buf[i]; c >= 'a' {
			buf[i] = c - 'a' + 'A'
		}
	}
	return buf
}

// AppendPrintable appends s with every byte that is not printable ASCII as a dot.
func AppendPrintable(buf []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= ' ' && c <= '~' {
			buf = append(buf, c)
		} else {
			buf = append(buf, '.')
		}
	}
	return buf
}
