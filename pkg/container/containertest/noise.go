// SPDX-License-Identifier: Apache-2.0

package containertest

import (
	"bytes"
	"net"
	"path/filepath"
	"testing"
)

// Noise is a socket at which somebody speaks no protocol at all: whoever connects gets
// some kilobytes, and is hung up on. It is there until the test ends.
func Noise(t testing.TB) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s")
	Accept(t, path, func(c net.Conn) { c.Write(bytes.Repeat([]byte{0xff, 0, 'x'}, 1<<12)) })
	return path
}

// Accept listens at a unix socket until the test ends, and calls each for every connection
// before it is closed.
func Accept(t testing.TB, path string, each func(net.Conn)) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			each(c)
			c.Close()
		}
	}()
}
