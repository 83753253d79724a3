// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"errors"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// inRoot reads a file of somebody else's root. Links in it are his, and may lead
// anywhere: they are followed within root, or, where the kernel cannot do that
// (before 5.6), not at all.
func (fs *FS) inRoot(root, name string) []byte {
	fs.calls.Add(1)
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer func() { fs.calls.Add(1); unix.Close(dir) }()
	const flags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	fs.calls.Add(1)
	fd, err := unix.Openat2(dir, name, &unix.OpenHow{Flags: flags, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS})
	if errors.Is(err, unix.ENOSYS) {
		fd, err = fs.openPlain(dir, name, flags)
	}
	if err != nil {
		return nil
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil // a pipe or a device could make us wait, or do something
	}
	fs.calls.Add(3)
	b, err := io.ReadAll(io.LimitReader(f, maxUserFile))
	if err != nil {
		return nil
	}
	return b
}

// openPlain opens name below dir if there is no link on the way.
func (fs *FS) openPlain(dir int, name string, flags int) (int, error) {
	for {
		first, rest, more := strings.Cut(name, "/")
		fs.calls.Add(1)
		if !more {
			return unix.Openat(dir, first, flags|unix.O_NOFOLLOW, 0)
		}
		next, err := unix.Openat(dir, first, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return -1, err
		}
		defer unix.Close(next)
		dir, name = next, rest
	}
}
