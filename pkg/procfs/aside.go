// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// What is read when no event waits for it: whole processes, tables of sockets,
// users of containers.

// socketsKept is how long the table of a network namespace answers again.
const socketsKept = time.Second

// Apart returns fs for a reader on the side: it has tables of sockets of its own,
// and keeps them for a second, not for the time of a scan.
func (fs *FS) Apart() *FS {
	c := *fs
	c.socks = &socketCache{keep: socketsKept}
	return &c
}

// Whole is Task with the sockets and the devices of its descriptors.
func (fs *FS) Whole(tid int64) (*Task, error) {
	dir := fs.mount + "/" + strconv.FormatInt(tid, 10)
	t, err := fs.task(dir, tid)
	if err != nil {
		return nil, err
	}
	fs.fillSockets(dir, t)
	fs.fillDevs(dir, t)
	return t, nil
}

// Sockets returns those descriptors of process pid that are sockets, and says
// what they are.
func (fs *FS) Sockets(pid int64) ([]FD, error) {
	dir := fs.mount + "/" + strconv.FormatInt(pid, 10)
	t := &Task{}
	err := fs.numbers(dir+"/fd", maxFDs, func(n int64) {
		link, err := fs.readlink(dir + "/fd/" + strconv.FormatInt(n, 10))
		if err != nil {
			return
		}
		if ino := inodeOf(link, "socket:"); ino != 0 {
			t.FDs = append(t.FDs, FD{Num: n, Kind: Other, Name: link, Ino: ino})
		}
	})
	if err != nil {
		return nil, err
	}
	fs.fillSockets(dir, t)
	return slices.DeleteFunc(t.FDs, func(fd FD) bool { return fd.Kind == Other }), nil
}

// ErrHostRoot is returned for a process whose root is the host's.
var ErrHostRoot = errors.New("process has the host's root")

// maxUserFile bounds what is read of passwd and of group.
const maxUserFile = 1 << 20

// Users returns the passwd and group files that process pid sees. A file that is
// not there is empty. Neither leads out of the root of the process.
func (fs *FS) Users(pid int64) (passwd, group []byte, err error) {
	root := fs.mount + "/" + strconv.FormatInt(pid, 10) + "/root"
	its, err := fs.stat(root)
	if err != nil {
		return nil, nil, err
	}
	host, err := fs.stat(fs.mount + "/1/root")
	if err != nil {
		return nil, nil, err
	}
	if its.ino == host.ino && its.dev == host.dev {
		return nil, nil, fmt.Errorf("read users of %d: %w", pid, ErrHostRoot)
	}
	return fs.inRoot(root, "etc/passwd"), fs.inRoot(root, "etc/group"), nil
}

// Whole is FS.Whole.
func (f *Finder) Whole(tid int64) (*Task, error) {
	return ask(f, func() (*Task, error) { return f.fs.Whole(tid) })
}

// Sockets is FS.Sockets.
func (f *Finder) Sockets(pid int64) ([]FD, error) {
	return ask(f, func() ([]FD, error) { return f.fs.Sockets(pid) })
}

// Users is FS.Users.
func (f *Finder) Users(pid int64) (passwd, group []byte, err error) {
	both, err := ask(f, func() ([2][]byte, error) {
		p, g, err := f.fs.Users(pid)
		return [2][]byte{p, g}, err
	})
	return both[0], both[1], err
}
