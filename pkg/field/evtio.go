// SPDX-License-Identifier: Apache-2.0

package field

import (
	"strings"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// What an event does with a descriptor.

func anyFD(*state.FD) bool { return true }

func isFile(f *state.FD) bool { return f.Type == state.FDFile }

func isNet(f *state.FD) bool { return f.Type.IsIP() }

// buflen is the result of an event that does I/O in the direction dir, on a
// descriptor that is one of those asked for.
func buflen(dir schema.EventFlags, of func(*state.FD) bool) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		switch s.Event.Info.Category {
		case schema.CategoryIORead, schema.CategoryIOWrite, schema.CategoryIOOther:
		default:
			return out
		}
		v, ok := s.Event.Return()
		if !ok || v < 0 || s.FD == nil || !of(s.FD) || dir != 0 && s.Event.Info.Flags&dir == 0 {
			return out
		}
		return number(out, uint64(v))
	}
}

func ioDir(s *state.Scene, _ *Arg, out []Value) []Value {
	switch f := s.Event.Info.Flags; {
	case f&schema.WritesToFD != 0:
		return text(out, "write")
	case f&schema.ReadsFromFD != 0:
		return text(out, "read")
	}
	return out
}

func isSyslog(s *state.Scene) bool {
	return s.Event.Info.Flags&schema.WritesToFD != 0 && s.FD != nil && strings.Contains(s.FD.Name, "/dev/log")
}

// countError gives 1 or 0 for the events that about picks, if they have a result.
func countError(about func(s *state.Scene) bool) getter {
	return func(s *state.Scene, _ *Arg, out []Value) []Value {
		v, ok := s.Event.Return()
		if !ok || !about(s) {
			return out
		}
		return number(out, failed(v))
	}
}

func aboutFile(s *state.Scene) bool {
	if s.FD != nil {
		return s.FD.Type == state.FDFile || s.FD.Type == state.FDDirectory
	}
	switch s.Event.Type {
	case schema.OpenX, schema.CreatX, schema.OpenatX, schema.Openat2X, schema.OpenByHandleAtX:
		return true
	}
	return false
}

func aboutNet(s *state.Scene) bool {
	if s.FD != nil {
		return s.FD.Type.IsIP() || s.FD.Type == state.FDUnix
	}
	switch s.Event.Type {
	case schema.AcceptX, schema.Accept4X, schema.ConnectX:
		return true
	}
	return false
}

func aboutMemory(s *state.Scene) bool { return s.Event.Info.Category == schema.CategoryMemory }

func aboutOther(s *state.Scene) bool { return !aboutFile(s) && !aboutNet(s) && !aboutMemory(s) }

func countExit(s *state.Scene, _ *Arg, out []Value) []Value {
	if s.Event.Type.IsEnter() {
		return out
	}
	return number(out, 1)
}

func countProcinfo(main bool) getter {
	return always(func(s *state.Scene) bool {
		return s.Event.Type == schema.ProcinfoE && (!main || s.Thread != nil && s.Thread.IsMain())
	})
}

var (
	flagsParam = indexOf("flags")
	modeParam  = indexOf("mode")
)

// openFlags returns the flags of an event that opens a file by name or handle.
func openFlags(e *event.Event) uint64 {
	switch e.Type {
	case schema.OpenX, schema.OpenatX, schema.Openat2X, schema.OpenByHandleAtX:
		flags, _ := e.Uint(flagsParam.in(e))
		return flags
	}
	return 0
}

func openedWith(e *event.Event, flag uint64) bool { return openFlags(e)&flag != 0 }

func isOpenExec(e *event.Event) bool {
	switch e.Type {
	case schema.OpenX, schema.OpenatX, schema.Openat2X:
		if openFlags(e)&(schema.OTmpfile|schema.OCreat) == 0 {
			return false
		}
	case schema.CreatX:
	default:
		return false
	}
	mode, _ := e.Uint(modeParam.in(e))
	return mode&0o111 != 0
}

func isOpenCreate(e *event.Event) bool {
	flags := openFlags(e)
	if flags&schema.OFCreated != 0 {
		return true
	}
	v, ok := e.Return()
	return flags&schema.OTmpfile != 0 && ok && v >= 0
}
