// SPDX-License-Identifier: Apache-2.0

package state

import (
	"slices"

	"github.com/falco-go/falco/pkg/procfs"
)

// What a descriptor is that was passed to a process, no event tells. It is asked,
// and until the answer comes a record stands under its number that says only that
// there is something (FDPending), with the number of the question in Pid.
//
// A process that is made meanwhile shares the record, and so the answer. But by the
// time /proc is read the one that is asked about may have closed it, or have ended,
// and the other may still have it: then that one is asked about. Nothing of this is
// ever taken for gone because /proc said so, before all events up to that moment
// have been applied.

const (
	maxFDQuestions = 4096 // that may wait; more records stay as they are
	maxFDAsked     = 32   // that are out at once
	maxSharers     = 256  // that are remembered of one question
)

// fdQuestion is what descriptor n of process pid is.
type fdQuestion struct{ pid, n, num int64 }

// fdAnswer is an answer that waits for its time.
type fdAnswer struct {
	fdQuestion
	d  *procfs.FD // nil: there is no such descriptor
	at uint64     // when it was read, ns since the epoch
}

// fdAsks is what is open.
type fdAsks struct {
	last    int64 // number of the last question
	waiting []fdQuestion
	out     int
	answers []fdAnswer
	sharers map[int64][]int64 // by question: processes that were made meanwhile
}

// open reports whether any record can be pending.
func (a *fdAsks) open() bool { return a.out+len(a.waiting)+len(a.answers) > 0 }

// askFD puts a record under number n of tbl that says only that there is something,
// and asks what it is in process pid.
func (s *State) askFD(tbl *fdTable, pid, n int64, more FDFlags) *FD {
	s.fdAsks.last++
	f := s.newFD()
	*f = FD{Type: FDUnknown, Flags: FDFromProc | FDPending | more, Pid: s.fdAsks.last}
	s.putFD(tbl, n, f)
	s.enqueueFD(fdQuestion{pid, n, f.Pid})
	return f
}

func (s *State) enqueueFD(q fdQuestion) {
	a := &s.fdAsks
	if s.asks == nil {
		return
	}
	if len(a.waiting) >= maxFDQuestions {
		s.stats.AsksLost++
		delete(a.sharers, q.num)
		return
	}
	a.waiting = append(a.waiting, q)
	s.sendFDs()
}

// sendFDs puts the next questions, as many as may be out.
func (s *State) sendFDs() {
	a := &s.fdAsks
	sent := 0
	for ; sent < len(a.waiting) && a.out < maxFDAsked; sent++ {
		q := a.waiting[sent]
		if s.pendingFD(q) == nil { // closed meanwhile, or asked anew
			var more bool
			if q, more = s.nextSharer(q); !more {
				continue
			}
		}
		if !s.asks(Ask{Kind: AskFD, Tid: q.pid, FD: q.n, Num: q.num}) {
			a.waiting[sent] = q // until there is room
			break
		}
		s.stats.Asks++
		a.out++
	}
	a.waiting = slices.Delete(a.waiting, 0, sent)
}

// pendingFD returns the record that q is about, nil if it is no longer pending.
func (s *State) pendingFD(q fdQuestion) *FD {
	f := s.FD(s.Lookup(q.pid), q.n)
	if f == nil || !f.Has(FDPending) || f.Pid != q.num {
		return nil
	}
	return f
}

// shareAsks notes that process pid, which is new, has a copy of tbl.
func (s *State) shareAsks(tbl *fdTable, pid int64) {
	if !s.fdAsks.open() || pid < 0 {
		return
	}
	for _, f := range tbl.arr.each {
		if !f.Has(FDPending) {
			continue
		}
		if s.fdAsks.sharers == nil {
			s.fdAsks.sharers = map[int64][]int64{}
		}
		if all := s.fdAsks.sharers[f.Pid]; len(all) < maxSharers {
			s.fdAsks.sharers[f.Pid] = append(all, pid)
		}
	}
}

// nextSharer returns q of another process that has the record.
func (s *State) nextSharer(q fdQuestion) (fdQuestion, bool) {
	a := &s.fdAsks
	for all := a.sharers[q.num]; len(all) > 0; {
		q.pid, all = all[0], all[1:]
		if s.pendingFD(q) != nil {
			a.sharers[q.num] = all
			return q, true
		}
	}
	delete(a.sharers, q.num)
	return q, false
}

// askAgain asks once more for what is still pending in tbl, in process pid: it has
// executed a program, and nobody knows which of them have survived that.
func (s *State) askAgain(tbl *fdTable, pid int64) {
	if !s.fdAsks.open() {
		return
	}
	for n, f := range tbl.arr.each {
		if f.Has(FDPending) {
			s.askFD(tbl, pid, n, f.Flags&FDCloexec)
		}
	}
}

// TakeDescriptor answers question num of kind AskFD; a nil d says that there is no
// such descriptor. It was read before the time at, in ns since the epoch, and waits
// until all events up to then have been applied: they tell what was closed, and who
// was made, before it was read. It only counts where nothing else has become known
// under that number.
func (s *State) TakeDescriptor(pid, n, num int64, d *procfs.FD, at uint64) {
	a := &s.fdAsks
	a.out = max(a.out-1, 0)
	a.answers = append(a.answers, fdAnswer{fdQuestion{pid, n, num}, d, at})
	s.takeAnswers()
	s.sendFDs()
}

// MissDescriptor is TakeDescriptor for a question that nobody could answer.
func (s *State) MissDescriptor(num int64) {
	a := &s.fdAsks
	a.out = max(a.out-1, 0)
	delete(a.sharers, num)
	s.sendFDs()
}

// takeAnswers takes those whose time has come.
func (s *State) takeAnswers() {
	a := &s.fdAsks
	for i := 0; i < len(a.answers); {
		answer := a.answers[i]
		if answer.at > s.now {
			i++
			continue
		}
		a.answers = slices.Delete(a.answers, i, i+1)
		s.takeDescriptor(answer.fdQuestion, answer.d)
	}
}

func (s *State) takeDescriptor(q fdQuestion, d *procfs.FD) {
	f := s.pendingFD(q)
	if f == nil || d == nil {
		if f != nil {
			s.removeFD(s.files(s.Lookup(q.pid)), q.n)
		}
		if next, more := s.nextSharer(q); more {
			s.enqueueFD(next)
		}
		return
	}
	s.fillFD(q.pid, f, d, 0)
	for q, more := s.nextSharer(q); more; q, more = s.nextSharer(q) { // a copy that was written to
		f := s.pendingFD(q)
		s.fillFD(q.pid, f, d, f.Flags&FDCloexec)
	}
}

// fillFD makes f, of process pid, what d is.
func (s *State) fillFD(pid int64, f *FD, d *procfs.FD, more FDFlags) {
	is := s.fromDescriptor(d)
	is.refs, is.cost = f.refs, f.cost
	is.Flags |= more
	*f = *is
	s.weighFD(f)
	t := s.Lookup(pid)
	s.giveRoles(t)
	s.askSockets(t)
}
