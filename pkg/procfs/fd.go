// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// readFDs fills t.FDs, at most maxFDs of them. A descriptor costs five system
// calls: its link, what the link leads to, and fdinfo.
func (fs *FS) readFDs(dir string, t *Task) {
	var nums []int64
	if fs.numbers(dir+"/fd", maxFDs, func(n int64) { nums = append(nums, n) }) != nil || len(nums) == 0 {
		return
	}
	slices.Sort(nums)
	t.FDs = make([]FD, 0, len(nums))
	for _, n := range nums {
		if fd, ok := fs.readFD(dir, n); ok {
			t.FDs = append(t.FDs, fd)
		}
	}
}

// Descriptor reads one descriptor of process pid. Of sockets only the inode is
// told: to find out more, tables would have to be read.
func (fs *FS) Descriptor(pid, fd int64) (FD, error) {
	d, ok := fs.readFD(fs.mount+"/"+strconv.FormatInt(pid, 10), fd)
	if !ok {
		return FD{}, fmt.Errorf("process %d has no descriptor %d", pid, fd)
	}
	return d, nil
}

func (fs *FS) readFD(dir string, n int64) (FD, bool) {
	num := strconv.FormatInt(n, 10)
	link, err := fs.readlink(dir + "/fd/" + num)
	if err != nil {
		return FD{}, false
	}
	fd := FD{Num: n, Name: link}
	st, statErr := fs.stat(dir + "/fd/" + num)
	if statErr == nil {
		fd.Ino = st.ino
	}
	fd.Kind = kindOf(link, st.mode)
	switch fd.Kind {
	case Other, Pipe:
		if ino := inodeOf(link, "socket:") | inodeOf(link, "pipe:"); ino != 0 {
			fd.Ino = ino
		}
	}
	var buf [1024]byte
	if b, err := fs.read(buf[:0], dir+"/fdinfo/"+num, len(buf)); err == nil {
		parseFdinfo(b, &fd)
	}
	if fd.Kind == File || fd.Kind == Directory {
		fd.Dev = st.dev
		if dev, ok := fs.mnts.dev(fd.MntID); ok {
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
		v := string(bytes.TrimSpace(value))
		switch string(key) {
		case "flags":
			f, _ := strconv.ParseUint(v, 8, 32)
			fd.Flags = uint32(f)
		case "mnt_id":
			id, _ := strconv.ParseInt(v, 10, 32)
			fd.MntID = int32(id)
		case "ino":
			if ino, err := strconv.ParseUint(v, 10, 64); err == nil && fd.Ino == 0 {
				fd.Ino = ino
			}
		case "Pid":
			if fd.Kind == Pidfd {
				fd.Pid = number(v)
			}
		}
	}
}
