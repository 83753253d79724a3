// SPDX-License-Identifier: Apache-2.0

package state

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
)

// Machine is what the tables know about the host as a whole.
type Machine struct {
	Hostname string
	BootTime uint64         // ns since the epoch
	Addrs    []netip.Prefix // of the host's interfaces, as of start
	HostRoot string         // where the host's root file system is mounted, "" if it is ours
	SelfPid  int64          // our own process, which is never evicted; 0 in a replay
}

// ThisMachine returns what can be asked of the machine that we run on. boot is
// its time of boot, in ns since the epoch. FALCO_HOSTNAME, if set, is its name.
func ThisMachine(hostRoot string, boot uint64) (Machine, error) {
	m := Machine{Hostname: os.Getenv("FALCO_HOSTNAME"), BootTime: boot, HostRoot: hostRoot, SelfPid: int64(os.Getpid())}
	if m.Hostname == "" {
		name, err := os.Hostname()
		if err != nil {
			return m, fmt.Errorf("ask for the hostname: %w", err)
		}
		m.Hostname = name
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return m, fmt.Errorf("list the addresses of interfaces: %w", err)
	}
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		addr, ok := netip.AddrFromSlice(n.IP)
		if !ok {
			continue
		}
		addr = addr.Unmap()
		ones, bits := n.Mask.Size()
		if addr.Is4() && bits == 128 {
			ones -= 96
		}
		if p := netip.PrefixFrom(addr, ones); p.IsValid() {
			m.Addrs = append(m.Addrs, p)
		}
	}
	return m, nil
}

// UserFiles watches the files that name the host's users and groups. It reads
// them, so it is for another goroutine than the State's; what it reads goes to
// State.SetHostUsers.
type UserFiles struct {
	names [2]string
	seen  [2]os.FileInfo
}

// NewUserFiles watches passwd and group below etc in root.
func NewUserFiles(root string) *UserFiles {
	return &UserFiles{names: [2]string{filepath.Join("/", root, "etc/passwd"), filepath.Join("/", root, "etc/group")}}
}

// Folder returns where the files are.
func (u *UserFiles) Folder() string { return filepath.Dir(u.names[0]) }

// maxUserFile bounds what is read of each.
const maxUserFile = 8 << 20

// Read returns the contents of both files if one of them is another than the last
// time, or was never read. A file that is not there is empty.
func (u *UserFiles) Read() (passwd, group []byte, changed bool) {
	var now [2]os.FileInfo
	for i, name := range u.names {
		now[i], _ = os.Stat(name)
		if !sameFile(now[i], u.seen[i]) {
			changed = true
		}
	}
	if !changed {
		return nil, nil, false
	}
	u.seen = now
	return readBounded(u.names[0]), readBounded(u.names[1]), true
}

func sameFile(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

func readBounded(name string) []byte {
	f, err := os.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, maxUserFile))
	return b
}
