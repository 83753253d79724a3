// SPDX-License-Identifier: Apache-2.0

package state

import (
	"strconv"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/schema"
)

// make1 adds the descriptor that a successful call returns.
func (s *State) make1(ev *event.Event, typ FDType, cloexec bool) *FD {
	n, ok := ev.Return()
	if !ok || n < 0 {
		return nil
	}
	f := s.newFD()
	f.Type = typ
	if cloexec {
		f.Flags |= FDCloexec
	}
	s.addFD(s.scene.Thread, n, f)
	return f
}

// pipe handles pipe2 too: res, fd1, fd2, ino, flags.
func (s *State) pipe(ev *event.Event) {
	res, ok := ev.Return()
	if !ok || res < 0 {
		return
	}
	for i := 1; i <= 2; i++ {
		f := s.newFD()
		f.Type, f.Ino = FDPipe, uintOr(ev, 3, 0)
		if ev.Type == schema.Pipe2X && uintOr(ev, 4, 0)&schema.OCloexec != 0 {
			f.Flags |= FDCloexec
		}
		s.addFD(s.scene.Thread, intOr(ev, i, -1), f)
	}
}

func (s *State) eventfd(ev *event.Event) {
	s.make1(ev, FDEvent, ev.Type == schema.Eventfd2X && uintOr(ev, 1, 0)&schema.OCloexec != 0)
}

// signalfd of a descriptor that is one already changes its mask and nothing that
// is known here.
func (s *State) signalfd(ev *event.Event) {
	s.make1(ev, FDSignal, ev.Type == schema.Signalfd4X && uintOr(ev, 1, 0)&schema.OCloexec != 0)
}

func (s *State) timerfd(ev *event.Event) {
	s.make1(ev, FDTimer, uintOr(ev, 2, 0)&schema.OCloexec != 0)
}

func (s *State) inotify(ev *event.Event) {
	s.make1(ev, FDInotify, ev.Type == schema.InotifyInit1X && uintOr(ev, 1, 0)&schema.OCloexec != 0)
}

func (s *State) epoll(ev *event.Event) {
	s.make1(ev, FDEpoll, ev.Type == schema.EpollCreate1X && uintOr(ev, 1, 0)&schema.EpollCloexec != 0)
}

// memfd: fd, name, flags.
func (s *State) memfd(ev *event.Event) {
	name, _ := ev.Str(1)
	if f := s.make1(ev, FDMemfd, uintOr(ev, 2, 0)&hostMFDCloexec != 0); f != nil {
		f.Name = s.names.str(name)
	}
}

// pidfdOpen: fd, pid, flags. The kernel closes these on exec.
func (s *State) pidfdOpen(ev *event.Event) {
	if f := s.make1(ev, FDPidfd, true); f != nil {
		f.Pid = intOr(ev, 1, 0)
		f.Name = s.pidfdName(f.Pid)
	}
}

func (s *State) pidfdName(pid int64) string {
	s.buf = append(append(s.buf[:0], s.Machine.HostRoot...), "/proc/"...)
	return s.names.bytes(strconv.AppendInt(s.buf, pid, 10))
}

// pidfdGetfd copies a descriptor out of another process: fd, pid_fd, target_fd.
func (s *State) pidfdGetfd(ev *event.Event) {
	n, ok := ev.Return()
	t := s.scene.Thread
	if !ok || n < 0 || t == nil {
		return
	}
	from := s.FD(t, intOr(ev, 1, -1))
	if from != nil && from.Type == FDPidfd {
		from = s.FD(s.Lookup(from.Pid), intOr(ev, 2, -1))
	} else {
		from = nil
	}
	if from == nil {
		s.scene.FDNum = n
		s.removeFD(s.files(t), n)
		return
	}
	f := s.newFD()
	*f = *from
	f.Flags = f.Flags&^FDFromProc | FDCloexec
	s.addFD(t, n, f)
}
