// SPDX-License-Identifier: Apache-2.0

package event

import (
	"encoding/binary"
	"net/netip"
	"strconv"
)

// Address families as they stand in socket addresses and tuples.
const (
	FamilyUnix  = 1
	FamilyInet  = 2
	FamilyInet6 = 10
)

// Addr is a decoded socket address (driver.md §3.3).
type Addr struct {
	Family uint8
	IP     netip.Addr // inet, inet6
	Port   uint16     // inet, inet6
	Path   string     // unix; a view
}

// ParseAddr decodes p; ok is false if it is not a whole address. The address of
// a family that we don't know has nothing but its family.
func ParseAddr(p []byte) (a Addr, ok bool) {
	if len(p) == 0 {
		return a, false
	}
	a.Family, p = p[0], p[1:]
	switch a.Family {
	case FamilyInet, FamilyInet6:
		a.IP, a.Port, p, ok = cutEndpoint(a.Family, p)
		return a, ok && len(p) == 0
	case FamilyUnix:
		a.Path = View(cutNUL(p))
	}
	return a, true
}

// Tuple is a decoded pair of endpoints (driver.md §3.4).
type Tuple struct {
	Family   uint8
	Src, Dst netip.AddrPort // inet, inet6
	SrcID    uint64         // unix: what stands first
	DstID    uint64         // unix: what stands second
	Path     string         // unix; a view
}

// ParseTuple decodes p; ok is false if it is not a whole tuple. The tuple of a
// family that we don't know has nothing but its family.
func ParseTuple(p []byte) (t Tuple, ok bool) {
	if len(p) == 0 {
		return t, false
	}
	t.Family, p = p[0], p[1:]
	switch t.Family {
	case FamilyInet, FamilyInet6:
		src, sport, p, ok := cutEndpoint(t.Family, p)
		if !ok {
			return t, false
		}
		dst, dport, p, ok := cutEndpoint(t.Family, p)
		t.Src, t.Dst = netip.AddrPortFrom(src, sport), netip.AddrPortFrom(dst, dport)
		return t, ok && len(p) == 0
	case FamilyUnix:
		if len(p) < 16 {
			return t, false
		}
		t.SrcID, t.DstID = binary.LittleEndian.Uint64(p), binary.LittleEndian.Uint64(p[8:])
		t.Path = View(cutNUL(p[16:]))
	}
	return t, true
}

// cutEndpoint takes an address and a port from the head of p.
func cutEndpoint(family uint8, p []byte) (ip netip.Addr, port uint16, rest []byte, ok bool) {
	switch {
	case family == FamilyInet && len(p) >= 6:
		ip, p = netip.AddrFrom4([4]byte(p)), p[4:]
	case family == FamilyInet6 && len(p) >= 18:
		ip, p = netip.AddrFrom16([16]byte(p)), p[16:]
	default:
		return ip, 0, p, false
	}
	return ip, binary.LittleEndian.Uint16(p), p[2:], true
}

// appendAddr prints a socket address: "1.2.3.4:80", "::1:80", "/run/x.sock".
func appendAddr(buf, p []byte) []byte {
	a, ok := ParseAddr(p)
	if !ok {
		return append(buf, NA...)
	}
	switch a.Family {
	case FamilyInet, FamilyInet6:
		return appendEndpoint(buf, a.IP, a.Port)
	case FamilyUnix:
		return append(buf, a.Path...)
	}
	return appendFamily(buf, a.Family)
}

// appendTuple prints a tuple: "1.2.3.4:5->6.7.8.9:80", "ff01->ff02 /run/x.sock".
func appendTuple(buf, p []byte) []byte {
	t, ok := ParseTuple(p)
	if !ok {
		return append(buf, null...)
	}
	switch t.Family {
	case FamilyInet, FamilyInet6:
		buf = appendEndpoint(buf, t.Src.Addr(), t.Src.Port())
		buf = append(buf, "->"...)
		return appendEndpoint(buf, t.Dst.Addr(), t.Dst.Port())
	case FamilyUnix:
		buf = strconv.AppendUint(buf, t.SrcID, 16)
		buf = append(buf, "->"...)
		buf = strconv.AppendUint(buf, t.DstID, 16)
		return append(append(buf, ' '), t.Path...)
	}
	return appendFamily(buf, t.Family)
}

func appendEndpoint(buf []byte, ip netip.Addr, port uint16) []byte {
	buf = append(ip.AppendTo(buf), ':')
	return strconv.AppendUint(buf, uint64(port), 10)
}

func appendFamily(buf []byte, family uint8) []byte {
	return strconv.AppendUint(append(buf, "family "...), uint64(family), 10)
}
