// SPDX-License-Identifier: Apache-2.0

package output

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/falco-go/falco/pkg/forward/event"
)

// Wire are the settings of TLS for outputs that speak another protocol than HTTP.
type Wire struct {
	MutualTLS  bool   `key:"mutualtls" doc:"show a client certificate, and trust the CA beside it alone"`
	CheckCert  bool   `key:"checkcert" default:"true" doc:"check the certificate of the server"`
	CACertFile string `key:"cacertfile" doc:"trust this CA too"`
	CertFile   string `key:"certfile" doc:"the client certificate, if not the common one"`
	KeyFile    string `key:"keyfile" doc:"its key"`
}

func (w *Wire) http() *HTTP {
	return &HTTP{MutualTLS: w.MutualTLS, CheckCert: w.CheckCert, CACertFile: w.CACertFile, CertFile: w.CertFile, KeyFile: w.KeyFile}
}

// lazy holds a connection that is made when it is first needed, and made anew when it was
// dropped. While one goroutine connects the others wait, as long as their ctx lets them.
type lazy[T comparable] struct {
	dial  func(ctx context.Context) (T, error)
	close func(T)

	turn chan struct{} // of capacity 1: full while somebody looks at the rest
	conn T
}

func newLazy[T comparable](dial func(ctx context.Context) (T, error), close func(T)) *lazy[T] {
	return &lazy[T]{dial: dial, close: close, turn: make(chan struct{}, 1)}
}

// get returns the connection.
func (l *lazy[T]) get(ctx context.Context) (conn T, err error) {
	var none T
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return none, ctx.Err()
	}
	defer func() { <-l.turn }()
	if l.conn != none {
		return l.conn, nil
	}
	if conn, err = l.dial(ctx); err != nil {
		return none, err
	}
	l.conn = conn
	return conn, nil
}

// drop closes conn, if it is the one that get returns.
func (l *lazy[T]) drop(conn T) {
	var none T
	l.turn <- struct{}{}
	mine := conn == l.conn && conn != none
	if mine {
		l.conn = none
	}
	<-l.turn
	if mine {
		l.close(conn)
	}
}

// Close closes the connection, if there is one.
func (l *lazy[T]) Close() error {
	l.turn <- struct{}{}
	conn := l.conn
	<-l.turn
	l.drop(conn)
	return nil
}

const maxSlug = 128

// slug returns text as a word of a subject: lower case, all but letters and digits
// of ASCII as "_", none of them at the ends; "unknown" if nothing is left.
func slug(text string) string {
	var b strings.Builder
	gap := false
	for i := 0; i < len(text) && b.Len() < maxSlug; i++ {
		c := text[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' {
			if gap && b.Len() > 0 {
				b.WriteByte('_')
			}
			b.WriteByte(c)
			gap = false
		} else {
			gap = true
		}
	}
	if b.Len() == 0 {
		return "unknown"
	}
	return b.String()
}

func itoa(n int) string { return strconv.Itoa(n) }

// atoi reads the index of an entry of n.
func atoi(text string, n int) (int, bool) {
	i, err := strconv.Atoi(text)
	return i, err == nil && i >= 0 && i < n
}

// isNumber reports whether a field's value is a number.
func isNumber(v any) bool {
	_, ok := v.(json.Number)
	return ok
}

// brief returns text as a short value beside a message: rules have no limit of their own.
func brief(text string) string { return event.Shorten(strings.ToValidUTF8(text, "\ufffd"), 1024) }
