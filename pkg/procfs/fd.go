// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// readFDs fills t.FDs, at most maxFDs of them. A descriptor costs four or five
// system calls: its link, for files what the link leads to, and fdinfo.
func (fs *FS) readFDs(dir string, t *Task) {
	r, err := fs.openFDs(dir)
	if err != nil {
		return
	}
	defer r.close()
	var nums []int64
	if r.fd.numbers(maxFDs, func(n int64) { nums = append(nums, n) }) != nil || len(nums) == 0 {
		return
	}
	slices.Sort(nums)
	t.FDs = make([]FD, 0, len(nums))
	for _, n := range nums {
		if fd, ok := r.read(n); ok {
			t.FDs = append(t.FDs, fd)
		}
	}
}

// Descriptor reads one descriptor of process pid. Of sockets only the inode is
// told: to find out more, tables would have to be read.
func (fs *FS) Descriptor(pid, fd int64) (FD, error) {
	r, err := fs.openFDs(fs.mount + "/" + strconv.FormatInt(pid, 10))
	if err != nil {
		return FD{}, err
	}
	defer r.close()
	d, ok := r.read(fd)
	if !ok {
		return FD{}, fmt.Errorf("process %d has no descriptor %d", pid, fd)
	}
	return d, nil
}

// fdReader reads the descriptors of one process.
type fdReader struct {
	fs *FS
	fd folder
	*buffers
}

func (fs *FS) openFDs(dir string) (*fdReader, error) {
	fd, err := fs.openFolder(dir + "/fd")
	if err != nil {
		return nil, err
	}
	return &fdReader{fs, fd, pool.Get().(*buffers)}, nil
}

func (r *fdReader) close() {
	r.fd.close()
	pool.Put(r.buffers)
}

func (r *fdReader) read(n int64) (FD, bool) {
	num := strconv.FormatInt(n, 10)
	b, err := r.fd.readlink(num, r.small)
	if err != nil {
		return FD{}, false
	}
	fd := FD{Num: n, Name: string(b)}
	var st stat
	if fd.Ino = inodeOf(fd.Name, "socket:") | inodeOf(fd.Name, "pipe:"); fd.Ino == 0 {
		if st, err = r.fd.stat(num); err == nil {
			fd.Ino = st.ino
		}
	}
	fd.Kind = kindOf(fd.Name, st.mode)
	if b, err := r.fd.read("../fdinfo/"+num, r.small); err == nil {
		parseFdinfo(b, &fd)
	}
	if fd.Kind == File || fd.Kind == Directory {
		fd.Dev = st.dev
		if dev, ok := r.fs.mnts.dev(fd.MntID); ok {
			fd.Dev = dev
		}
	}
	return fd, true
}

// Bits of st_mode.
const (
	modeType = 0o170000
	modeFIFO = 0o010000
	modeDir  = 0o040000
	modeSock = 0o140000
)

// anonKinds are the names behind "anon_inode:", brackets removed.
var anonKinds = map[string]Kind{
	"eventfd": Event, "signalfd": Signal, "timerfd": Timer, "inotify": Inotify, "eventpoll": Epoll,
	"userfaultfd": Userfault, "io_uring": IOUring, "pidfd": Pidfd, "bpf-map": BPF, "bpf-prog": BPF, "bpf_link": BPF,
	"bpf-link": BPF, "bpf_iter": BPF, "btf": BPF,
}

// kindOf tells what a descriptor is from its link, and from the mode of what it
// leads to; mode is 0 if that could not be asked.
func kindOf(link string, mode uint32) Kind {
	switch {
	case strings.HasPrefix(link, "anon_inode:"):
		return anonKinds[strings.Trim(link[len("anon_inode:"):], "[]")]
	case strings.HasPrefix(link, "socket:["), mode&modeType == modeSock:
		return Other
	case strings.HasPrefix(link, "pipe:["), mode&modeType == modeFIFO:
		return Pipe
	case strings.HasPrefix(link, "/memfd:"):
		return Memfd
	case mode&modeType == modeDir:
		return Directory
	case strings.HasPrefix(link, "/"):
		return File
	}
	return Unsupported
}

// parseFdinfo takes flags, mount and process from /proc/PID/fdinfo/N.
func parseFdinfo(b []byte, fd *FD) {
	for line := range bytes.Lines(b) {
		key, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			continue
		}
		value = bytes.TrimSpace(value)
		switch string(key) {
		case "flags":
			f, _ := strconv.ParseUint(string(value), 8, 32)
			fd.Flags = uint32(f)
		case "mnt_id":
			id, _ := strconv.ParseInt(string(value), 10, 32)
			fd.MntID = int32(id)
		case "ino":
			if ino, err := strconv.ParseUint(string(value), 10, 64); err == nil && fd.Ino == 0 {
				fd.Ino = ino
			}
		case "Pid":
			if fd.Kind == Pidfd {
				fd.Pid = number(string(value))
			}
		}
	}
}
