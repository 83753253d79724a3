// SPDX-License-Identifier: Apache-2.0

package capture

import "strings"

// procVersion returns the version of the process list that typ holds, 0 if it
// holds none. Each version added fields to those of the one before.
func procVersion(typ BlockType) int {
	switch typ {
	case BlockProcs1:
		return 1
	case BlockProcs2:
		return 2
	case BlockProcs3:
		return 3
	case BlockProcs4, BlockProcs5, BlockProcs6, BlockProcs7, BlockProcs8, BlockProcs9:
		return 4 + int(typ-BlockProcs4)
	}
	return 0
}

func (r *Reader) procs(c *cursor, version int) uint64 {
	return c.entries(version >= 9, true, func() {
		p := Proc{
			Sid: -1, Vpgid: -1, Pgid: -1, Vtid: -1, Vpid: -1, LoginUID: NoID,
			Tid: c.i64(), Pid: c.i64(), Ptid: c.i64(),
		}
		if version >= 6 {
			p.Sid = c.i64()
		}
		if version >= 8 {
			p.Vpgid = c.i64()
		}
		p.Comm, p.Exe = c.str(), c.str()
		if version >= 7 {
			p.ExePath = c.str()
		}
		p.Args, p.Cwd = c.strs(), c.str()
		p.FDLimit, p.Flags, p.UID, p.GID = c.i64(), c.u32(), c.u32(), c.u32()
		if version >= 2 {
			p.VMSize, p.VMRSS, p.VMSwap = c.u32(), c.u32(), c.u32()
			p.PfMajor, p.PfMinor = c.u64(), c.u64()
		}
		if version >= 3 {
			p.Env = c.strs()
		}
		if version >= 4 {
			p.Vtid, p.Vpid = c.i64(), c.i64()
			p.Cgroups = c.strs()
			for i, g := range p.Cgroups { // writers of 2022 left the ends of lines in
				p.Cgroups[i] = strings.TrimSuffix(g, "\n")
			}
		}
		if version >= 5 {
			p.Root = c.str()
		}
		if version >= 9 {
			p.tail(c)
		}
		if !c.short && c.err == nil {
			r.lengthen(p.Tid, noFD, p.long)
			r.tables.Proc(&p)
		}
	})
}

// oldTail is the most that writers before libs 0.10 put behind the root: they
// began with the login uid, later ones with what stands before it here.
const oldTail = 29

// tail reads what was appended to version 9 bit by bit. Each field is there if
// the entry still has room for it.
func (p *Proc) tail(c *cursor) {
	more := func(n int) bool { return c.rest() >= n && !c.short }
	if c.rest() > oldTail {
		p.PidnsStartTS, p.TTY = c.u64(), c.u32()
	}
	if more(4) {
		p.LoginUID = c.u32()
	}
	if more(1) {
		p.ExeWritable = c.u8() != 0
	}
	if more(24) {
		p.CapInh, p.CapPrm, p.CapEff = c.u64(), c.u64(), c.u64()
	}
	if more(1) {
		p.ExeUpper = c.u8() != 0
	}
	if more(8) {
		p.ExeIno = c.u64()
	}
	if more(8) {
		p.ExeCtime = c.u64()
	}
	if more(8) {
		p.ExeMtime = c.u64()
	}
	if more(1) {
		p.ExeMemfd = c.u8() != 0
	}
	if more(1) {
		p.ExeLower = c.u8() != 0
	}
	if more(8) {
		p.Pgid = c.i64()
	}
}
