// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package procfs

import "errors"

// folder stands for an open directory of /proc, which belongs to Linux.
type folder struct{}

var errNotLinux = errors.New("/proc is read on Linux only")

func (fs *FS) openFolder(string) (folder, error)       { return folder{}, errNotLinux }
func (folder) close()                                  {}
func (folder) readlink(string, []byte) ([]byte, error) { return nil, errNotLinux }
func (folder) stat(string) (stat, error)               { return stat{}, errNotLinux }
func (folder) read(string, []byte) ([]byte, error)     { return nil, errNotLinux }
func (folder) numbers(int, func(int64)) error          { return errNotLinux }
