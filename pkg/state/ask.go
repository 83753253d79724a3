// SPDX-License-Identifier: Apache-2.0

package state

import (
	"strings"

	"github.com/falco-go/falco/pkg/container"
	"github.com/falco-go/falco/pkg/procfs"
)

// Questions that no event waits for. What an event cannot tell, and what takes
// too long to be read while it waits, is asked of somebody else (Options.Ask) and
// comes back between two later events:
//
//	AskTask     a look-up that the budget did not allow     TakeTask
//	AskFD       what a passed descriptor is (askfd.go)      TakeDescriptor
//	AskSockets  what the sockets of a process are           TakeSockets
//	AskUsers    who the users of a container are            SetUsers
//	AskRuntime  what its runtime says of a container        PutContainer, FailContainer
//
// Whoever answers may be late, or never come: the tables do not wait for him.

// AskKind is what is to be read.
type AskKind uint8

// Values of AskKind.
const (
	AskTask AskKind = iota
	AskFD
	AskSockets
	AskUsers
	AskRuntime
)

// Ask is a question.
type Ask struct {
	Kind      AskKind
	Tid       int64           // AskTask: the thread; else the process, or the first one that was seen in the container
	FD        int64           // AskFD
	Num       int64           // AskFD: of the question
	Container string          // AskUsers
	Match     container.Match // AskRuntime: what the cgroup says
}

// ask puts a question; if the one who answers has too many already, it is lost
// and counted.
func (s *State) ask(a Ask) bool {
	if s.asks == nil {
		return false
	}
	if !s.asks(a) {
		s.stats.AsksLost++
		return false
	}
	s.stats.Asks++
	return true
}

// askSockets asks for the sockets of t's process if there are some that nobody
// knows.
func (s *State) askSockets(t *Thread) {
	o := s.owner(t)
	if o == nil || o.Pid < 0 || o.askedSockets {
		return
	}
	for _, f := range o.array().each {
		if f.Type == FDUnknown && f.Has(FDFromProc) && f.Ino != 0 {
			o.askedSockets = s.ask(Ask{Kind: AskSockets, Tid: o.Pid})
			return
		}
	}
}

// TakeSockets answers AskSockets: fds are descriptors of process pid. They only
// count where the same socket is still open under the same number.
func (s *State) TakeSockets(pid int64, fds []procfs.FD) {
	t := s.Lookup(pid)
	if t == nil {
		return
	}
	t.askedSockets = false
	for i := range fds {
		old := s.FD(t, fds[i].Num)
		if old == nil || old.Type != FDUnknown || old.Ino != fds[i].Ino || !old.Has(FDFromProc) {
			continue
		}
		f := s.fromDescriptor(&fds[i])
		if f.Type == FDUnknown {
			continue // no table lists it
		}
		f.Flags |= old.Flags & FDCloexec
		s.putFD(s.tableOf(t), fds[i].Num, f)
	}
	s.giveRoles(t)
}

// TakeTask answers AskTask with what /proc tells by now. It only counts if the
// thread is still unknown. Descriptors that events have told of meanwhile stay.
func (s *State) TakeTask(k *procfs.Task) {
	old := s.Lookup(k.Tid)
	if old == nil || old.Valid() {
		return
	}
	var told []fdSlot
	for n, f := range old.array().each {
		own := *f
		told = append(told, fdSlot{num: int32(n), fd: &own})
	}
	s.forget(old)
	t := s.addTask(k)
	s.stats.Repaired++
	for _, sl := range told {
		if tbl := s.tableOf(t); tbl != nil {
			s.putFD(tbl, int64(sl.num), sl.fd)
		}
	}
}

// maxTries is how often the users of one container are asked for. A process is in
// the control group of its container before it has changed to its root, so that
// the first answers may be that there is nothing to see yet.
const maxTries = 8

// askNewUsers asks for the users of t's container if nobody has yet. More of the same
// are no reason to ask again: a runtime makes a dozen threads before it changes to the
// container's root.
func (s *State) askNewUsers(t *Thread) {
	if s.users.asked[t.ContainerID].tries == 0 {
		s.askUsers(t)
	}
}

// askUsers asks for the users of t's container if nobody knows them.
func (s *State) askUsers(t *Thread) {
	c := t.ContainerID
	if c == "" || s.asks == nil {
		return
	}
	a, known := s.users.asked[c]
	if a.waiting || a.tries >= maxTries || !known && len(s.users.asked) >= maxUsers {
		return
	}
	if s.ask(Ask{Kind: AskUsers, Tid: t.Tid, Container: c}) {
		s.users.asked[strings.Clone(c)] = asked{waiting: true, tries: a.tries + 1}
	}
}

// SetUsers is SetHostUsers for a container, whose id is as in Thread.ContainerID.
// Two nils say that there was nothing to read, which may be different later.
func (s *State) SetUsers(container string, passwd, group []byte) {
	if s.asks != nil {
		a, known := s.users.asked[container]
		switch {
		case !known:
			return // it has ended meanwhile
		case passwd == nil && group == nil:
			a.waiting = false
		default:
			a = asked{tries: maxTries}
		}
		s.users.asked[container] = a
	}
	s.users.set(container, passwd, group)
}
