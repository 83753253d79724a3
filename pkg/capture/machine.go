// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"net/netip"
	"strings"
)

// hostnameBytes is the length of a machine's name with the NULs that fill it.
const hostnameBytes = 128

func (r *Reader) readMachine(c *cursor) uint64 {
	c.begin()
	if c.left < machineBody {
		return 1
	}
	m := Machine{CPUs: c.u32(), Memory: c.u64(), MaxPid: c.u64()}
	m.Hostname, _, _ = strings.Cut(string(c.take(hostnameBytes)), "\x00")
	m.BootTime, m.Flags = c.u64(), c.u64()
	if c.err != nil {
		return 0
	}
	r.machine = m
	r.tables.Machine(&m)
	return 0
}

// Kinds of interfaces: the family, and whether a speed is told.
const (
	ifIPv4Speed = 1
	ifIPv6Speed = 2
	ifIPv4      = 3
	ifIPv6      = 4
)

func (r *Reader) interfaces(c *cursor, told bool) uint64 {
	return c.entries(told, false, func() {
		kind, nameLen := c.u16(), int(c.u16())
		addr := c.ipv4
		switch kind {
		case ifIPv4, ifIPv4Speed:
		case ifIPv6, ifIPv6Speed:
			addr = c.ipv6
		default:
			c.short = true // nobody knows how long the rest is
			return
		}
		i := Interface{Addr: addr(), Netmask: addr(), Broadcast: addr()}
		if kind == ifIPv4Speed || kind == ifIPv6Speed {
			i.Speed = c.u64()
		}
		i.Name, _, _ = strings.Cut(string(c.take(nameLen)), "\x00")
		if !c.short && c.err == nil {
			r.tables.Interface(&i)
		}
	})
}

func (c *cursor) ipv4() netip.Addr { return netip.AddrFrom4([4]byte(c.take(4))) }
func (c *cursor) ipv6() netip.Addr { return netip.AddrFrom16([16]byte(c.take(16))) }
