// SPDX-License-Identifier: Apache-2.0

package procfs

import "github.com/falco-go/falco/pkg/driver"

// stat is what is needed of a file.
type stat struct {
	mode         uint32
	dev          uint32 // kernel's new encoding
	ino          uint64
	ctime, mtime uint64 // ns since the epoch
}

// stat asks what name leads to, without going to a file server.
func (fs *FS) stat(name string) (stat, error) {
	fs.calls.Add(1)
	st, err := driver.Stat(name)
	return stat{mode: st.Mode, dev: encodeDev(st.Major, st.Minor), ino: st.Ino, ctime: st.Ctime, mtime: st.Mtime}, err
}

// encodeDev packs a device number as the kernel does: the low byte of minor, major,
// the rest of minor.
func encodeDev(major, minor uint32) uint32 { return minor&0xff | major<<8 | minor&^0xff<<12 }
