// SPDX-License-Identifier: Apache-2.0

package schema

// ParamType is the encoding of a parameter (scap schema, "PT_" types).
type ParamType uint8

// Values of ParamType. All integers are little-endian.
const (
	TypeNone ParamType = iota
	TypeInt8
	TypeInt16
	TypeInt32
	TypeInt64
	TypeUint8
	TypeUint16
	TypeUint32
	TypeUint64
	TypeCharBuf
	TypeByteBuf
	TypeErrno
	TypeSockAddr
	TypeSockTuple
	TypeFD
	TypePID
	TypeFDList
	TypeFSPath
	TypeSyscallID
	TypeSigType
	TypeRelTime
	TypeAbsTime
	TypePort
	TypeL4Proto
	TypeSockFamily
	TypeBool
	TypeIPv4Addr
	TypeDyn
	TypeFlags8
	TypeFlags16
	TypeFlags32
	TypeUID
	TypeGID
	TypeDouble
	TypeSigSet
	TypeCharBufArray
	TypeCharBufPairArray
	TypeIPv4Net
	TypeIPv6Addr
	TypeIPv6Net
	TypeIPAddr
	TypeIPNet
	TypeMode
	TypeFSRelPath
	TypeEnumFlags8
	TypeEnumFlags16
	TypeEnumFlags32
	TypeFD32
	TypePID32
	numTypes
)

var typeNames = [numTypes]string{
	"none", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "charbuf", "bytebuf",
	"errno", "sockaddr", "socktuple", "fd", "pid", "fdlist", "fspath", "syscallid", "sigtype", "reltime",
	"abstime", "port", "l4proto", "sockfamily", "bool", "ipv4addr", "dyn", "flags8", "flags16", "flags32",
	"uid", "gid", "double", "sigset", "charbufarray", "charbufpairarray", "ipv4net", "ipv6addr", "ipv6net",
	"ipaddr", "ipnet", "mode", "fsrelpath", "enumflags8", "enumflags16", "enumflags32", "fd32", "pid32",
}

// String returns the name that events.tbl uses.
func (t ParamType) String() string {
	if t < numTypes {
		return typeNames[t]
	}
	return "unknown"
}

// Width returns the bytes that a value of type t occupies, 0 if that varies.
func (t ParamType) Width() int {
	switch t {
	case TypeInt8, TypeUint8, TypeFlags8, TypeEnumFlags8, TypeSigType, TypeL4Proto, TypeSockFamily:
		return 1
	case TypeInt16, TypeUint16, TypeFlags16, TypeEnumFlags16, TypeSyscallID, TypePort:
		return 2
	case TypeInt32, TypeUint32, TypeFlags32, TypeEnumFlags32, TypeUID, TypeGID, TypeMode, TypeSigSet,
		TypeFD32, TypePID32, TypeIPv4Addr, TypeBool:
		return 4
	case TypeInt64, TypeUint64, TypeRelTime, TypeAbsTime, TypeErrno, TypeFD, TypePID, TypeDouble:
		return 8
	case TypeIPv6Addr:
		return 16
	}
	return 0
}

// Signed reports whether values of type t are two's complement numbers.
func (t ParamType) Signed() bool {
	switch t {
	case TypeInt8, TypeInt16, TypeInt32, TypeInt64, TypeErrno, TypeFD, TypePID, TypeFD32, TypePID32:
		return true
	}
	return false
}

// Format is how a number is printed.
type Format uint8

// Values of Format.
const (
	FormatNA Format = iota
	FormatDec
	FormatHex
	FormatPaddedDec // at least ten digits
	FormatID
	FormatDir
	FormatOct
	numFormats
)

var formatNames = [numFormats]string{"na", "dec", "hex", "padded", "id", "dir", "oct"}

// String returns the name that events.tbl uses.
func (f Format) String() string {
	if f < numFormats {
		return formatNames[f]
	}
	return "unknown"
}
