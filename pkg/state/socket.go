// SPDX-License-Identifier: Apache-2.0

package state

import (
	"encoding/binary"
	"net/netip"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/schema"
)

// Whose address is whose: Src is the client, Dst the server. The kernel tells the
// two ends as seen by the call: connect and the send family name the local end
// first, accept and the recv family the peer. Who is the client is known from
// connect and accept; for sockets that do neither, the first to send is.

// socket: fd, domain, type, proto, flags.
func (s *State) socket(ev *event.Event) {
	n, ok := ev.Return()
	if !ok || n < 0 {
		return
	}
	f := s.newFD()
	typ, proto := uintOr(ev, 2, 0), uintOr(ev, 3, 0)
	switch uintOr(ev, 1, 0) {
	case schema.AfUnix:
		f.Type = FDUnix
	case schema.AfInet:
		f.Type, f.L4 = FDIPv4, transport(typ&0xff, proto)
	case schema.AfInet6:
		f.Type, f.L4 = FDIPv6, transport(typ&0xff, proto)
	case schema.AfNetlink:
		f.Type = FDNetlink
	}
	if uintOr(ev, 4, 0)&schema.OCloexec != 0 || typ&hostCloexec != 0 {
		f.Flags |= FDCloexec
	}
	s.addFD(s.scene.Thread, n, f)
}

func transport(typ, proto uint64) L4 {
	if typ == sockRaw {
		switch proto {
		case protoTCP, protoUDP, protoICMP, protoRaw:
			return L4Raw
		}
		return L4Unknown
	}
	switch proto {
	case protoTCP:
		return L4TCP
	case protoUDP:
		return L4UDP
	case protoICMP:
		return L4ICMP
	case protoRaw:
		return L4Raw
	case protoIP:
		switch typ {
		case sockStream:
			return L4TCP
		case sockDgram:
			return L4UDP
		}
	}
	return L4Unknown
}

// socketpair: res, fd1, fd2, source, peer, …, type. The first descriptor is the
// event's, though the number is the second's.
func (s *State) socketpair(ev *event.Event) {
	res, ok := ev.Return()
	a, b := intOr(ev, 1, -1), intOr(ev, 2, -1)
	if !ok || res < 0 || a == b {
		return
	}
	var first *FD
	for i, n := range [2]int64{a, b} {
		f := s.newFD()
		f.Type = FDUnix
		f.UnixSrc, f.UnixDst = uintOr(ev, 3, 0), uintOr(ev, 4, 0)
		if uintOr(ev, 6, 0)&hostCloexec != 0 {
			f.Flags |= FDCloexec
		}
		s.addFD(s.scene.Thread, n, f)
		if i == 0 {
			first = s.scene.FD
		}
	}
	s.scene.FD = first
}

// bind: res, addr, fd.
func (s *State) bind(ev *event.Event) {
	res, ok := ev.Return()
	addr, path, family := parseAddr(ev.Param(1))
	if !ok || res < 0 || family == 0 || s.scene.FD == nil {
		return
	}
	f := s.writable(s.scene.Thread, s.scene.FDNum)
	if f == nil {
		return
	}
	f.path = 0 // whatever the new name is, it does not say both ends
	if family == schema.AfUnix {
		f.Type = FDUnix
		f.Name = s.names.bytes(path)
		return
	}
	if addr.Addr().Is4In6() {
		addr = unmapOne(addr)
	}
	if addr.Port() > 0 {
		f.Type = inetType(addr.Addr(), true)
		f.Src, f.Dst = netip.AddrPort{}, addr
		f.Flags = f.Flags&^FDClient | FDServer
	}
	s.buf = appendAddrPort(s.buf[:0], addr)
	f.Name = s.names.bytes(s.buf)
}

// connect: res, tuple, fd, addr. A connection that is still being made counts.
func (s *State) connect(ev *event.Event) {
	res, ok := ev.Return()
	if !ok || res < 0 && res != errInProgress || s.scene.FD == nil {
		return
	}
	f := s.writable(s.scene.Thread, s.scene.FDNum)
	if f == nil {
		return
	}
	f.Flags |= FDConnected
	enter := s.entered(ev)
	e := parseTuple(ev.Param(1))
	switch e.family {
	case 0: // TCP fast open: there is no connection yet, but the caller said where to
		if enter == nil {
			return
		}
		if addr, _, family := parseAddr(enter.addr[:enter.alen]); family == schema.AfInet || family == schema.AfInet6 {
			addr = unmapOne(addr)
			f.Type, f.Dst = inetType(addr.Addr(), false), addr
		}
		return
	case schema.AfUnix:
		s.setUnix(f, &e)
		f.role(FDClient)
		return
	}
	// The destination may have been read from the caller's memory after the call. If
	// it equals what was read at exit, what was read at entry is nearer to the truth.
	if enter != nil && enter.alen > 0 {
		exit, _, family := parseAddr(ev.Param(3))
		asked, _, asked1 := parseAddr(enter.addr[:enter.alen])
		if family == asked1 && (family == schema.AfInet || family == schema.AfInet6) && sameEnd(exit, e.dst) {
			e.dst = asked
			if e.family == schema.AfInet {
				e.dst = unmapOne(e.dst)
			}
		}
	}
	changed := s.setEnds(f, &e)
	if changed && f.Has(FDServer) && f.L4 == L4UDP && f.Type == FDIPv4 {
		f.Src, f.Dst = f.Dst, f.Src
	}
	if changed || f.Name == "" {
		f.Name = s.socketName(f)
	}
	f.role(FDClient)
}

// role says which end f is, if that is not known yet.
func (f *FD) role(r FDFlags) {
	if !f.HasRole() {
		f.Flags |= r
	}
}

func sameEnd(a, b netip.AddrPort) bool {
	return a.Port() == b.Port() && a.Addr().Unmap() == b.Addr().Unmap()
}

// setEnds makes f a socket between the ends, and reports whether that was news:
// the same ends the other way round are not.
func (s *State) setEnds(f *FD, e *ends) bool {
	f.Type = inetType(e.dst.Addr(), false)
	if f.Src == e.src && f.Dst == e.dst || f.Src == e.dst && f.Dst == e.src {
		return false
	}
	f.Src, f.Dst = e.src, e.dst
	return true
}

// accept handles accept4 too: fd, tuple, queuepct, queuelen, queuemax, flags.
func (s *State) accept(ev *event.Event) {
	n, ok := ev.Return()
	e := parseTuple(ev.Param(1))
	if !ok || n < 0 {
		return
	}
	if e.family == 0 {
		s.scene.FDNum = n
		s.removeFD(s.files(s.scene.Thread), n) // whatever had the number has it no more
		return
	}
	f := s.newFD()
	f.Flags = FDServer | FDConnected
	if ev.Type == schema.Accept4X && uintOr(ev, 5, 0)&(schema.OCloexec|hostCloexec) != 0 {
		f.Flags |= FDCloexec
	}
	if e.family == schema.AfUnix {
		s.setUnix(f, &e)
	} else {
		f.L4 = L4TCP
		s.setEnds(f, &e)
		f.Name = s.socketName(f)
	}
	s.addFD(s.scene.Thread, n, f)
}

// The send and recv family tell the ends with each call that succeeds.

// send handles sendto and sendmsg too: res, data, fd, size, tuple.
func (s *State) send(ev *event.Event) { s.carried(ev, 4, false, true) }

// sendmmsg: res, fd, size, data, tuple.
func (s *State) sendmmsg(ev *event.Event) { s.carried(ev, 4, false, false) }

// recv: res, data, fd, size, tuple.
func (s *State) recv(ev *event.Event) { s.carried(ev, 4, true, false) }

// recvfrom: res, data, tuple, fd, size.
func (s *State) recvfrom(ev *event.Event) { s.carried(ev, 2, true, false) }

// recvmsg: res, size, data, tuple, msgcontrol, fd.
func (s *State) recvmsg(ev *event.Event) {
	s.carried(ev, 3, true, false)
	s.passed(ev, 4)
}

// recvmmsg: res, fd, size, data, tuple, msgcontrol.
func (s *State) recvmmsg(ev *event.Event) {
	s.carried(ev, 4, true, false)
	s.passed(ev, 5)
}

// carried takes in that a socket has sent or received. create says whether a
// socket that nobody knows can be made from the event.
func (s *State) carried(ev *event.Event, tuple int, incoming, create bool) {
	res, ok := ev.Return()
	if !ok || res < 0 || s.scene.FDNum < 0 {
		return
	}
	f := s.scene.FD
	if f != nil && f.Name != "" && f.Type == FDIPv4 && f.L4 == L4TCP && f.Has(FDConnected) {
		return // by far the most frequent case: nothing can be new
	}
	if f != nil && f.path != 0 && f.isUnix(ev.Param(tuple)) {
		return
	}
	e := parseTuple(ev.Param(tuple))
	if f == nil {
		if !create || e.family != schema.AfInet && e.family != schema.AfInet6 {
			return
		}
		f = s.newFD()
		f.L4, f.Type = L4UDP, inetType(e.dst.Addr(), false)
		n := s.scene.FDNum
		s.addFD(s.scene.Thread, n, f)
		if s.scene.FD == nil {
			return
		}
	}
	if f = s.writable(s.scene.Thread, s.scene.FDNum); f == nil {
		return
	}
	switch e.family {
	case schema.AfInet, schema.AfInet6:
		if f.Name == "" || f.Type != FDIPv4 || f.L4 != L4TCP {
			s.update(f, &e, incoming)
		}
	case schema.AfUnix:
		s.setUnix(f, &e)
	}
	if f.Type == FDIPv4 || f.Type == FDIPv6 {
		f.Flags |= FDConnected
	}
}

// update takes in the ends of a socket that is not, or not known to be,
// connected: they may be others with each call.
func (s *State) update(f *FD, e *ends, incoming bool) {
	if !f.Type.IsIP() {
		f.L4 = L4Unknown
	}
	if !s.setEnds(f, e) {
		return
	}
	if f.L4 == L4Unknown {
		f.L4 = L4UDP
	}
	s.fillLocal(f)
	if incoming {
		f.role(FDServer)
	} else {
		f.role(FDClient)
	}
	if incoming && f.Has(FDClient) || !incoming && f.Has(FDServer) {
		f.Src, f.Dst = f.Dst, f.Src
	}
	f.Name = s.socketName(f)
}

// fillLocal finds out which of our addresses stands for an end that was not told:
// the peer's own if it is one of ours, one in the same network, or any.
func (s *State) fillLocal(f *FD) {
	src, dst := f.Src.Addr(), f.Dst.Addr()
	switch {
	case src.IsUnspecified() && !dst.IsUnspecified():
		f.Src = netip.AddrPortFrom(s.localFor(dst, src), f.Src.Port())
	case dst.IsUnspecified() && !src.IsUnspecified():
		f.Dst = netip.AddrPortFrom(s.localFor(src, dst), f.Dst.Port())
	}
}

func (s *State) localFor(peer, unknown netip.Addr) netip.Addr {
	best, rank := unknown, 0
	for _, p := range s.Machine.Addrs {
		r := 0
		switch {
		case p.Addr().Is4() != peer.Is4():
		case p.Addr() == peer:
			r = 3
		case p.Contains(peer):
			r = 2
		case !p.Addr().IsLoopback():
			r = 1
		}
		if r > rank {
			best, rank = p.Addr(), r
		}
	}
	return best
}

// maxRights bounds the descriptors that one message can carry, as the kernel does.
const maxRights = 253

// passed adds the descriptors that a message brought. The message holds only
// their numbers; what they are stands in /proc.
func (s *State) passed(ev *event.Event, control int) {
	t := s.scene.Thread
	res, ok := ev.Return()
	if !ok || res < 0 || t == nil || s.scene.FD == nil || s.scene.FD.Type != FDUnix {
		return
	}
	o := s.owner(t)
	if o == nil || o.Pid < 0 {
		return
	}
	defer s.askSockets(t)
	left := maxRights
	// struct cmsghdr: len u64, level s32, type s32; data; padding to 8.
	for b := ev.Param(control); len(b) >= 16 && left > 0; {
		size := binary.LittleEndian.Uint64(b)
		if size < 16 || size > uint64(len(b)) {
			return
		}
		if binary.LittleEndian.Uint32(b[8:]) == solSocket && binary.LittleEndian.Uint32(b[12:]) == scmRights {
			for data := b[16:size]; len(data) >= 4 && left > 0; data = data[4:] {
				left--
				n := int64(int32(binary.LittleEndian.Uint32(data)))
				if n < 0 {
					continue
				}
				switch d, found := s.descriptor(o.Pid, n); found {
				case descriptorRead:
					s.putFD(s.tableOf(t), n, s.fromDescriptor(&d))
				default: // what is gone by now may live on in a child
					if s.asks == nil {
						s.removeFD(s.files(t), n)
					} else {
						s.askFD(s.tableOf(t), o.Pid, n, 0)
					}
				}
			}
		}
		b = b[min((size+7)&^7, uint64(len(b))):]
	}
}
