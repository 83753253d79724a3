// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// watcher tells when one of some files and folders is another than before.
//
// The kernel says that something has happened in a folder; what, is not asked.
// Instead the files are looked at, and compared with how they were. So it makes
// no difference how a file changes: written in place, renamed over, or reached
// through links one of which now points elsewhere, as ConfigMaps of Kubernetes do.
type watcher struct {
	changed func()
	log     *logger
	notes   *os.File // of inotify
	fd      int

	mu    sync.Mutex
	paths []string
	ended bool
	dirs  map[string]int // watched, with the number of the watch
	look  string         // how the paths were at the last look
}

const watchMask = syscall.IN_CLOSE_WRITE | syscall.IN_CREATE | syscall.IN_DELETE | syscall.IN_MOVED_FROM | syscall.IN_MOVED_TO |
	syscall.IN_MOVE_SELF | syscall.IN_DELETE_SELF

// maxLinks is how many links are followed from a path.
const maxLinks = 40

// watchPause lets the folder of a busy program cost little.
const watchPause = 20 * time.Millisecond

func newWatcher(changed func(), log *logger) (*watcher, error) {
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	return &watcher{changed: changed, log: log, notes: os.NewFile(uintptr(fd), "inotify"), fd: fd, dirs: map[string]int{}}, nil
}

// watch takes these paths from now on, in place of those before. They have been
// read since then; what has changed meanwhile, and was perhaps not read, is told.
func (w *watcher) watch(paths []string, since time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended { // the number of the descriptor may be another file's by now
		return nil
	}
	missed := picture(w.paths) != w.look // of what was watched until now
	old := w.paths
	w.paths = paths
	err := w.follow(true)
	w.look = picture(w.paths)
	for _, p := range paths {
		missed = missed || !slices.Contains(old, p) && changedSince(p, since)
	}
	if missed {
		w.changed()
	}
	return err
}

// changedSince reports whether path, or a file in that folder, has changed since then.
func changedSince(path string, since time.Time) bool {
	paths := []string{path}
	if inside, err := filesIn(path); err == nil {
		paths = append(paths, inside...)
	}
	return slices.ContainsFunc(paths, func(p string) bool {
		st, err := os.Stat(p)
		if err != nil {
			return false
		}
		s, ok := st.Sys().(*syscall.Stat_t)
		return ok && !time.Unix(s.Ctim.Unix()).Before(since)
	})
}

// follow watches every folder that decides about the paths.
func (w *watcher) follow(tell bool) error {
	want := map[string]int{}
	for _, p := range w.paths {
		what := "file"
		dirs := parents(p, new(int))
		if st, err := os.Stat(p); err == nil && st.IsDir() {
			what, dirs = "directory", append(dirs, p)
		}
		for _, dir := range dirs {
			if _, done := want[dir]; done {
				continue
			}
			n, err := syscall.InotifyAddWatch(w.fd, dir, watchMask)
			if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR) {
				continue // it may come, and the folder around it tells
			}
			if err != nil {
				return fmt.Errorf("could not watch %s: %s: %w", what, p, err)
			}
			want[dir] = n
		}
		if tell {
			w.log.debugf("Watching %s '%s'", what, p)
		}
	}
	used := map[int]bool{}
	for _, n := range want {
		used[n] = true
	}
	for _, n := range w.dirs {
		if !used[n] {
			syscall.InotifyRmWatch(w.fd, uint32(n)) // an error means that it is gone already
		}
	}
	w.dirs = want
	return nil
}

// parents returns the folders in which path, and each link on the way from it,
// stands. links counts the links that have been followed.
func parents(path string, links *int) (dirs []string) {
	for {
		dir := filepath.Dir(path)
		dirs = append(dirs, dir)
		if st, err := os.Lstat(dir); err == nil && st.Mode()&fs.ModeSymlink != 0 && *links < maxLinks {
			dirs = append(dirs, parents(dir, links)...)
		}
		to, err := os.Readlink(path)
		if *links++; err != nil || *links > maxLinks {
			return dirs
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(dir, to)
		}
		path = to
	}
}

// picture describes paths such that it differs when they do.
func picture(paths []string) string {
	var b strings.Builder
	describe := func(p string) {
		st, err := os.Stat(p)
		if err != nil {
			fmt.Fprintf(&b, "%s -\n", p)
			return
		}
		var ino, dev uint64
		if s, ok := st.Sys().(*syscall.Stat_t); ok {
			ino, dev = s.Ino, uint64(s.Dev)
		}
		fmt.Fprintf(&b, "%s %v %d %d", p, st.Mode(), dev, ino)
		if !st.IsDir() { // what is in a folder that is read follows by itself
			fmt.Fprintf(&b, " %d %d", st.Size(), st.ModTime().UnixNano())
		}
		b.WriteByte('\n')
	}
	for _, p := range paths {
		describe(p)
		if inside, err := filesIn(p); err == nil {
			for _, q := range inside {
				describe(q)
			}
		}
	}
	return b.String()
}

// Leases of fcntl(2).
const (
	setLease = 0x400 // F_SETLEASE
	readOnly = 0     // F_RDLCK
	noLease  = 2     // F_UNLCK
)

// writtenNow returns a file of paths, or of a folder among them, that somebody has
// open for writing: of such a file the kernel grants no lease. Where it grants none
// at all, as to those who do not own the file, nobody knows.
func writtenNow(paths []string) (name string, busy bool) {
	written := func(path string) bool {
		f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			return false
		}
		defer f.Close()
		_, _, e := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), setLease, readOnly)
		if e == 0 {
			syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), setLease, noLease)
		}
		return e == syscall.EAGAIN
	}
	for _, p := range paths {
		list := []string{p}
		if inside, err := filesIn(p); err == nil {
			list = inside
		}
		if i := slices.IndexFunc(list, written); i >= 0 {
			return list[i], true
		}
	}
	return "", false
}

// run waits for the kernel until close.
func (w *watcher) run() {
	buf := make([]byte, 16<<10)
	for {
		if _, err := w.notes.Read(buf); err != nil {
			return
		}
		time.Sleep(watchPause)
		w.mu.Lock()
		if w.ended {
			w.mu.Unlock()
			return
		}
		if err := w.follow(false); err != nil {
			w.log.errorf("%v", err)
		}
		now := picture(w.paths)
		other := now != w.look
		w.look = now
		w.mu.Unlock()
		if other {
			w.changed()
		}
	}
}

func (w *watcher) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.notes.Close()
}
