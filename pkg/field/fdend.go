// SPDX-License-Identifier: Apache-2.0

package field

import (
	"net/netip"
	"strconv"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/state"
)

// The two ends of an internet socket, by role and by place.

// An end picks one end of an internet socket; ok is false if it is not known
// which one that is.
type end func(s *state.Scene, f *state.FD) (at netip.AddrPort, ok bool)

func clientEnd(_ *state.Scene, f *state.FD) (netip.AddrPort, bool) {
	return f.Src, isConnection(f) && f.HasRole()
}

func serverEnd(_ *state.Scene, f *state.FD) (netip.AddrPort, bool) {
	return f.Dst, f.Type.IsServer() || isConnection(f) && f.HasRole()
}

// serverIPEnd wants to know the role of a bound socket too.
func serverIPEnd(_ *state.Scene, f *state.FD) (netip.AddrPort, bool) {
	return f.Dst, f.Type.IsIP() && f.HasRole()
}

func localEnd(s *state.Scene, f *state.FD) (netip.AddrPort, bool) {
	if s.State.IsLocal(s.Thread, f.Src.Addr()) {
		return f.Src, isConnection(f) && f.HasRole()
	}
	return f.Dst, isConnection(f) && f.HasRole()
}

func remoteEnd(s *state.Scene, f *state.FD) (netip.AddrPort, bool) {
	if s.State.IsLocal(s.Thread, f.Src.Addr()) {
		return f.Dst, isConnection(f) && f.HasRole()
	}
	return f.Src, isConnection(f) && f.HasRole()
}

func isConnection(f *state.FD) bool { return f.Type.IsIP() && !f.Type.IsServer() }

// ipOf returns the address of an end; one that was never told is all zero.
func ipOf(f *state.FD, at netip.AddrPort) netip.Addr {
	switch {
	case at.Addr().IsValid():
		return at.Addr()
	case f.Type == state.FDIPv6 || f.Type == state.FDIPv6Server:
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

func fdIP(e end) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		f := record(s)
		if f == nil {
			return out
		}
		if at, ok := e(s, f); ok {
			return append(out, Value{IP: ipOf(f, at)})
		}
		return out
	}
}

func fdPort(e end) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		f := record(s)
		if f == nil {
			return out
		}
		if at, ok := e(s, f); ok {
			return number(out, uint64(at.Port()))
		}
		return out
	}
}

// fdAnyIP gives both ends, or the address of a server socket.
func fdAnyIP(s *state.Scene, _ *Arg, out []Value) []Value {
	f := record(s)
	if f == nil || !f.Type.IsIP() {
		return out
	}
	if isConnection(f) {
		out = append(out, Value{IP: ipOf(f, f.Src)})
	}
	return append(out, Value{IP: ipOf(f, f.Dst)})
}

func fdAnyPort(s *state.Scene, _ *Arg, out []Value) []Value {
	f := record(s)
	if f == nil || !f.Type.IsIP() {
		return out
	}
	if isConnection(f) {
		out = number(out, uint64(f.Src.Port()))
	}
	return number(out, uint64(f.Dst.Port()))
}

// fdProto prints a port. It is empty for what has no ports, and for the server
// end of a server socket.
func fdProto(e end) getter {
	return func(s *state.Scene, a *Arg, out []Value) []Value {
		f := record(s)
		switch {
		case f == nil:
			return out
		case !isConnection(f):
			return text(out, "")
		}
		at, ok := e(s, f)
		if !ok {
			return out
		}
		a.buf = strconv.AppendUint(a.buf[:0], uint64(at.Port()), 10)
		return text(out, event.View(a.buf))
	}
}

// fdHost gives the address, for a condition to compare with those of a name.
func fdHost(e end) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		f := record(s)
		if f == nil {
			return out
		}
		if at, ok := e(s, f); ok {
			return append(out, Value{IP: ipOf(f, at), Str: Hosts.Name(at.Addr())})
		}
		return out
	}
}

// fdHostName gives the name of an address, if a condition has made it known.
func fdHostName(e end) getter {
	get := fdHost(e)
	return func(s *state.Scene, a *Arg, out []Value) []Value {
		n := len(out)
		if out = get(s, a, out); len(out) > n && out[n].Str == "" {
			return out[:n]
		}
		return out
	}
}
