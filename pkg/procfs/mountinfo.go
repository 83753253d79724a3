// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"bytes"
	"strconv"
	"sync"
)

// mountCache knows the devices of mounts. What stat tells of a file is not
// always the device of its file system: btrfs and overlayfs make up others. Ids
// of mounts are the kernel's, and the same in all mount namespaces.
type mountCache struct {
	mu   sync.Mutex
	devs map[int32]uint32
}

// maxMounts bounds the cache.
const maxMounts = 1 << 16

func (c *mountCache) dev(id int32) (uint32, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	dev, ok := c.devs[id]
	return dev, ok && dev != 0
}

func (c *mountCache) knows(id int32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.devs[id]
	return ok
}

func (c *mountCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.devs = nil
}

func (c *mountCache) add(id int32, dev uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.devs == nil {
		c.devs = make(map[int32]uint32)
	}
	if len(c.devs) < maxMounts {
		c.devs[id] = dev
	}
}

// fillDevs finds the devices of t's files by their mounts. It reads the mounts of
// the process if there is one that no process before has told of.
func (fs *FS) fillDevs(dir string, t *Task) {
	for i := range t.FDs {
		fd := &t.FDs[i]
		if fd.Kind != File && fd.Kind != Directory || fd.MntID == 0 {
			continue
		}
		if !fs.mnts.knows(fd.MntID) {
			_ = fs.lines(dir+"/mountinfo", func(line []byte) {
				if id, dev, ok := parseMount(line); ok {
					fs.mnts.add(id, dev)
				}
			})
			if !fs.mnts.knows(fd.MntID) {
				fs.mnts.add(fd.MntID, 0) // not asked again
			}
		}
		if dev, ok := fs.mnts.dev(fd.MntID); ok {
			fd.Dev = dev
		}
	}
}

// parseMount takes id and device from a line of mountinfo: "36 35 98:0 / /mnt …".
func parseMount(line []byte) (id int32, dev uint32, ok bool) {
	f := bytes.SplitN(line, []byte(" "), 4)
	if len(f) < 4 {
		return 0, 0, false
	}
	n, err := strconv.ParseInt(string(f[0]), 10, 32)
	maj, min, colon := bytes.Cut(f[2], []byte(":"))
	major, err1 := strconv.ParseUint(string(maj), 10, 12)
	minor, err2 := strconv.ParseUint(string(min), 10, 20)
	if err != nil || err1 != nil || err2 != nil || !colon {
		return 0, 0, false
	}
	return int32(n), encodeDev(uint32(major), uint32(minor)), true
}
