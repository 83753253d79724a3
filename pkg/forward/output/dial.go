// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"crypto/tls"
	"net"
)

// dialer returns a function that connects to addr over tcp, udp or tls.
func (e *Env) dialer(protocol, addr string, p *peerTLS) (func(ctx context.Context) (net.Conn, error), error) {
	d := &net.Dialer{Timeout: connectTimeout}
	if protocol != "tls" {
		return func(ctx context.Context) (net.Conn, error) { return d.DialContext(ctx, protocol, addr) }, nil
	}
	conf, err := e.TLSConfig(p.http())
	if err != nil {
		return nil, err
	}
	secure := &tls.Dialer{NetDialer: d, Config: conf}
	return func(ctx context.Context) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, 2*connectTimeout)
		defer cancel()
		return secure.DialContext(ctx, "tcp", addr)
	}, nil
}
