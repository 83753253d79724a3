// SPDX-License-Identifier: Apache-2.0

package field

import (
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/falco-go/falco/pkg/schema"
)

// NA is what an output prints for a field that has no value.
const NA = "<NA>"

// AppendText appends one value of r as text.
func (r *Ref) AppendText(buf []byte, v Value) []byte {
	switch r.Type {
	case String, Path:
		return append(buf, v.Str...)
	case Bytes:
		return AppendPrintable(buf, v.Str)
	case Other:
		if r.Fmt == schema.FormatNA {
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
	return r.appendNumber(buf, v.Num)
}

func (r *Ref) appendNumber(buf []byte, n uint64) []byte {
	switch r.Fmt {
	case schema.FormatHex:
		return appendUpperHex(buf, truncate(r.Type, n))
	case schema.FormatOct:
		return strconv.AppendUint(buf, truncate(r.Type, n), 8)
	case schema.FormatPaddedDec:
		for pad := uint64(100_000_000); pad > n && pad > 1; pad /= 10 {
			buf = append(buf, '0')
		}
		return strconv.AppendUint(buf, n, 10)
	}
	if r.Type.Signed() {
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

// AppendAll appends what an output prints for r's values, which come from
// OutputValues: several are joined by blanks, a list stands in parentheses.
func (r *Ref) AppendAll(buf []byte, vs []Value) []byte {
	switch {
	case r.Def.Has(FilterOnly):
		return append(buf, r.missing()...)
	case r.Def.Has(List) && r.isList():
		if len(vs) == 0 {
			return append(buf, NA...)
		}
		buf = append(buf, '(')
		for i := range vs {
			if i > 0 {
				buf = append(buf, ',')
			}
			buf = r.AppendText(buf, vs[i])
		}
		return append(buf, ')')
	case len(vs) == 0:
		return append(buf, NA...)
	}
	for i := range vs {
		if i > 0 {
			buf = append(buf, ' ')
		}
		buf = r.AppendText(buf, vs[i])
	}
	return buf
}

// IsList reports whether r's values are the elements of a list: fd.types is
// one, fd.types[3] is not.
func (r *Ref) IsList() bool { return r.Def.Has(List) && r.isList() }

func (r *Ref) isList() bool { return !r.Arg.Given }

// missing is what an output prints for a field that only conditions can use.
func (r *Ref) missing() string {
	if r.Def.Name == "fd.cnet" || r.Def.Name == "fd.snet" {
		return "<IPNET>"
	}
	return NA
}

// AppendJSON appends r's values, which come from OutputValues, as JSON.
func (r *Ref) AppendJSON(buf []byte, vs []Value) []byte {
	switch {
	case r.Def.Has(FilterOnly):
		return AppendJSONString(buf, r.missing())
	case r.IsList() && len(vs) > 0:
		buf = append(buf, '[')
		for i := range vs {
			if i > 0 {
				buf = append(buf, ',')
			}
			buf = r.appendJSONValue(buf, vs[i])
		}
		return append(buf, ']')
	case len(vs) == 0:
		return append(buf, "null"...)
	case len(vs) > 1:
		return AppendJSONString(buf, string(r.AppendAll(nil, vs)))
	}
	return r.appendJSONValue(buf, vs[0])
}

func (r *Ref) appendJSONValue(buf []byte, v Value) []byte {
	if r.Def.Has(JSONNum) {
		return strconv.AppendUint(buf, v.Num, 10)
	}
	switch r.Type {
	case String, Path:
		return AppendJSONString(buf, v.Str)
	case Bytes:
		return AppendJSONString(buf, string(AppendPrintable(nil, v.Str)))
	case IP, IPNet:
		buf = append(buf, '"')
		return append(r.AppendText(buf, v), '"')
	case Bool, Double:
		return r.AppendText(buf, v)
	case Other:
		if r.Fmt == schema.FormatNA {
			return AppendJSONString(buf, v.Str)
		}
	}
	switch r.Fmt {
	case schema.FormatHex, schema.FormatOct:
		buf = append(buf, '"')
		return append(r.appendNumber(buf, v.Num), '"')
	}
	if r.Type.Signed() {
		return strconv.AppendInt(buf, int64(v.Num), 10)
	}
	return strconv.AppendUint(buf, v.Num, 10)
}

// AppendJSONString appends s as a JSON string: bad UTF-8 becomes U+FFFD, what
// is not ASCII stays as it is.
func AppendJSONString(buf []byte, s string) []byte {
	return append(AppendEscaped(append(buf, '"'), s), '"')
}

// AppendEscaped appends s as the inside of a JSON string.
func AppendEscaped(buf []byte, s string) []byte {
	const hex = "0123456789abcdef"
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			switch {
			case c == '"' || c == '\\':
				buf = append(buf, '\\', c)
			case c >= ' ' && c != 0x7f:
				buf = append(buf, c)
			case c == '\n':
				buf = append(buf, '\\', 'n')
			case c == '\r':
				buf = append(buf, '\\', 'r')
			case c == '\t':
				buf = append(buf, '\\', 't')
			case c == '\b':
				buf = append(buf, '\\', 'b')
			case c == '\f':
				buf = append(buf, '\\', 'f')
			default:
				buf = append(buf, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			buf = append(buf, "\uFFFD"...)
		} else {
			buf = append(buf, s[i:i+n]...)
		}
		i += n
	}
	return buf
}
