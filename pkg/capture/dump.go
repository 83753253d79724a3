// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"encoding/binary"
	"net/netip"
)

// How the tables are written: each list block has entries of one kind, which
// begin with their length.

// maxList is the size from which on a list goes on in another block.
const maxList = 1 << 20

// Begin implements Tables: a file has one section, which NewWriter has begun.
func (w *Writer) Begin() {}

// End implements Tables.
func (w *Writer) End() { w.closeList() }

// Machine writes where the capture is made.
func (w *Writer) Machine(m *Machine) {
	w.closeList()
	w.begin(BlockMachine)
	b := binary.LittleEndian.AppendUint32(w.buf, m.CPUs)
	b = binary.LittleEndian.AppendUint64(b, m.Memory)
	b = binary.LittleEndian.AppendUint64(b, m.MaxPid)
	var name [128]byte
	copy(name[:len(name)-1], m.Hostname)
	b = append(b, name[:]...)
	b = binary.LittleEndian.AppendUint64(b, m.BootTime)
	b = binary.LittleEndian.AppendUint64(b, m.Flags)
	w.buf = append(b, make([]byte, 16)...)
	w.end()
}

// Interface writes one network interface. Its length leaves itself out, unlike
// those of all other entries.
func (w *Writer) Interface(i *Interface) {
	w.openList(BlockInterfaces, 0)
	at := w.entry()
	typ, size := uint16(ifIPv4Speed), 4
	if i.Addr.Is6() {
		typ, size = ifIPv6Speed, 16
	}
	name := i.Name[:min(len(i.Name), maxUser)]
	if len(name) < len(i.Name) {
		w.stats.Cut++
	}
	b := binary.LittleEndian.AppendUint16(w.buf, typ)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(name)))
	for _, a := range []netip.Addr{i.Addr, i.Netmask, i.Broadcast} {
		b = appendIP(b, a, size)
	}
	b = binary.LittleEndian.AppendUint64(b, i.Speed)
	w.buf = append(b, name...)
	w.entryEnd(at)
	binary.LittleEndian.PutUint32(w.buf[at:], uint32(len(w.buf)-at-4))
}

// User writes a user.
func (w *Writer) User(u *User) {
	w.openList(BlockUsers, 0)
	at := w.entry()
	b := append(w.buf, entryUser)
	b = binary.LittleEndian.AppendUint32(b, u.UID)
	w.buf = binary.LittleEndian.AppendUint32(b, u.GID)
	w.user(u.Name)
	w.user(u.Home)
	w.user(u.Shell)
	w.entryEnd(at)
}

// Group writes a group of users.
func (w *Writer) Group(g *Group) {
	w.openList(BlockUsers, 0)
	at := w.entry()
	b := append(w.buf, entryGroup)
	w.buf = binary.LittleEndian.AppendUint32(b, g.GID)
	w.user(g.Name)
	w.entryEnd(at)
}

// Proc writes a thread.
func (w *Writer) Proc(p *Proc) {
	w.longProc(p)
	w.openList(BlockProcs9, 0)
	at := w.entry()
	w.u64(uint64(p.Tid), uint64(p.Pid), uint64(p.Ptid), uint64(p.Sid), uint64(p.Vpgid))
	w.str(p.Comm)
	w.str(p.Exe)
	w.str(p.ExePath)
	w.strs(p.Args)
	w.str(p.Cwd)
	w.u64(uint64(p.FDLimit))
	w.u32(p.Flags, p.UID, p.GID, p.VMSize, p.VMRSS, p.VMSwap)
	w.u64(p.PfMajor, p.PfMinor)
	w.strs(p.Env)
	w.u64(uint64(p.Vtid), uint64(p.Vpid))
	w.strs(p.Cgroups)
	w.str(p.Root)
	w.procTail(p)
	w.entryEnd(at)
}

// procTail writes what came to be in the course of years. Old readers know its
// middle alone, and take it for the beginning.
func (w *Writer) procTail(p *Proc) {
	if w.legacy {
		w.u32(p.LoginUID)
		w.flag(p.ExeWritable)
		w.u64(p.CapInh, p.CapPrm, p.CapEff)
		return
	}
	w.u64(p.PidnsStartTS)
	w.u32(p.TTY, p.LoginUID)
	w.flag(p.ExeWritable)
	w.u64(p.CapInh, p.CapPrm, p.CapEff)
	w.flag(p.ExeUpper)
	w.u64(p.ExeIno, p.ExeCtime, p.ExeMtime)
	w.flag(p.ExeMemfd)
	w.flag(p.ExeLower)
	w.u64(uint64(p.Pgid))
}

// FD writes a descriptor. Those of one thread stand together.
func (w *Writer) FD(f *FD) {
	if len(f.Name) > maxName {
		w.longText(f.Tid, f.Num, longName, f.Name)
	}
	w.openList(BlockFDs, f.Tid)
	at := w.entry()
	w.u64(uint64(f.Num), f.Ino)
	typ := f.Type
	if w.legacy && typ > FDIOUring {
		typ = FDUnsupported
	}
	w.buf = append(w.buf, byte(typ))
	switch typ {
	case FDUnknown:
	case FDIPv4, FDIPv6:
		size := ipSize(typ)
		w.buf = appendIP(appendIP(w.buf, f.Src.Addr(), size), f.Dst.Addr(), size)
		w.u16(f.Src.Port(), f.Dst.Port())
		w.buf = append(w.buf, f.L4)
	case FDIPv4Server, FDIPv6Server:
		w.buf = appendIP(w.buf, f.Dst.Addr(), ipSize(typ))
		w.u16(f.Dst.Port())
		w.buf = append(w.buf, f.L4)
	case FDUnix:
		w.u64(f.UnixSrc, f.UnixDst)
		w.str(f.Name)
	case FDFileV2:
		w.u32(f.OpenFlags)
		w.str(f.Name)
		w.u32(f.Dev)
	default:
		w.str(f.Name)
	}
	w.entryEnd(at)
}

func ipSize(t FDType) int {
	if t == FDIPv4 || t == FDIPv4Server {
		return 4
	}
	return 16
}

// appendIP appends size bytes of an address in network order; zeros for one that
// does not fit.
func appendIP(b []byte, a netip.Addr, size int) []byte {
	var v [16]byte
	switch {
	case size == 16 && a.IsValid():
		v = a.As16()
	case size == 4 && a.IsValid() && a.Unmap().Is4():
		v4 := a.Unmap().As4()
		copy(v[:], v4[:])
	}
	return append(b, v[:size]...)
}

// openList makes sure that a block of this kind is open.
func (w *Writer) openList(t BlockType, tid int64) {
	if w.list == t && w.listTid == tid && len(w.buf)-w.start < maxList {
		return
	}
	w.closeList()
	w.begin(t)
	w.list, w.listTid = t, tid
	if t == BlockFDs {
		w.u64(uint64(tid))
	}
}

func (w *Writer) closeList() {
	if w.list != 0 {
		w.list, w.listTid = 0, 0
		w.end()
	}
}

// entry begins an entry, entryEnd says how long it has become.
func (w *Writer) entry() int {
	w.buf = append(w.buf, 0, 0, 0, 0)
	return len(w.buf) - 4
}

func (w *Writer) entryEnd(at int) {
	binary.LittleEndian.PutUint32(w.buf[at:], uint32(len(w.buf)-at))
}

func (w *Writer) u16(vs ...uint16) {
	for _, v := range vs {
		w.buf = binary.LittleEndian.AppendUint16(w.buf, v)
	}
}

func (w *Writer) u32(vs ...uint32) {
	for _, v := range vs {
		w.buf = binary.LittleEndian.AppendUint32(w.buf, v)
	}
}

func (w *Writer) u64(vs ...uint64) {
	for _, v := range vs {
		w.buf = binary.LittleEndian.AppendUint64(w.buf, v)
	}
}

func (w *Writer) flag(v bool) {
	b := byte(0)
	if v {
		b = 1
	}
	w.buf = append(w.buf, b)
}

// str writes a text with its length, without a NUL; what is longer than readers
// take stands whole elsewhere (long.go).
func (w *Writer) str(s string) {
	s = s[:min(len(s), maxName)]
	w.u16(uint16(len(s)))
	w.buf = append(w.buf, s...)
}

// user writes a text of passwd.
func (w *Writer) user(s string) {
	if len(s) > maxUser {
		w.stats.Cut++
		s = s[:maxUser]
	}
	w.str(s)
}

// strs writes texts that each end with a NUL.
func (w *Writer) strs(list []string) {
	at := len(w.buf)
	w.u16(0)
	for _, s := range list {
		w.buf = append(append(w.buf, s...), 0)
		if len(w.buf)-at-2 > maxTexts {
			w.buf = w.buf[:at+2+maxTexts]
			break
		}
	}
	binary.LittleEndian.PutUint16(w.buf[at:], uint16(len(w.buf)-at-2))
}
