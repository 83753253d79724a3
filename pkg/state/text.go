// SPDX-License-Identifier: Apache-2.0

package state

import (
	"strings"

	"github.com/falco-go/falco/pkg/event"
)

// maxList bounds arguments, environments and lists of cgroups, each.
const maxList = 32 << 10

// splitList makes a list of texts that each end with a NUL; they share one copy
// of b.
func splitList(b []byte) []string {
	if len(b) == 0 {
		return nil
	}
	s := string(b)
	if s[len(s)-1] == 0 {
		s = s[:len(s)-1]
	}
	list := make([]string, 0, strings.Count(s, "\x00")+1)
	for {
		head, rest, more := strings.Cut(s, "\x00")
		list = append(list, head)
		if !more {
			return list
		}
		s = rest
	}
}

// sameList reports whether splitList(b) would equal l.
func sameList(b []byte, l []string) bool {
	for i, s := range l {
		if len(b) < len(s) || event.View(b[:len(s)]) != s {
			return false
		}
		b = b[len(s):]
		if len(b) == 0 {
			return i == len(l)-1
		}
		if b[0] != 0 {
			return false
		}
		b = b[1:]
	}
	return len(b) == 0
}

// cmdline returns what proc.cmdline prints: the name and the arguments.
func (s *State) cmdline(comm string, args []string) string {
	if comm == "" {
		return ""
	}
	if len(args) == 0 {
		return comm
	}
	b := append(s.buf[:0], comm...)
	for _, a := range args {
		b = append(b, ' ')
		b = append(b, a...)
	}
	return s.names.bytes(b)
}

// intOr returns parameter i as a signed number, or v if it is absent.
func intOr(ev *event.Event, i int, v int64) int64 {
	if n, ok := ev.Int(i); ok {
		return n
	}
	return v
}

// uintOr returns parameter i as an unsigned number, or v if it is absent.
func uintOr(ev *event.Event, i int, v uint64) uint64 {
	if n, ok := ev.Uint(i); ok {
		return n
	}
	return v
}

// textOr returns parameter i as a text of our own, or old if it is absent or empty.
func (s *State) textOr(ev *event.Event, i int, old string) string {
	if v, ok := ev.Str(i); ok && v != "" {
		if v == old {
			return old
		}
		return s.names.str(v)
	}
	return old
}

// textLike is textOr for a new record: like is only used if it is the same.
func (s *State) textLike(ev *event.Event, i int, like string) string {
	v, ok := ev.Str(i)
	if !ok {
		return ""
	}
	if v == like {
		return like
	}
	return s.names.str(v)
}
