// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/falco-go/falco/pkg/config"
)

const (
	syslogSocket   = "/dev/log"
	syslogUser     = 1 << 3 // facility
	syslogPatience = 100 * time.Millisecond
)

// syslogHook sends the lines of the log to syslog: facility user, ident falco,
// no process id. Where nobody listens they are gone; logrus calls Fire with its
// lock held.
type syslogHook struct {
	conn net.Conn
	last time.Time // of the last attempt to connect
}

func (h *syslogHook) Levels() []logrus.Level { return logrus.AllLevels }

func (h *syslogHook) Fire(e *logrus.Entry) error {
	level, _ := e.Data[levelKey].(config.Level)
	line := fmt.Sprintf("<%d>%s falco: %s", syslogUser|int(level), e.Time.Format(time.Stamp), strings.TrimSuffix(e.Message, "\n"))
	for range 2 { // the second time over a new connection, if syslog was restarted
		if h.conn == nil {
			if e.Time.Sub(h.last) < time.Second {
				return nil
			}
			h.last = e.Time
			conn, err := net.DialTimeout("unixgram", syslogSocket, syslogPatience)
			if err != nil {
				return nil
			}
			h.conn = conn
		}
		h.conn.SetWriteDeadline(time.Now().Add(syslogPatience))
		if _, err := h.conn.Write([]byte(line)); err == nil {
			return nil
		}
		h.conn.Close()
		h.conn = nil
	}
	return nil
}
