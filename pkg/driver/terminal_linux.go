// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"os"

	"golang.org/x/sys/unix"
)

// TerminalWidth returns how many columns the terminal f has; ok is false if f is
// no terminal.
func TerminalWidth(f *os.File) (columns int, ok bool) {
	c, err := f.SyscallConn()
	if err != nil {
		return 0, false
	}
	c.Control(func(fd uintptr) {
		if _, err = unix.IoctlGetTermios(int(fd), unix.TCGETS); err != nil {
			return
		}
		ok = true
		if w, err := unix.IoctlGetWinsize(int(fd), unix.TIOCGWINSZ); err == nil {
			columns = int(w.Col)
		}
	})
	return columns, ok
}
