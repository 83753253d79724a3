// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
)

// archive writes a "newc" cpio, which the kernel unpacks into its first root file system. Everything belongs to root, and
// parents come by themselves. The first error sticks and comes out of close.
type archive struct {
	w       *bufio.Writer
	written int64
	inode   uint32
	dirs    map[string]bool
	err     error
}

const (
	modeFile = 0o100000
	modeDir  = 0o040000
	modeLink = 0o120000
	modeChar = 0o020000
)

func newArchive(w io.Writer) *archive {
	return &archive{w: bufio.NewWriterSize(w, 1<<20), dirs: map[string]bool{"/": true}}
}

// dir makes a folder, or gives one that is there its mode.
func (a *archive) dir(name string, mode uint32) {
	name = path.Clean("/" + name)
	if name != "/" {
		a.parents(name)
	}
	a.dirs[name] = true
	a.header(name, modeDir|mode, 0, 0, 0)
}

func (a *archive) parents(name string) {
	if parent := path.Dir(name); !a.dirs[parent] {
		a.dir(parent, 0o755)
	}
}

func (a *archive) file(name string, mode uint32, data []byte) {
	a.stream(name, mode, int64(len(data)), strings.NewReader(string(data)))
}

func (a *archive) link(name, target string) {
	name = path.Clean("/" + name)
	a.parents(name)
	a.header(name, modeLink|0o777, int64(len(target)), 0, 0)
	a.write([]byte(target))
	a.pad()
}

func (a *archive) charDevice(name string, mode, major, minor uint32) {
	name = path.Clean("/" + name)
	a.parents(name)
	a.header(name, modeChar|mode, 0, major, minor)
}

// stream takes exactly size bytes from r.
func (a *archive) stream(name string, mode uint32, size int64, r io.Reader) {
	name = path.Clean("/" + name)
	a.parents(name)
	if size >= 1<<32 {
		a.fail(fmt.Errorf("%s: %d bytes are too many for an initramfs", name, size))
		return
	}
	a.header(name, modeFile|mode, size, 0, 0)
	if a.err != nil {
		return
	}
	n, err := io.CopyN(a.w, r, size)
	a.written += n
	a.fail(err)
	a.pad()
}

// copy takes a file, a link or a folder with all below it from the host, with its mode.
func (a *archive) copy(name, from string) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	switch info.Mode().Type() {
	case 0:
		file, err := os.Open(from)
		if err != nil {
			return err
		}
		defer file.Close()
		a.stream(name, unixMode(info.Mode()), info.Size(), file)
	case fs.ModeSymlink:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		a.link(name, target)
	case fs.ModeDir:
		a.dir(name, unixMode(info.Mode()))
		entries, err := os.ReadDir(from)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			if err := a.copy(path.Join(name, entry.Name()), filepath.Join(from, entry.Name())); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("%s: a %v cannot be copied into the guest", from, info.Mode().Type())
	}
	return a.err
}

// follow is copy of what a link on the command line points to.
func (a *archive) follow(name, from string) error {
	real, err := filepath.EvalSymlinks(from)
	if err != nil {
		return err
	}
	return a.copy(name, real)
}

// unixMode has the permission bits where Unix has them.
func unixMode(mode fs.FileMode) uint32 {
	bits := uint32(mode.Perm())
	for _, bit := range []struct {
		go_  fs.FileMode
		unix uint32
	}{{fs.ModeSetuid, 0o4000}, {fs.ModeSetgid, 0o2000}, {fs.ModeSticky, 0o1000}} {
		if mode&bit.go_ != 0 {
			bits |= bit.unix
		}
	}
	return bits
}

// header writes the 110 characters of hexadecimal digits, and the name.
func (a *archive) header(name string, mode uint32, size int64, major, minor uint32) {
	a.inode++
	links := 1
	if mode&0o170000 == modeDir {
		links = 2
	}
	inode := a.inode
	rel := strings.TrimPrefix(name, "/")
	if rel == "" {
		rel = "."
	}
	if name == trailer {
		inode = 0
	}
	a.write(fmt.Appendf(nil, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
		inode, mode, 0, 0, links, 0, size, 0, 0, major, minor, len(rel)+1, 0, rel))
	a.pad()
}

const trailer = "TRAILER!!!"

func (a *archive) write(p []byte) {
	if a.err != nil {
		return
	}
	n, err := a.w.Write(p)
	a.written += int64(n)
	a.fail(err)
}

func (a *archive) pad() {
	a.write(make([]byte, -a.written&3))
}

func (a *archive) fail(err error) {
	if a.err == nil {
		a.err = err
	}
}

func (a *archive) close() error {
	a.header(trailer, 0, 0, 0, 0)
	if a.err == nil {
		a.err = a.w.Flush()
	}
	return a.err
}

// sortedKeys keeps archives the same from run to run.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
