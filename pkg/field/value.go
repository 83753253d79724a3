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
	Other // sockaddr, tuples, arrays: only "exists" applies
)

// Value is one value of a field; which member counts depends on the type.
type Value struct {
	Str string     // String, Path, Bytes, Other
	Num uint64     // the numbers (two's complement if signed), Bool (0 or 1), Port
	IP  netip.Addr // IP
}
