// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"fmt"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// folder is an open directory of /proc in which many files are looked at: by
// their names in it, the kernel finds them in half the time that it takes by
// their paths.
type folder struct {
	fs *FS
	fd int
}

func (fs *FS) openFolder(name string) (folder, error) {
	fs.calls.Add(1)
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return folder{}, fmt.Errorf("open %s: %w", name, err)
	}
	return folder{fs, fd}, nil
}

func (d folder) close() { d.fs.calls.Add(1); unix.Close(d.fd) }

// readlink appends what name points to to buf, at most maxPath bytes of it.
func (d folder) readlink(name string, buf []byte) ([]byte, error) {
	d.fs.calls.Add(1)
	n, err := unix.Readlinkat(d.fd, name, buf[:min(cap(buf), maxPath)])
	if err != nil {
		return nil, err
	}
	return buf[:n], nil
}

// stat asks what name leads to, without going to a file server.
func (d folder) stat(name string) (stat, error) {
	d.fs.calls.Add(1)
	var x unix.Statx_t
	if err := unix.Statx(d.fd, name, unix.AT_STATX_DONT_SYNC, unix.STATX_BASIC_STATS, &x); err != nil {
		return stat{}, err
	}
	return stat{mode: uint32(x.Mode), dev: encodeDev(x.Dev_major, x.Dev_minor), ino: x.Ino}, nil
}

// read fills buf from the small file called name.
func (d folder) read(name string, buf []byte) ([]byte, error) {
	d.fs.calls.Add(1)
	fd, err := unix.Openat(d.fd, name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer func() { d.fs.calls.Add(1); unix.Close(fd) }()
	for {
		d.fs.calls.Add(1)
		n, err := unix.Read(fd, buf[:cap(buf)])
		if err == unix.EINTR {
			continue
		}
		return buf[:max(n, 0)], err
	}
}

// numbers calls visit with each entry that is a number, in the directory's order,
// at most limit times.
func (d folder) numbers(limit int, visit func(int64)) error {
	b := pool.Get().(*buffers)
	defer pool.Put(b)
	buf := b.big[:16<<10]
	for seen := 0; ; {
		d.fs.calls.Add(1)
		n, err := syscall.ReadDirent(d.fd, buf)
		if err != nil {
			return err
		}
		if n <= 0 {
			return nil
		}
		for _, entry := range parseDirents(buf[:n]) {
			v, err := strconv.ParseInt(entry, 10, 64)
			if err != nil || v < 0 {
				continue
			}
			if seen++; seen > limit {
				return nil
			}
			visit(v)
		}
		if n < len(buf)/2 {
			return nil // half of the buffer is free: that was all
		}
	}
}
