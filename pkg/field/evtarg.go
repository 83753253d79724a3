// SPDX-License-Identifier: Apache-2.0

package field

import (
	"fmt"
	"net/netip"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// paramIndex tells, by event type, where a parameter is; -1 where there is none.
type paramIndex []int8

// indexOf finds the parameter called name in all events.
func indexOf(name string) paramIndex {
	idx := make(paramIndex, len(schema.Events))
	for i := range schema.Events {
		idx[i] = int8(schema.Events[i].Param(name))
	}
	return idx
}

// in returns the parameter's position in e, -1 if e does not carry it.
func (idx paramIndex) in(e *event.Event) int {
	if i := int(idx[e.Type]); i < e.NumParams() {
		return i
	}
	return -1
}

// paramNames are the names of all parameters of all events, old layouts too.
var paramNames = func() map[string]bool {
	names := make(map[string]bool)
	for i := range schema.Events {
		for j := range schema.Events[i].Params {
			names[schema.Events[i].Params[j].Name] = true
		}
	}
	return names
}()

// paramName returns the longest parameter name that name starts with.
func paramName(name string) (string, error) {
	for n := len(name); n > 0; n-- {
		if paramNames[name[:n]] {
			return name[:n], nil
		}
	}
	return "", fmt.Errorf("unknown event argument %s", name)
}

func bindArg(r *Ref) error {
	if r.Arg.Index < 0 {
		r.Arg.Data = indexOf(r.Arg.Text)
	}
	return nil
}

// arg prints one parameter. Where the event has no such parameter there is no
// value; where the parameter is empty there is one, "<NA>" or "NULL".
func arg(s *state.Scene, a *Arg, out []Value) []Value {
	i := a.Index
	if idx, ok := a.Data.(paramIndex); ok {
		i = idx.in(s.Event)
	}
	if i < 0 || i >= s.Event.NumParams() {
		return out
	}
	switch s.Event.Info.Params[i].Type {
	case schema.TypeCharBuf: // stands in the record as it is printed
		if p, ok := s.Event.Str(i); ok {
			return text(out, p)
		}
	}
	a.buf = s.Event.AppendArg(a.buf[:0], i, names{s})
	return text(out, event.View(a.buf))
}

func args(s *state.Scene, a *Arg, out []Value) []Value {
	a.buf = s.Event.AppendArgs(a.buf[:0], names{s})
	return text(out, event.View(a.buf))
}

// rawTypes tells which kind of value a parameter is when it is read as it is.
// What is not listed is Other.
var rawTypes = map[schema.ParamType]Type{
	schema.TypeInt8: Int8, schema.TypeInt16: Int16, schema.TypeInt32: Int32, schema.TypeInt64: Int64,
	schema.TypeUint8: Uint8, schema.TypeUint16: Uint16, schema.TypeUint32: Uint32, schema.TypeUint64: Uint64,
	schema.TypeCharBuf: String, schema.TypeByteBuf: Bytes, schema.TypeErrno: Errno,
	schema.TypeFD: FD, schema.TypeFD32: FD, schema.TypePID: PID, schema.TypePID32: PID,
	schema.TypeFSPath: Path, schema.TypeFSRelPath: Path, schema.TypeSyscallID: Uint16,
	schema.TypeSigType: Signal, schema.TypeRelTime: RelTime, schema.TypeAbsTime: AbsTime,
	schema.TypePort: Port, schema.TypeL4Proto: Uint8, schema.TypeSockFamily: Uint8, schema.TypeBool: Bool,
	schema.TypeFlags8: Flags, schema.TypeFlags16: Flags, schema.TypeFlags32: Flags,
	schema.TypeEnumFlags8: Flags, schema.TypeEnumFlags16: Flags, schema.TypeEnumFlags32: Flags,
	schema.TypeMode: Mode, schema.TypeDouble: Double,
	schema.TypeIPv4Addr: IP, schema.TypeIPv6Addr: IP, schema.TypeIPAddr: IP,
}

func rawType(t schema.ParamType) Type {
	if rt, ok := rawTypes[t]; ok {
		return rt
	}
	return Other
}

// kind tells which member of a Value holds a parameter.
type kind uint8

const (
	kindNumber kind = iota
	kindText
	kindAddress
	kindOther
)

func kindOf(p *schema.Param) kind {
	switch p.Type {
	case schema.TypeCharBuf, schema.TypeByteBuf, schema.TypeFSPath, schema.TypeFSRelPath:
		return kindText
	case schema.TypeIPv4Addr, schema.TypeIPv6Addr:
		return kindAddress
	}
	if p.Type.Width() == 0 {
		return kindOther
	}
	return kindNumber
}

// rawParam is what bindRawArg keeps.
type rawParam struct {
	idx  paramIndex
	kind kind
}

// bindRawArg gives the Ref the type that the parameter has in the first event
// that has it. Events in which it is something else altogether have no value.
func bindRawArg(r *Ref) error {
	for i := range schema.Events {
		j := schema.Events[i].Param(r.Arg.Text)
		if j < 0 {
			continue
		}
		p := &schema.Events[i].Params[j]
		r.Type, r.Fmt = rawType(p.Type), p.Fmt
		if r.Type == Other && kindOf(p) == kindNumber && r.Fmt == schema.FormatNA {
			r.Fmt = schema.FormatDec
		}
		if kindOf(p) == kindOther {
			r.Fmt = schema.FormatNA
		}
		r.Arg.Data = &rawParam{indexOf(r.Arg.Text), kindOf(p)}
		return nil
	}
	return fmt.Errorf("unknown event argument %s", r.Arg.Text)
}

func rawArg(s *state.Scene, a *Arg, out []Value) []Value {
	raw := a.Data.(*rawParam)
	i := raw.idx.in(s.Event)
	if i < 0 {
		return out
	}
	p := &s.Event.Info.Params[i]
	b := s.Event.Param(i)
	if b == nil || kindOf(p) != raw.kind {
		return out
	}
	switch raw.kind {
	case kindText:
		if p.Type == schema.TypeByteBuf {
			return text(out, event.View(b))
		}
		t, _ := s.Event.Str(i)
		return text(out, t)
	case kindAddress:
		ip, ok := netip.AddrFromSlice(b)
		if !ok {
			return out
		}
		return append(out, Value{IP: ip})
	case kindOther:
		a.buf = s.Event.AppendRaw(a.buf[:0], i, names{s})
		return text(out, event.View(a.buf))
	}
	if p.Type.Signed() {
		n, _ := s.Event.Int(i)
		return number(out, uint64(n))
	}
	n, _ := s.Event.Uint(i)
	return number(out, n)
}

var dataParam = indexOf("data")

// buffer gives the bytes of the parameter called data.
func buffer(s *state.Scene, _ *Arg, out []Value) []Value {
	i := dataParam.in(s.Event)
	if i < 0 {
		return out
	}
	p := s.Event.Param(i)
	if p == nil {
		return text(out, "")
	}
	return text(out, event.View(p))
}
