// SPDX-License-Identifier: Apache-2.0

package state

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strconv"

	"github.com/falco-go/falco/pkg/schema"
)

// ends are the two ends of a socket, as a parameter tells them.
type ends struct {
	family           byte // schema.AfInet, AfInet6, AfUnix; 0 if there are none
	src, dst         netip.AddrPort
	unixSrc, unixDst uint64
	path             []byte // of a unix socket; a view
}

// parseTuple reads a socket tuple; ends without a family are none.
func parseTuple(b []byte) (e ends) {
	if len(b) == 0 {
		return e
	}
	switch family, b := b[0], b[1:]; {
	case family == schema.AfInet && len(b) == 12:
		e.src, e.dst = addrPort(b[:6]), addrPort(b[6:])
	case family == schema.AfInet6 && len(b) == 36:
		e.src, e.dst = addrPort(b[:18]), addrPort(b[18:])
		mappable := func(a netip.Addr) bool { return a.Is4In6() || a == netip.IPv6Unspecified() }
		if mappable(e.src.Addr()) && mappable(e.dst.Addr()) && (e.src.Addr().Is4In6() || e.dst.Addr().Is4In6()) {
			e.src, e.dst = unmapOne(e.src), unmapOne(e.dst)
			e.family = schema.AfInet
			return e
		}
	case family == schema.AfUnix && len(b) >= 16:
		e.unixSrc, e.unixDst = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
		e.path = cString(b[16:])
	default:
		return e
	}
	e.family = b[0]
	return e
}

// parseAddr reads a socket address; a unix socket has a path instead.
func parseAddr(b []byte) (addr netip.AddrPort, path []byte, family byte) {
	if len(b) == 0 {
		return
	}
	switch family, b := b[0], b[1:]; {
	case family == schema.AfInet && len(b) == 6, family == schema.AfInet6 && len(b) == 18:
		return addrPort(b), nil, family
	case family == schema.AfUnix:
		return addr, cString(b), family
	}
	return
}

// addrPort reads an address in network order and a port.
func addrPort(b []byte) netip.AddrPort {
	n := len(b) - 2
	a, _ := netip.AddrFromSlice(b[:n])
	return netip.AddrPortFrom(a, binary.LittleEndian.Uint16(b[n:]))
}

func cString(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}

func inetType(a netip.Addr, server bool) FDType {
	typ := FDIPv4
	if !a.Is4() {
		typ = FDIPv6
	}
	if server {
		typ += FDIPv4Server - FDIPv4
	}
	return typ
}

// socketName composes the name of an internet socket.
func (s *State) socketName(f *FD) string {
	b := s.buf[:0]
	switch {
	case f.Type.IsServer():
		b = appendAddrPort(b, f.Dst)
	case f.L4 == L4TCP, f.L4 == L4UDP:
		b = appendAddrPort(b, f.Src)
		b = append(b, "->"...)
		b = appendAddrPort(b, f.Dst)
	case f.L4 == L4ICMP, f.L4 == L4Raw:
		b = f.Src.Addr().AppendTo(b)
		b = append(b, "->"...)
		b = f.Dst.Addr().AppendTo(b)
	default:
		return "<unknown>"
	}
	s.buf = b
	return s.names.bytes(b)
}

// appendAddrPort writes an address without the brackets of IPv6.
func appendAddrPort(b []byte, a netip.AddrPort) []byte {
	if a.Addr().IsValid() {
		b = a.Addr().AppendTo(b)
	}
	b = append(b, ':')
	return strconv.AppendUint(b, uint64(a.Port()), 10)
}

// setUnix makes f a unix socket with the given ends, which are in its name.
func (s *State) setUnix(f *FD, e *ends) {
	b := strconv.AppendUint(s.buf[:0], e.unixSrc, 16)
	b = append(b, "->"...)
	b = strconv.AppendUint(b, e.unixDst, 16)
	b = append(b, ' ')
	f.Type, f.UnixSrc, f.UnixDst, f.path = FDUnix, e.unixSrc, e.unixDst, uint16(len(b))
	b = append(b, e.path...)
	s.buf = b
	f.Name = s.names.bytes(b)
}

// isUnix reports whether f has the ends that a tuple tells: a socket says them
// again with each message.
func (f *FD) isUnix(tuple []byte) bool {
	const fixed = 1 + 8 + 8
	if f.path == 0 || f.Type != FDUnix || len(tuple) < fixed || tuple[0] != schema.AfUnix {
		return false
	}
	if binary.LittleEndian.Uint64(tuple[1:]) != f.UnixSrc || binary.LittleEndian.Uint64(tuple[9:]) != f.UnixDst {
		return false
	}
	path, told := f.Name[f.path:], tuple[fixed:]
	switch {
	case len(told) > len(path):
		return told[len(path)] == 0 && string(told[:len(path)]) == path
	default:
		return string(told) == path
	}
}
