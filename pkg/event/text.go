// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"encoding/binary"
	"math"
	"net/netip"
	"strconv"

	"github.com/falco-go/falco/pkg/schema"
)

// A parameter has two texts. The raw one shows the value, the resolved one what
// the value means to a person: evt.arg.flags is "O_RDONLY|O_CLOEXEC" although
// the event says 4097. Not every parameter has a resolved text.
//
// Everything here appends to a buffer of the caller and allocates nothing else.

const (
	// NA stands for a value that is absent.
	NA = "<NA>"
	// null stands for an absent buffer, tuple or list.
	null = "NULL"

	// AtFDCWD is the descriptor number that means the working directory.
	AtFDCWD = -100
)

// Names knows what the numbers in an event stand for. Text that depends on it
// is left out where it answers no.
type Names interface {
	// FD describes descriptor num of the event's thread: one letter for its kind,
	// one for its transport (0 if it has none) and its name.
	FD(num int64) (kind, transport byte, name string, ok bool)
	// Comm returns the command name of a thread.
	Comm(tid int64) (string, bool)
	User(uid uint32) (string, bool)
	Group(gid uint32) (string, bool)
	// AppendPath appends the absolute form of the relative path rel, which
	// starts at the directory dirfd, or at the working directory (AtFDCWD).
	AppendPath(buf []byte, dirfd int64, rel string) ([]byte, bool)
}

// AppendArgs appends all parameters as "name=raw(resolved)", joined by blanks.
// The generic event has no text.
func (e *Event) AppendArgs(buf []byte, n Names) []byte {
	if e.Type == schema.GenericX || e.Type == schema.GenericE {
		return buf
	}
	for i := 0; i < e.n; i++ {
		if i > 0 {
			buf = append(buf, ' ')
		}
		buf = append(buf, e.Info.Params[i].Name...)
		buf = append(buf, '=')
		buf = e.AppendRaw(buf, i, n)
		buf = append(buf, '(')
		start := len(buf)
		if buf = e.AppendResolved(buf, i, n); len(buf) == start {
			buf = buf[:start-1]
		} else {
			buf = append(buf, ')')
		}
	}
	return buf
}

// AppendArg appends the text of parameter i: resolved if there is such a text,
// else raw.
func (e *Event) AppendArg(buf []byte, i int, n Names) []byte {
	start := len(buf)
	if buf = e.AppendResolved(buf, i, n); len(buf) > start {
		return buf
	}
	return e.AppendRaw(buf, i, n)
}

// AppendRaw appends the raw text of parameter i. An absent one is "NULL" for
// buffers, tuples and lists, and "<NA>" for all else. n may be nil.
func (e *Event) AppendRaw(buf []byte, i int, n Names) []byte {
	if uint(i) >= uint(len(e.Info.Params)) {
		return append(buf, NA...)
	}
	d := &e.Info.Params[i]
	p := e.Param(i)
	typ, format := d.Type, d.Fmt
	if typ == schema.TypeDyn {
		var ok bool
		if typ, format, p, ok = dynamic(d, p); !ok {
			return append(buf, null...)
		}
	}
	if typ == schema.TypeFDList && p != nil {
		return appendFDList(buf, p, n)
	}
	return appendRaw(buf, typ, format, p)
}

// AppendResolved appends the resolved text of parameter i, nothing if it has
// none. n may be nil.
func (e *Event) AppendResolved(buf []byte, i int, n Names) []byte {
	p := e.Param(i)
	if p == nil {
		return buf
	}
	d := &e.Info.Params[i]
	typ := d.Type
	if typ == schema.TypeDyn {
		var ok bool
		if typ, _, p, ok = dynamic(d, p); !ok {
			return buf
		}
	}
	num, signed := number(typ, p)
	switch typ {
	case schema.TypeErrno:
		if int64(signed) < 0 {
			return append(buf, ErrnoName(signed)...)
		}
	case schema.TypeFD, schema.TypeFD32:
		return appendFD(buf, signed, n)
	case schema.TypePID, schema.TypePID32:
		if n != nil {
			if comm, ok := n.Comm(signed); ok {
				return append(buf, comm...)
			}
		}
	case schema.TypeUID, schema.TypeGID:
		return appendID(buf, typ, uint32(num), n)
	case schema.TypeFlags8, schema.TypeFlags16, schema.TypeFlags32, schema.TypeMode:
		return appendFlags(buf, d.Set, uint32(num))
	case schema.TypeEnumFlags8, schema.TypeEnumFlags16, schema.TypeEnumFlags32:
		return appendEnum(buf, d.Set, uint32(num))
	case schema.TypeSigType:
		return append(buf, SignalName(num)...)
	case schema.TypeSigSet:
		return appendSigSet(buf, uint32(num))
	case schema.TypeSyscallID:
		if c := schema.SyscallCode(num).Info(); c != nil {
			return append(buf, c.Name...)
		}
	case schema.TypeFSPath:
		return e.appendPath(buf, AtFDCWD, p, n)
	case schema.TypeFSRelPath:
		dirfd, ok := e.Int(int(d.DirFD))
		if ok {
			return e.appendPath(buf, dirfd, p, n)
		}
	}
	return buf
}

// dynamic returns the member of d that p selects.
func dynamic(d *schema.Param, p []byte) (schema.ParamType, schema.Format, []byte, bool) {
	if len(p) < 1 || d.Dyn == nil || int(p[0]) >= len(d.Dyn.Members) {
		return 0, 0, nil, false
	}
	m := d.Dyn.Members[p[0]]
	if p = p[1:]; len(p) == 0 {
		p = nil
	}
	if w := m.Type.Width(); w != 0 && p != nil && len(p) != w {
		return 0, 0, nil, false
	}
	return m.Type, m.Fmt, p, true
}

// number reads p as a number, zero-extended and as its type says.
func number(typ schema.ParamType, p []byte) (num uint64, signed int64) {
	switch len(p) {
	case 1:
		num, signed = uint64(p[0]), int64(int8(p[0]))
	case 2:
		v := binary.LittleEndian.Uint16(p)
		num, signed = uint64(v), int64(int16(v))
	case 4:
		v := binary.LittleEndian.Uint32(p)
		num, signed = uint64(v), int64(int32(v))
	case 8:
		v := binary.LittleEndian.Uint64(p)
		num, signed = v, int64(v)
	}
	return num, signed
}

func appendRaw(buf []byte, typ schema.ParamType, format schema.Format, p []byte) []byte {
	if p == nil {
		switch typ {
		case schema.TypeByteBuf, schema.TypeSockTuple, schema.TypeFDList, schema.TypeCharBufArray,
			schema.TypeCharBufPairArray, schema.TypeDyn:
			return append(buf, null...)
		}
		return append(buf, NA...)
	}
	switch typ {
	case schema.TypeCharBuf, schema.TypeFSPath, schema.TypeFSRelPath:
		return append(buf, cutNUL(p)...)
	case schema.TypeByteBuf:
		return appendPrintable(buf, p)
	case schema.TypeSockAddr:
		return appendAddr(buf, p)
	case schema.TypeSockTuple:
		return appendTuple(buf, p)
	case schema.TypeCharBufArray:
		return appendStrings(buf, p, '.', 0)
	case schema.TypeCharBufPairArray:
		return appendStrings(buf, p, ',', ':')
	case schema.TypeIPv4Addr:
		return netip.AddrFrom4([4]byte(p)).AppendTo(buf)
	case schema.TypeIPv6Addr:
		return netip.AddrFrom16([16]byte(p)).AppendTo(buf)
	}
	num, signed := number(typ, p)
	switch typ {
	case schema.TypeRelTime:
		buf = strconv.AppendFloat(buf, float64(num)/1e9, 'g', 6, 64)
		return append(buf, 's')
	case schema.TypeAbsTime:
		return AppendDateTime(buf, num)
	case schema.TypeDouble:
		return strconv.AppendFloat(buf, math.Float64frombits(num), 'f', 1, 64)
	case schema.TypeUID, schema.TypeGID, schema.TypeErrno, schema.TypeFD, schema.TypePID:
		return strconv.AppendInt(buf, signed, 10) // whatever the schema says: mmap's result is marked as hexadecimal
	case schema.TypeMode:
		return appendOctal(buf, num)
	case schema.TypeFlags8, schema.TypeFlags16, schema.TypeFlags32,
		schema.TypeEnumFlags8, schema.TypeEnumFlags16, schema.TypeEnumFlags32:
		return strconv.AppendUint(buf, num, 10)
	case schema.TypeBool:
		return strconv.AppendBool(buf, num != 0)
	}
	switch format {
	case schema.FormatHex:
		return appendHex(buf, num)
	case schema.FormatOct:
		return appendOctal(buf, num)
	case schema.FormatPaddedDec:
		for pad := uint64(1_000_000_000); pad > num && pad > 1; pad /= 10 {
			buf = append(buf, '0')
		}
		return strconv.AppendUint(buf, num, 10)
	}
	// Unsigned ones of 64 bits are printed as if they had a sign, as others print
	// them: an lseek backwards reads offset=-489.
	if typ.Signed() || typ == schema.TypeUint64 {
		return strconv.AppendInt(buf, signed, 10)
	}
	return strconv.AppendUint(buf, num, 10)
}

// appendHex appends n in upper-case digits without a prefix.
func appendHex(buf []byte, n uint64) []byte {
	start := len(buf)
	buf = strconv.AppendUint(buf, n, 16)
	for i := start; i < len(buf); i++ {
		if buf[i] >= 'a' {
			buf[i] -= 'a' - 'A'
		}
	}
	return buf
}

// appendOctal appends n with the leading 0 of an octal number, which 0 itself
// has already.
func appendOctal(buf []byte, n uint64) []byte {
	if n != 0 {
		buf = append(buf, '0')
	}
	return strconv.AppendUint(buf, n, 8)
}

func appendPrintable(buf, p []byte) []byte {
	for _, c := range p {
		if c < ' ' || c > '~' {
			c = '.'
		}
		buf = append(buf, c)
	}
	return buf
}

// appendStrings joins the strings in p, each of which ends with NUL. With a
// second separator they are pairs, and it stands between the two of a pair.
func appendStrings(buf, p []byte, sep, pair byte) []byte {
	for i := 0; len(p) > 0; i++ {
		switch {
		case i == 0:
		case pair != 0 && i%2 == 1:
			buf = append(buf, pair)
		default:
			buf = append(buf, sep)
		}
		s := cutNUL(p)
		buf = append(buf, s...)
		p = p[min(len(s)+1, len(p)):]
	}
	return buf
}

// cutNUL returns p up to its first NUL.
func cutNUL(p []byte) []byte {
	if n := bytes.IndexByte(p, 0); n >= 0 {
		return p[:n]
	}
	return p
}

// appendID names a user or group: "<NONE>" for -1, "<NA>" if it is not known.
func appendID(buf []byte, typ schema.ParamType, id uint32, n Names) []byte {
	if id == math.MaxUint32 {
		return append(buf, "<NONE>"...)
	}
	var name string
	var ok bool
	if n != nil && typ == schema.TypeUID {
		name, ok = n.User(id)
	} else if n != nil {
		name, ok = n.Group(id)
	}
	if !ok {
		name = NA
	}
	return append(buf, name...)
}

// appendPath appends the absolute form of a relative path.
func (e *Event) appendPath(buf []byte, dirfd int64, p []byte, n Names) []byte {
	p = cutNUL(p)
	if n == nil || len(p) == 0 || p[0] == '/' {
		return buf
	}
	start := len(buf)
	out, ok := n.AppendPath(buf, dirfd, View(p))
	if !ok {
		return buf[:start]
	}
	return out
}
