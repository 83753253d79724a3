// SPDX-License-Identifier: Apache-2.0

package capture

import "net/netip"

// fds reads the descriptors of one thread.
func (r *Reader) fds(c *cursor, told bool) uint64 {
	c.begin()
	tid := c.i64()
	if c.short {
		return 1
	}
	return c.entries(told, true, func() {
		f := FD{Tid: tid, Num: c.i64(), Ino: c.u64(), Type: FDType(c.u8())}
		switch f.Type {
		case FDUnknown:
		case FDIPv4:
			f.ends(c, c.ipv4)
		case FDIPv6:
			f.ends(c, c.ipv6)
		case FDIPv4Server:
			f.Dst = netip.AddrPortFrom(c.ipv4(), c.u16())
			f.L4 = c.u8()
		case FDIPv6Server:
			f.Dst = netip.AddrPortFrom(c.ipv6(), c.u16())
			f.L4 = c.u8()
		case FDUnix:
			f.UnixSrc, f.UnixDst, f.Name = c.u64(), c.u64(), c.str()
		case FDFileV2:
			f.OpenFlags, f.Name = c.u32(), c.str()
			if told && c.rest() >= 4 {
				f.Dev = c.u32()
			}
		default:
			if f.Type < numFDTypes {
				f.Name = c.str()
			} else if told {
				f.Type = FDUnsupported // its length leads past it
			} else {
				c.short = true
			}
		}
		if !c.short && c.err == nil {
			r.lengthen(f.Tid, f.Num, f.long)
			r.tables.FD(&f)
		}
	})
}

// ends reads both ends of a socket: addresses, ports, protocol.
func (f *FD) ends(c *cursor, addr func() netip.Addr) {
	src, dst := addr(), addr()
	f.Src, f.Dst = netip.AddrPortFrom(src, c.u16()), netip.AddrPortFrom(dst, c.u16())
	f.L4 = c.u8()
}
