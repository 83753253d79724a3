// SPDX-License-Identifier: Apache-2.0

package driver

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// FileStat is what pkg/procfs needs to know of a file.
type FileStat struct {
	Mode         uint32
	Major, Minor uint32 // of the device
	Ino          uint64
	Ctime, Mtime uint64 // ns since the epoch
}

// Stat asks what name leads to. It takes what the kernel remembers and never goes
// to a file server: one that hangs must not hang us.
func Stat(name string) (FileStat, error) {
	var x unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, name, unix.AT_STATX_DONT_SYNC, unix.STATX_BASIC_STATS, &x); err != nil {
		return FileStat{}, fmt.Errorf("stat %s: %w", name, err)
	}
	return FileStat{
		Mode: uint32(x.Mode), Major: x.Dev_major, Minor: x.Dev_minor, Ino: x.Ino,
		Ctime: uint64(x.Ctime.Sec)*1e9 + uint64(x.Ctime.Nsec), Mtime: uint64(x.Mtime.Sec)*1e9 + uint64(x.Mtime.Nsec),
	}, nil
}
