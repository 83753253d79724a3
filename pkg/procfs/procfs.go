// SPDX-License-Identifier: Apache-2.0

// Package procfs reads what was there before the first event: the tasks of
// /proc, their descriptors and sockets.
//
// Reading stands apart from parsing: methods of FS read, functions called
// parse… take bytes. The mount point is a value, so that a directory of files
// serves as well as the kernel. What is read is hostile: processes choose their
// names, arguments and environment, and may be gone between two reads. All
// reads are bounded, and what cannot be understood is left out.
//
// System calls are counted by FS, for the cost of a scan is asserted in them.
package procfs

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Limits of what is read of one task.
const (
	maxArgs    = 32 << 10 // cmdline, environ
	maxSmall   = 8 << 10  // status, stat, cgroup, …
	maxFDs     = 4096     // descriptors of one process
	maxPath    = 4096
	maxThreads = 32 << 10 // threads of one process
)

// FS is a mounted proc file system. Its methods may be called concurrently.
type FS struct {
	mount string
	now   func() time.Time
	boot  uint64 // ns since the epoch
	calls *atomic.Uint64
	mnts  *mountCache
	socks *socketCache
}

// New returns the proc file system mounted at mount, usually "/proc".
func New(mount string) (*FS, error) {
	fs := &FS{mount: mount, now: time.Now, calls: new(atomic.Uint64), mnts: new(mountCache), socks: new(socketCache)}
	b, err := fs.read(nil, fs.mount+"/uptime", maxSmall)
	if err != nil {
		return nil, fmt.Errorf("read uptime: %w", err)
	}
	up, err := parseUptime(b)
	if err != nil {
		return nil, fmt.Errorf("read %s/uptime: %w", mount, err)
	}
	fs.boot = uint64(fs.now().Add(-up).UnixNano())
	return fs, nil
}

// Boot returns the time of boot in ns since the epoch, exact to 10 ms.
func (fs *FS) Boot() uint64 { return fs.boot }

// SetBoot replaces Boot with a better measurement; start times count from it.
func (fs *FS) SetBoot(ns uint64) { fs.boot = ns }

// Calls returns how many system calls have been made.
func (fs *FS) Calls() uint64 { return fs.calls.Load() }

// buffers are what files are read into, one after the other. What is parsed keeps
// nothing of them.
type buffers struct {
	small []byte // room for maxSmall
	big   []byte // room for maxArgs
}

var pool = sync.Pool{New: func() any { return &buffers{make([]byte, 0, maxSmall), make([]byte, 0, maxArgs)} }}

// read appends at most limit bytes of the file called name to buf.
func (fs *FS) read(buf []byte, name string, limit int) ([]byte, error) {
	fs.calls.Add(1)
	fd, err := syscall.Open(name, syscall.O_RDONLY|syscall.O_CLOEXEC|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return buf, fmt.Errorf("open %s: %w", name, err)
	}
	defer func() { fs.calls.Add(1); syscall.Close(fd) }()
	start := len(buf)
	for len(buf)-start < limit {
		room := min(limit-(len(buf)-start), 32<<10)
		if cap(buf)-len(buf) < room {
			buf = append(buf, make([]byte, room)...)[:len(buf)]
		}
		fs.calls.Add(1)
		n, err := syscall.Read(fd, buf[len(buf):len(buf)+room])
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return buf, fmt.Errorf("read %s: %w", name, err)
		}
		buf = buf[:len(buf)+max(n, 0)]
		if n <= 0 || limit <= maxArgs && n < room {
			break // small files come in one piece: no second call to see the end
		}
	}
	return buf, nil
}

// readlink returns what name points to, at most maxPath bytes of it.
func (fs *FS) readlink(name string) (string, error) {
	fs.calls.Add(1)
	var buf [maxPath]byte
	n, err := syscall.Readlink(name, buf[:])
	if err != nil {
		return "", fmt.Errorf("readlink %s: %w", name, err)
	}
	return string(buf[:n]), nil
}

// numbers is folder.numbers for a directory that is opened for it.
func (fs *FS) numbers(name string, limit int, visit func(int64)) error {
	d, err := fs.openFolder(name)
	if err != nil {
		return err
	}
	defer d.close()
	if err := d.numbers(limit, visit); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// parseDirents returns the names in a buffer that getdents64 has filled.
func parseDirents(b []byte) []string {
	var names []string
	// ino u64, off s64, reclen u16, type u8, name
	for len(b) > 19 {
		reclen := int(b[16]) | int(b[17])<<8
		if reclen <= 19 || reclen > len(b) {
			break
		}
		name := b[19:reclen]
		if i := bytes.IndexByte(name, 0); i >= 0 {
			name = name[:i]
		}
		names = append(names, string(name))
		b = b[reclen:]
	}
	return names
}

func parseUptime(b []byte) (time.Duration, error) {
	first, _, _ := bytes.Cut(bytes.TrimSpace(b), []byte(" "))
	d, err := time.ParseDuration(string(first) + "s")
	if err != nil {
		return 0, fmt.Errorf("%q is no number of seconds", first)
	}
	return d, nil
}
