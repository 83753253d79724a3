// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"strings"
	"testing"
)

func TestEventTable(t *testing.T) {
	ids := map[string]bool{}
	for code := range Events {
		e := &Events[code]
		if int(e.Type) != code {
			t.Errorf("event %d has code %d", code, e.Type)
		}
		if ids[e.ID] {
			t.Errorf("%s: twice", e.ID)
		}
		ids[e.ID] = true
		if dir := e.ID[strings.LastIndexByte(e.ID, '_'):]; (dir == "_e") != e.Type.IsEnter() {
			t.Errorf("%s: the name says one direction, code %d the other", e.ID, code)
		}
		if len(e.Params) > MaxParams {
			t.Errorf("%s: %d parameters", e.ID, len(e.Params))
		}
		for i, p := range e.Params {
			if p.Type == TypeFSRelPath && (p.DirFD < 0 || int(p.DirFD) >= len(e.Params)) {
				t.Errorf("%s.%s is relative to nothing", e.ID, p.Name)
			}
			if p.DirFD >= 0 && e.Params[p.DirFD].Type != TypeFD {
				t.Errorf("%s.%s is relative to %s, which is no descriptor", e.ID, p.Name, e.Params[p.DirFD].Name)
			}
			if (p.Type == TypeDyn) != (p.Dyn != nil) {
				t.Errorf("%s.%s: type %s, dyn set %v", e.ID, p.Name, p.Type, p.Dyn)
			}
			if e.Param(p.Name) > i {
				t.Errorf("%s: Param(%q) finds a later one", e.ID, p.Name)
			}
		}
	}
	if e, ok := EventByID("openat_x"); !ok || e.Type != 307 || e.Name != "openat" {
		t.Errorf("openat_x is %+v", e)
	}
}

func TestSyscallTable(t *testing.T) {
	native := map[[2]int16]string{}
	for i := range Syscalls {
		s := &Syscalls[i]
		if s.Name == "" {
			if SyscallCode(i).Info() != nil {
				t.Errorf("code %d is a hole, but has a row", i)
			}
			continue
		}
		if int(s.Code) != i {
			t.Errorf("%s: code %d stands at %d", s.Name, s.Code, i)
		}
		for arch, nr := range []int16{s.X8664, s.AArch64} {
			if nr < 0 {
				continue
			}
			key := [2]int16{int16(arch), nr}
			if other, ok := native[key]; ok {
				t.Errorf("number %d is %s and %s", nr, other, s.Name)
			}
			native[key] = s.Name
		}
	}
	for name, want := range map[string]EventType{"openat": OpenatX, "execve": ExecveX, "getpid": GenericX, "clone": CloneX, "sched_process_exit": ProcexitE} {
		s, ok := SyscallByName(name)
		if !ok || s.Exit != want {
			t.Errorf("%s has exit event %v, want %s", name, s, want)
		}
	}
}

func TestLookupsOutOfRange(t *testing.T) {
	if EventType(NumEvents).Info() != nil || SyscallCode(NumSyscalls).Info() != nil {
		t.Error("a row behind the last")
	}
	if _, ok := SyscallByName(""); ok {
		t.Error("the hole has been found by its name")
	}
	if got := EventType(60000).String(); got != "unknown" {
		t.Errorf("String() = %q", got)
	}
}

func TestWidths(t *testing.T) {
	for typ, want := range map[ParamType]int{TypeErrno: 8, TypeFD: 8, TypeUID: 4, TypeFlags8: 1, TypePort: 2, TypeIPv6Addr: 16, TypeCharBuf: 0, TypeDyn: 0} {
		if got := typ.Width(); got != want {
			t.Errorf("%s is %d bytes wide, want %d", typ, got, want)
		}
	}
}
