// SPDX-License-Identifier: Apache-2.0

package state

import "github.com/falco-go/falco/pkg/schema"

// Who forks within a pid namespace is told an id that says nothing outside of it:
// the child's record cannot be made before the child's own event. But what it has is
// what its maker had at the fork, and the maker does not wait: a shell closes the
// ends of pipes, executes something else, ends. So what the child is to inherit is
// kept until it tells of itself.

const (
	maxPromises = 64
	// A promise is for a child that tells of itself after its maker.
	promiseFor = 10 * second
)

// promise is a child to come.
type promise struct {
	maker int64  // tid
	id    int64  // of the child, as the maker sees it
	in    bool   // the maker is in a pid namespace: id is a vtid
	since uint64 // when that namespace began, as far as the maker knows
	ts    uint64
	x     *Thread // what it inherits; in no table
}

// promise keeps what child, which c has made with flags, inherits.
func (s *State) promise(c *Thread, child int64, flags uint32) {
	if x := s.childByVpid(c, child); x != nil && x.parent != nil && s.Main(x.parent) == s.Main(c) && s.now-min(x.CloneTS, s.now) < promiseFor {
		return // it was first
	}
	p := promise{c.Tid, child, c.InPidns(), c.PidnsStartTS, s.now, s.newThread(-1)}
	p.x.inherit(c)
	s.forkProcess(p.x, c, flags)
	s.keepPromises(maxPromises - 1)
	s.promises = append(s.promises, p)
}

// promised returns what x, which is new, inherits from its maker, nil if nothing was
// kept; since is when x's pid namespace began. The caller gives it to bear. Somebody
// else is x's parent by now if its maker has ended.
func (s *State) promised(x *Thread, since uint64) *Thread {
	for i, p := range s.promises {
		mine := p.id == x.Tid
		if p.in {
			mine = p.id == x.Vtid && (p.maker == x.Ptid || p.since == since && s.exited.lately(p.maker, s.now))
		}
		if mine {
			s.promises = append(s.promises[:i], s.promises[i+1:]...)
			return p.x
		}
	}
	return nil
}

// keepPromises drops the oldest but n, and those whose time is over.
func (s *State) keepPromises(n int) {
	gone := max(len(s.promises)-n, 0)
	for gone < len(s.promises) && s.now > s.promises[gone].ts+promiseFor {
		gone++
	}
	for _, p := range s.promises[:gone] {
		s.drop(p.x)
	}
	s.promises = append(s.promises[:0], s.promises[gone:]...)
}

// drop lets go of what x, which is in no table, holds.
func (s *State) drop(x *Thread) {
	s.dropFDs(x)
	s.unref(&x.env)
	s.discard(x)
}

// bear gives x what was promised to it.
func (s *State) bear(x, promised *Thread) {
	x.inherit(promised)
	x.fds, promised.fds = promised.fds, nil
	if x.fds != nil {
		s.shareAsks(x.fds, x.Pid)
	}
	x.Cwd, x.Env = promised.Cwd, promised.Env
	s.weighEnv(x, promised)
	s.drop(promised)
}

// promises are made for processes, not for threads, and not by vfork, whose child has
// run already; a child of CLONE_PARENT does not name its maker.
const noPromise = schema.CloneThread | schema.CloneVfork | schema.CloneParent
