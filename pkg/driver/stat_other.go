// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package driver

// FileStat is what pkg/procfs needs to know of a file.
type FileStat struct {
	Mode         uint32
	Major, Minor uint32
	Ino          uint64
	Ctime, Mtime uint64
}

// Stat fails with ErrUnsupported, as all else here.
func Stat(string) (FileStat, error) { return FileStat{}, ErrUnsupported }
