// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/falco-go/falco/pkg/alert"
)

const (
	syslogUser    = 1 << 3   // facility
	syslogMax     = 60 << 10 // bytes of a line; more does not fit into a datagram everywhere
	syslogTimeout = 10 * time.Second
)

// syslog sends lines to the machine's log.
type syslog struct {
	socket string
	ident  string
	conn   net.Conn
}

// NewSyslog returns the sink that logs alerts under the name ident, at the level
// of their priority. socket is /dev/log but in tests.
func NewSyslog(socket, ident string) Sink { return &syslog{socket: socket, ident: ident} }

func (s *syslog) Name() string { return "syslog" }

func (s *syslog) Write(ctx context.Context, l Line) error {
	text := l.Text[:len(l.Text)-1]
	msg := syslogLine(time.Now(), l.Severity, s.ident, text[:min(len(text), syslogMax)])
	var err error
	for range 2 { // the second time over a new connection, if the logger was restarted
		if s.conn == nil {
			dialer := net.Dialer{Timeout: syslogTimeout}
			if s.conn, err = dialer.DialContext(ctx, "unixgram", s.socket); err != nil {
				s.conn = nil
				return err
			}
		}
		conn := s.conn
		conn.SetWriteDeadline(time.Now().Add(syslogTimeout))
		stop := context.AfterFunc(ctx, func() { conn.SetWriteDeadline(time.Unix(1, 0)) })
		_, err = conn.Write(msg)
		if stop(); err == nil {
			return nil
		}
		s.Close()
	}
	return err
}

// syslogLine is a message as the C library writes it.
func syslogLine(now time.Time, sev alert.Severity, ident string, text []byte) []byte {
	return fmt.Appendf(nil, "<%d>%s %s: %s", syslogUser|int(sev), now.Format(time.Stamp), ident, text)
}

func (s *syslog) Reopen() error { return nil }

func (s *syslog) Close() error {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
	return nil
}
