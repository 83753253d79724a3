// SPDX-License-Identifier: Apache-2.0

package field

import "net/netip"

// Type is the kind of value that a field has. It decides which operators a
// condition may use and how a value is written (rules-language.md §4).
type Type uint8

// Values of Type.
const (
	String Type = iota + 1
	Path
	Bytes
	Int8
	Int16
	Int32
	Int64
	Uint8
	Uint16
	Uint32
	Uint64
	FD
	PID
	Errno
	Flags
	Mode
	Signal
	RelTime
	AbsTime
	Double
	Bool
	Port
	IP
	IPNet
	Other // uid, gid, sockaddr, tuples, arrays: only "exists" applies
	numTypes
)

var schemaNames = [numTypes]string{
	String: "CHARBUF", Path: "FSPATH", Bytes: "BYTEBUF",
	Int8: "INT8", Int16: "INT16", Int32: "INT32", Int64: "INT64",
	Uint8: "UINT8", Uint16: "UINT16", Uint32: "UINT32", Uint64: "UINT64",
	FD: "FD", PID: "PID", Errno: "ERRNO", Flags: "FLAGS32", Mode: "MODE", Signal: "SIGTYPE",
	RelTime: "RELTIME", AbsTime: "ABSTIME", Double: "DOUBLE", Bool: "BOOL",
	Port: "PORT", IP: "IPADDR", IPNet: "IPNET", Other: "DYN",
}

// SchemaName is the upper-case name that error messages and --list show.
func (t Type) SchemaName() string {
	if t == 0 || t >= numTypes {
		return "NONE"
	}
	return schemaNames[t]
}

// Signed reports whether values of type t are two's complement numbers.
func (t Type) Signed() bool {
	switch t {
	case Int8, Int16, Int32, Int64, FD, PID, Errno:
		return true
	}
	return false
}

// Value is one value of a field; which member counts depends on the type.
type Value struct {
	Str string     // String, Path, Bytes, Other
	Num uint64     // the numbers (two's complement if signed), Bool (0 or 1), Port; Double: math.Float64bits
	IP  netip.Addr // IP; IPNet: the address that a prefix is compared with
}
