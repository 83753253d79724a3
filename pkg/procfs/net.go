// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// socketCache holds the sockets of each network namespace, by its inode, for the
// time of one scan, or for keep if that is set.
type socketCache struct {
	mu   sync.Mutex
	ns   map[uint64]map[uint64]socketRow
	keep time.Duration
	read time.Time // when the oldest table was read
}

// socketRow is a socket of any family.
type socketRow struct {
	kind   Kind
	path   string // of a unix socket
	socket Socket
}

// maxSockets bounds what is remembered of one namespace.
const maxSockets = 1 << 18

// tables are the files below net, and what stands in them.
var tables = []struct {
	name  string
	proto Proto
	parse func([]byte, Proto) (uint64, socketRow, bool)
}{
	{"tcp", TCP, parseInet}, {"tcp6", TCP, parseInet},
	{"udp", UDP, parseInet}, {"udp6", UDP, parseInet},
	{"icmp", ICMP, parseInet}, {"icmp6", ICMP, parseInet},
	{"raw", Raw, parseInet}, {"raw6", Raw, parseInet},
	{"unix", NoProto, parseUnix},
	{"netlink", NoProto, parseNetlink},
}

// fillSockets finds out what t's sockets are, from the tables of its network
// namespace.
func (fs *FS) fillSockets(dir string, t *Task) {
	var rows map[uint64]socketRow
	for i := range t.FDs {
		fd := &t.FDs[i]
		if fd.Kind != Other {
			continue
		}
		if rows == nil {
			if rows = fs.sockets(dir); rows == nil {
				return
			}
		}
		if r, ok := rows[fd.Ino]; ok {
			fd.Kind, fd.Socket = r.kind, r.socket
			if r.kind == Unix {
				fd.Name = r.path
			}
		}
	}
}

// sockets returns the tables of the network namespace of the process dir.
func (fs *FS) sockets(dir string) map[uint64]socketRow {
	link, err := fs.readlink(dir + "/ns/net")
	if err != nil {
		return nil
	}
	ns := inodeOf(link, "net:")
	fs.socks.mu.Lock()
	defer fs.socks.mu.Unlock()
	if keep := fs.socks.keep; keep > 0 && fs.now().Sub(fs.socks.read) >= keep {
		fs.socks.ns, fs.socks.read = nil, fs.now()
	}
	if rows := fs.socks.ns[ns]; rows != nil {
		return rows
	}
	rows := make(map[uint64]socketRow)
	for _, tab := range tables {
		_ = fs.lines(dir+"/net/"+tab.name, func(line []byte) {
			if len(rows) >= maxSockets {
				return
			}
			if ino, row, ok := tab.parse(line, tab.proto); ok && ino != 0 {
				rows[ino] = row
			}
		})
	}
	if fs.socks.ns == nil {
		fs.socks.ns = make(map[uint64]map[uint64]socketRow)
	}
	fs.socks.ns[ns] = rows
	return rows
}

func (c *socketCache) clear() {
	c.mu.Lock()
	c.ns = nil
	c.mu.Unlock()
}

// parseInet reads a line of tcp, udp, icmp, raw or their sixes:
// "0: 0100007F:0019 00000000:0000 0A … uid timeout inode …".
func parseInet(line []byte, proto Proto) (uint64, socketRow, bool) {
	f := bytes.Fields(line)
	if len(f) < 10 {
		return 0, socketRow{}, false
	}
	local, ok1 := parseHexAddr(f[1])
	remote, ok2 := parseHexAddr(f[2])
	ino, err := strconv.ParseUint(string(f[9]), 10, 64)
	if !ok1 || !ok2 || err != nil {
		return 0, socketRow{}, false
	}
	return ino, socketRow{kind: Inet, socket: Socket{Proto: proto, Local: local, Remote: remote}}, true
}

// parseHexAddr reads "0100007F:0019": words of 32 bits in the host's order, which
// is little-endian on all that we build for, then the port.
func parseHexAddr(b []byte) (netip.AddrPort, bool) {
	a, p, ok := bytes.Cut(b, []byte(":"))
	port, err := strconv.ParseUint(string(p), 16, 16)
	if !ok || err != nil || len(a) != 8 && len(a) != 32 {
		return netip.AddrPort{}, false
	}
	var raw [16]byte
	n, err := hex.Decode(raw[:], a)
	if err != nil {
		return netip.AddrPort{}, false
	}
	for i := 0; i < n; i += 4 {
		raw[i], raw[i+1], raw[i+2], raw[i+3] = raw[i+3], raw[i+2], raw[i+1], raw[i]
	}
	addr, _ := netip.AddrFromSlice(raw[:n])
	return netip.AddrPortFrom(addr, uint16(port)), true
}

// parseUnix reads "0000…: 00000002 00000000 00010000 0001 01 12345 /run/x", where
// the path may be missing, and may hold spaces.
func parseUnix(line []byte, _ Proto) (uint64, socketRow, bool) {
	rest := line
	var f [7][]byte
	for i := range f {
		rest = bytes.TrimLeft(rest, " ")
		f[i], rest, _ = bytes.Cut(rest, []byte(" "))
	}
	ino, err := strconv.ParseUint(string(bytes.TrimSpace(f[6])), 10, 64)
	if err != nil {
		return 0, socketRow{}, false
	}
	return ino, socketRow{kind: Unix, path: string(bytes.TrimSuffix(rest, []byte("\n")))}, true
}

// parseNetlink reads a line whose tenth word is the inode.
func parseNetlink(line []byte, _ Proto) (uint64, socketRow, bool) {
	f := bytes.Fields(line)
	if len(f) < 10 {
		return 0, socketRow{}, false
	}
	ino, err := strconv.ParseUint(string(f[9]), 10, 64)
	return ino, socketRow{kind: Netlink}, err == nil
}

// maxLines bounds a table that is read line by line.
const maxLines = 1 << 20

// lines calls visit with each line of the file called name. A line is a view.
func (fs *FS) lines(name string, visit func([]byte)) error {
	fs.calls.Add(1)
	fd, err := syscall.Open(name, syscall.O_RDONLY|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", name, err)
	}
	defer func() { fs.calls.Add(1); syscall.Close(fd) }()
	buf := make([]byte, 0, 64<<10)
	for seen := 0; seen < maxLines; {
		fs.calls.Add(1)
		n, err := syscall.Read(fd, buf[len(buf):cap(buf)])
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		buf = buf[:len(buf)+max(n, 0)]
		rest := buf
		for {
			i := bytes.IndexByte(rest, '\n')
			if i < 0 {
				break
			}
			visit(rest[:i])
			rest = rest[i+1:]
			seen++
		}
		if n <= 0 {
			if len(rest) > 0 {
				visit(rest)
			}
			return nil
		}
		if len(rest) == cap(buf) {
			rest = rest[:0] // a line longer than any that is right
		}
		buf = buf[:copy(buf[:cap(buf)], rest)]
	}
	return nil
}
