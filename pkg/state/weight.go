// SPDX-License-Identifier: Apache-2.0

package state

import "math"

// What the tables weigh. State.bytes is the sum of what is counted when it is made
// and when it goes; nothing is measured while events flow. Texts that come again
// and again are one in memory and counted for each record that has them: the sum
// is more than what is taken, never less by much (TestWeight).
//
//	a thread        threadBytes, its paths and its command line
//	arguments, environment   once for all threads that share them
//	a descriptor    fdBytes and its names, once for all tables that share it,
//	                and slotBytes in each array
//	control groups  once for all threads in them

const (
	// threadBytes is a record with its group, its table of descriptors, its places in
	// two maps and what the allocator rounds up; TestWeight holds these sizes.
	threadBytes  = 900
	fdBytes      = 176
	pendingBytes = 80
	stringBytes  = 16
	nameRoom     = 96 // of a socket, whose name comes later
)

// memo counts a list of texts for all records that share it.
type memo struct {
	refs int32
	size int32
}

// share makes p point to m.
func (s *State) share(p **memo, m *memo) {
	if m != nil {
		m.refs++
	}
	s.unref(p)
	*p = m
}

// unref makes p point to nothing.
func (s *State) unref(p **memo) {
	if m := *p; m != nil {
		if m.refs--; m.refs == 0 {
			s.bytes -= int(m.size)
			give(&s.pool.memos, m)
		}
		*p = nil
	}
}

// count makes p point to a memo of its own.
func (s *State) count(p **memo, size int) {
	if m := *p; m != nil && m.refs == 1 {
		s.bytes += size - int(m.size)
		m.size = int32(size)
		return
	}
	s.unref(p)
	if size > 0 {
		m := take(&s.pool.memos)
		m.refs, m.size = 1, int32(min(size, math.MaxInt32))
		*p = m
		s.bytes += size
	}
}

func listBytes(l []string) int {
	n := 0
	for _, t := range l {
		n += len(t) + stringBytes
	}
	return n
}

// weighArgs counts the arguments and the command line of t, which are those of
// like if they are the same.
func (s *State) weighArgs(t, like *Thread) {
	if like != nil && like.args != nil && sameStrings(t.Args, like.Args) && t.Cmdline == like.Cmdline {
		s.share(&t.args, like.args)
		return
	}
	s.count(&t.args, listBytes(t.Args)+len(t.Cmdline))
}

// weighEnv does it for the environment.
func (s *State) weighEnv(t, like *Thread) {
	if like != nil && like.env != nil && sameStrings(t.Env, like.Env) {
		s.share(&t.env, like.env)
		return
	}
	s.count(&t.env, listBytes(t.Env))
}

// sameStrings reports whether two lists are one in memory.
func sameStrings(a, b []string) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// weigh counts the record of t anew, without its lists and descriptors.
func (s *State) weigh(t *Thread) {
	w := threadBytes + len(t.Comm) + len(t.Exe) + len(t.ExePath) + len(t.Cwd) + len(t.Root)
	if t.enter != nil {
		w += pendingBytes + cap(t.enter.name)
	}
	s.bytes += w - t.weight
	t.weight = w
}

// unweigh takes t out of the sum.
func (s *State) unweigh(t *Thread) {
	s.bytes -= t.weight
	t.weight = 0
	s.unref(&t.args)
	s.unref(&t.env)
	s.leaveCgroups(t)
}

// weighFD counts f, which a table holds.
func (s *State) weighFD(f *FD) {
	w := fdBytes + len(f.Name)
	if f.RawName != f.Name {
		w += len(f.RawName)
	}
	if f.Type.IsIP() || f.Type == FDUnix {
		w += nameRoom
	}
	s.bytes += w - int(f.cost)
	f.cost = int32(w)
}
