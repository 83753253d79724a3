// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net"
	"net/netip"
)

// hostAddrs returns the addresses of this machine's interfaces.
func hostAddrs() (out []netip.Prefix) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			if p, err := netip.ParsePrefix(n.String()); err == nil {
				out = append(out, p)
			}
		}
	}
	return out
}
