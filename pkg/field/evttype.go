// SPDX-License-Identifier: Apache-2.0

package field

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// TypeName returns what evt.type prints for e. A system call without an event
// of its own has the name of the call, an asynchronous event the name that it
// carries.
func TypeName(e *event.Event) string {
	switch e.Type {
	case schema.GenericX, schema.GenericE:
		if code, ok := e.Uint(0); ok {
			if c := schema.SyscallCode(code).Info(); c != nil {
				return c.Name
			}
		}
	case schema.AsynceventE:
		if name, ok := e.Str(1); ok {
			return name
		}
	}
	return e.Info.Name
}

// KnownType reports whether name can be an evt.type: that of an event, a system
// call, or an asynchronous event that we make ourselves.
func KnownType(name string) bool { return knownTypes[name] }

var knownTypes = func() map[string]bool {
	known := map[string]bool{"container": true, "container_removed": true}
	for i := range schema.Events {
		if name := schema.Events[i].Name; name != "" && name != "NA" {
			known[name] = true
		}
	}
	for i := range schema.Syscalls {
		if name := schema.Syscalls[i].Name; name != "" {
			known[name] = true
		}
	}
	return known
}()

// TypeNames lists what evt.type can be compared with, unsorted.
func TypeNames() []string { return slices.Collect(maps.Keys(knownTypes)) }

func bindTypeIs(r *Ref) error {
	if n, err := strconv.ParseUint(r.Arg.Text, 10, 16); err == nil {
		r.Arg.Index = int(n)
		return nil
	}
	if !KnownType(r.Arg.Text) {
		return fmt.Errorf("unknown event type %s", r.Arg.Text)
	}
	return nil
}

func typeIs(s *state.Scene, a *Arg, out []Value) []Value {
	if a.Index >= 0 {
		return boolean(out, int(s.Event.Type) == a.Index)
	}
	return boolean(out, TypeName(s.Event) == a.Text)
}

func syscallType(s *state.Scene, _ *Arg, out []Value) []Value {
	if s.Event.Info.Class != schema.ClassSyscall {
		return out
	}
	return text(out, TypeName(s.Event))
}

func isMeta(s *state.Scene) bool { return s.Event.Info.Class == schema.ClassMeta }

func asyncType(s *state.Scene, _ *Arg, out []Value) []Value {
	if !isMeta(s) {
		return out
	}
	return text(out, TypeName(s.Event))
}

// categories names the categories that say enough by themselves.
var categories = map[schema.Category]string{
	schema.CategoryUnknown: "unknown", schema.CategoryOther: "other", schema.CategoryFile: "file",
	schema.CategoryNet: "net", schema.CategoryIPC: "IPC", schema.CategoryMemory: "memory",
	schema.CategoryProcess: "process", schema.CategorySleep: "sleep", schema.CategorySystem: "system",
	schema.CategorySignal: "signal", schema.CategoryUser: "user", schema.CategoryTime: "time",
	schema.CategoryProcessing: "processing", schema.CategoryWait: "wait", schema.CategoryScheduler: "scheduler",
	schema.CategoryInternal: "internal",
}

// category names the kind of an event. Reading, writing and the like are what
// the descriptor is; there, "ipc" is written small.
func category(s *state.Scene) string {
	switch s.Event.Info.Category {
	case schema.CategoryIORead, schema.CategoryIOWrite, schema.CategoryIOOther:
		if s.FD == nil {
			return "unknown"
		}
		switch s.FD.Type {
		case state.FDFile, state.FDDirectory:
			return "file"
		case state.FDIPv4, state.FDIPv6, state.FDIPv4Server, state.FDIPv6Server:
			return "net"
		case state.FDPipe, state.FDUnix, state.FDEvent, state.FDSignal, state.FDInotify, state.FDUserfault:
			return "ipc"
		}
		return "unknown"
	}
	if name, ok := categories[s.Event.Info.Category]; ok {
		return name
	}
	return "unknown"
}
