// SPDX-License-Identifier: Apache-2.0

package field

import (
	"math"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/state"
)

// What getters are made of. A getter that has nothing to say returns out as it is.

type getter = func(s *state.Scene, a *Arg, out []Value) []Value

func text(out []Value, s string) []Value { return append(out, Value{Str: s}) }

func number(out []Value, n uint64) []Value { return append(out, Value{Num: n}) }

func boolean(out []Value, b bool) []Value {
	if b {
		return append(out, Value{Num: 1})
	}
	return append(out, Value{})
}

func double(out []Value, f float64) []Value {
	return append(out, Value{Num: math.Float64bits(f)})
}

// never is the getter of what has no value.
func never(_ *state.Scene, _ *Arg, out []Value) []Value { return out }

// constant returns a getter that always says the same.
func constant(v Value) getter {
	return func(_ *state.Scene, _ *Arg, out []Value) []Value { return append(out, v) }
}

// always returns a getter for a yes-or-no that every event answers.
func always(f func(s *state.Scene) bool) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value { return boolean(out, f(s)) }
}

// The getters below have no value where the thread is unknown.

func threadText(f func(s *state.Scene, t *state.Thread) string) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		if s.Thread == nil {
			return out
		}
		return text(out, f(s, s.Thread))
	}
}

func threadNum(f func(s *state.Scene, t *state.Thread) uint64) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		if s.Thread == nil {
			return out
		}
		return number(out, f(s, s.Thread))
	}
}

// threadTime is threadNum for what is unknown if it is 0.
func threadTime(f func(s *state.Scene, t *state.Thread) uint64) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		if s.Thread != nil {
			if n := f(s, s.Thread); n != 0 {
				return number(out, n)
			}
		}
		return out
	}
}

func threadBool(f func(s *state.Scene, t *state.Thread) bool) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		if s.Thread == nil {
			return out
		}
		return boolean(out, f(s, s.Thread))
	}
}

// join composes the words of a list, with blanks between, in the buffer of a.
func (a *Arg) join(words []string) string {
	switch len(words) {
	case 0:
		return ""
	case 1:
		return words[0]
	}
	a.buf = appendJoined(a.buf[:0], words)
	return event.View(a.buf)
}

func appendJoined(buf []byte, words []string) []byte {
	for i, w := range words {
		if i > 0 {
			buf = append(buf, ' ')
		}
		buf = append(buf, w...)
	}
	return buf
}

// names tells pkg/event what the numbers of an event stand for. Being one
// pointer, it becomes an event.Names without an allocation.
type names struct{ s *state.Scene }

func (n names) FD(num int64) (kind, transport byte, name string, ok bool) {
	f := fdOf(n.s, num)
	if f == nil {
		return 0, 0, "", false
	}
	if l4 := transportOf(f); l4 != state.L4Unknown {
		transport = l4.String()[0]
	}
	return f.Type.Char(), transport, f.Name, true
}

// fdOf returns descriptor num of the event's thread.
func fdOf(s *state.Scene, num int64) *state.FD {
	if s.FD != nil && num == s.FDNum {
		return s.FD
	}
	if s.Thread == nil || num < 0 {
		return nil
	}
	return s.State.FD(s.Thread, num)
}

func (n names) Comm(tid int64) (string, bool) {
	t := n.s.Thread
	if t == nil || t.Tid != tid {
		t = n.s.State.Lookup(tid)
	}
	if t == nil {
		return "", false
	}
	return t.Comm, true
}

func (n names) User(uid uint32) (string, bool) {
	u, ok := n.s.State.User(n.s.Thread, uid)
	return u.Name, ok
}

func (n names) Group(gid uint32) (string, bool) { return n.s.State.GroupName(n.s.Thread, gid) }

// AppendPath follows the descriptor as state.md §7.3 says. Nothing is looked up
// in /proc: an unknown directory leaves the raw text alone.
func (n names) AppendPath(buf []byte, dirfd int64, rel string) ([]byte, bool) {
	if n.s.Thread == nil {
		return buf, false
	}
	if dirfd != event.AtFDCWD && n.s.State.FD(n.s.Thread, dirfd) == nil {
		return buf, false
	}
	base, slash := n.s.State.DirBase(n.s.Thread, dirfd)
	return appendFrom(buf, base, slash, rel), true
}
