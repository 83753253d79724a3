// SPDX-License-Identifier: Apache-2.0

package state

import (
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/schema"
)

// transfer handles read, write and their kin where the descriptor is known to be an
// internet socket: one that carries data is connected.
func (s *State) transfer(ev *event.Event) {
	f := s.scene.FD
	if f.Type != FDIPv4 && f.Type != FDIPv6 || f.Has(FDConnected) {
		return
	}
	if res, ok := ev.Return(); ok && res >= 0 {
		s.connected(s.scene.FDNum)
	}
}

// connected marks descriptor n of the event's thread.
func (s *State) connected(n int64) {
	if f := s.writable(s.scene.Thread, n); f != nil {
		f.Flags |= FDConnected
	}
}

// closeFD leaves the removal to Settle.
func (s *State) closeFD(ev *event.Event) {
	res, ok := ev.Int(0)
	tbl := s.files(s.scene.Thread)
	if !ok || res < 0 || tbl == nil || s.scene.FD == nil {
		return
	}
	if s.scene.FD.Has(FDFromProc) && s.beforeScan() {
		return // the scan saw it later: the number was used again
	}
	s.closing = tbl
}

// beforeScan reports whether the event at hand is older than what /proc told of
// the descriptors of its thread.
func (s *State) beforeScan() bool {
	o := s.owner(s.scene.Thread)
	return o != nil && s.now <= o.scannedAt
}

// closeRange: res, first, last, flags. There is no descriptor of the event, so
// nothing has to wait.
func (s *State) closeRange(ev *event.Event) {
	res, ok := ev.Return()
	if !ok || res < 0 {
		return
	}
	if uintOr(ev, 3, 0)&schema.CloseRangeUnshare != 0 {
		s.unshareFiles(s.scene.Thread)
	}
	tbl := s.files(s.scene.Thread)
	if tbl == nil {
		return
	}
	first, last := int64(uintOr(ev, 1, 0)), int64(uintOr(ev, 2, 0))
	old := s.beforeScan()
	if uintOr(ev, 3, 0)&schema.CloseRangeCloexec == 0 {
		s.filterFDs(tbl, func(n int64, f *FD) bool {
			return n >= first && n <= last && !(old && f.Has(FDFromProc))
		})
		return
	}
	for n := range tbl.arr.each {
		if n >= first && n <= last {
			s.setCloexec(n, true)
		}
	}
}

// dup handles dup, dup2 and dup3: res, oldfd, newfd, flags.
func (s *State) dup(ev *event.Event) {
	n, ok := ev.Int(0)
	if !ok || n < 0 {
		return
	}
	s.duplicate(n, ev.Type == schema.Dup3X && uintOr(ev, 3, 0)&schema.OCloexec != 0)
}

// duplicate makes the event's descriptor known under the number n as well.
func (s *State) duplicate(n int64, cloexec bool) {
	t, from := s.scene.Thread, s.scene.FD
	if t == nil {
		return
	}
	switch n { // what shells do before they start the sides of a pipe
	case 0:
		t.Flags |= flagPipeDst
	case 1:
		t.Flags |= flagPipeSrc
	}
	if from == nil {
		if n != s.scene.FDNum {
			s.removeFD(s.files(t), n) // now something that nobody knows
		}
		return
	}
	if n == s.scene.FDNum {
		return // dup2 of a number onto itself changes nothing
	}
	f := s.newFD()
	*f = *from
	f.Flags &^= FDCloexec | FDFromProc
	if cloexec {
		f.Flags |= FDCloexec
	}
	pending := f.Has(FDPending)
	s.addFD(t, n, f)
	if !pending {
		return
	}
	if o := s.owner(t); o != nil {
		s.scene.FD = s.askFD(s.tableOf(t), o.Pid, n, f.Flags&FDCloexec)
	}
}

// fcntl: res, fd, cmd, arg.
func (s *State) fcntl(ev *event.Event) {
	res, ok := ev.Return()
	if !ok || res < 0 {
		return
	}
	switch cmd, _ := ev.Uint(2); cmd {
	case schema.FDupfd:
		s.duplicate(res, false)
	case schema.FDupfdCloexec:
		s.duplicate(res, true)
	case schema.FSetfd:
		if s.scene.FD != nil {
			s.setCloexec(s.scene.FDNum, uintOr(ev, 3, 0)&hostFDCloexec != 0)
		}
	}
}

// setCloexec says whether an exec drops descriptor n of the event's thread.
func (s *State) setCloexec(n int64, on bool) {
	f := s.FD(s.scene.Thread, n)
	if f == nil || f.Has(FDCloexec) == on {
		return
	}
	if f = s.writable(s.scene.Thread, n); f != nil {
		f.Flags ^= FDCloexec
	}
}
