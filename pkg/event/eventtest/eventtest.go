// SPDX-License-Identifier: Apache-2.0

// Package eventtest makes records for tests, as the kernel would write them.
//
//	rec := eventtest.New(schema.OpenatX).Tid(5).TS(1000).
//		Int(3).Int(-100).Str("/etc/passwd").Uint(1).Bytes()
//	ev := eventtest.New(schema.CloseX).Tid(5).Set("res", 0).Set("fd", 3).Event()
//
// Parameters are given in their order, or by name with Set; those that are not
// given are present and empty, which is how an absent value is written. What
// does not fit the schema panics: it is the test that is wrong.
package eventtest

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/schema"
)

// Builder collects the header and the parameters of one record.
type Builder struct {
	info   *schema.Event
	ts     uint64
	tid    uint64
	cpu    int
	next   int // index of the parameter that Int, Str, … fill
	count  int // parameters to write, -1 for all
	values [schema.MaxParams][]byte
}

// New begins a record of type t.
func New(t schema.EventType) *Builder {
	info := t.Info()
	if info == nil {
		panic(fmt.Sprintf("eventtest: no event has the type %d", t))
	}
	return &Builder{info: info, tid: 1, ts: 1, count: -1}
}

// Tid sets the thread, 1 if it is not called.
func (b *Builder) Tid(tid int64) *Builder { b.tid = uint64(tid); return b }

// TS sets the time in ns since the epoch, 1 if it is not called.
func (b *Builder) TS(ns uint64) *Builder { b.ts = ns; return b }

// CPU sets what the decoded event says about its CPU; it is not in the record.
func (b *Builder) CPU(cpu int) *Builder { b.cpu = cpu; return b }

// Int gives the next parameter a signed number of the schema's width.
func (b *Builder) Int(v int64) *Builder { return b.Uint(uint64(v)) }

// Uint gives the next parameter an unsigned number of the schema's width.
func (b *Builder) Uint(v uint64) *Builder {
	w := b.param().Type.Width()
	switch w {
	case 1, 2, 4, 8:
		return b.put(binary.LittleEndian.AppendUint64(nil, v)[:w])
	}
	panic(fmt.Sprintf("eventtest: %s.%s is a %s, no number", b.info.ID, b.param().Name, b.param().Type))
}

// Str gives the next parameter a text, which is written with a NUL behind it.
func (b *Builder) Str(s string) *Builder { return b.Raw(append([]byte(s), 0)) }

// Strs gives the next parameter several texts, each with a NUL behind it.
func (b *Builder) Strs(s ...string) *Builder {
	if len(s) == 0 {
		return b.Skip()
	}
	return b.Raw([]byte(strings.Join(s, "\x00") + "\x00"))
}

// Raw gives the next parameter bytes as they are.
func (b *Builder) Raw(p []byte) *Builder {
	if w := b.param().Type.Width(); w != 0 && len(p) != 0 && len(p) != w {
		panic(fmt.Sprintf("eventtest: %s.%s takes %d bytes, not %d", b.info.ID, b.param().Name, w, len(p)))
	}
	return b.put(p)
}

// Skip leaves the next parameter absent.
func (b *Builder) Skip() *Builder { return b.put(nil) }

// Addr gives the next parameter an internet socket address.
func (b *Builder) Addr(addr netip.AddrPort) *Builder { return b.Raw(Addr(addr)) }

// Unix gives the next parameter the address of a unix socket.
func (b *Builder) Unix(path string) *Builder { return b.Raw(append([]byte{1}, path+"\x00"...)) }

// Tuple gives the next parameter the two ends of an internet socket.
func (b *Builder) Tuple(src, dst netip.AddrPort) *Builder { return b.Raw(Tuple(src, dst)) }

// UnixTuple gives the next parameter the two ends of a unix socket.
func (b *Builder) UnixTuple(first, second uint64, path string) *Builder {
	return b.Raw(UnixTuple(first, second, path))
}

// Set gives the parameter called name a value: a number, a string, strings, bytes
// or an address. Parameters given in order are counted on from there.
func (b *Builder) Set(name string, v any) *Builder {
	i := b.info.Param(name)
	if i < 0 {
		panic(fmt.Sprintf("eventtest: %s has no parameter %q", b.info.ID, name))
	}
	b.next = i
	switch v := v.(type) {
	case int:
		return b.Int(int64(v))
	case int64:
		return b.Int(v)
	case uint32:
		return b.Uint(uint64(v))
	case uint64:
		return b.Uint(v)
	case string:
		return b.Str(v)
	case []string:
		return b.Strs(v...)
	case []byte:
		return b.Raw(v)
	case netip.AddrPort:
		return b.Addr(v)
	}
	panic(fmt.Sprintf("eventtest: %s.%s cannot be a %T", b.info.ID, name, v))
}

// Params makes the record end after n parameters, as an older producer's does.
func (b *Builder) Params(n int) *Builder { b.count = n; return b }

// Bytes returns the record.
func (b *Builder) Bytes() []byte {
	n := len(b.info.Params)
	if b.count >= 0 {
		n = b.count
	}
	rec := make([]byte, schema.HeaderSize)
	for _, v := range b.values[:n] {
		if b.info.Flags&schema.LargePayload != 0 {
			rec = binary.LittleEndian.AppendUint32(rec, uint32(len(v)))
		} else {
			rec = binary.LittleEndian.AppendUint16(rec, uint16(len(v)))
		}
	}
	for _, v := range b.values[:n] {
		rec = append(rec, v...)
	}
	binary.LittleEndian.PutUint64(rec, b.ts)
	binary.LittleEndian.PutUint64(rec[8:], b.tid)
	binary.LittleEndian.PutUint32(rec[16:], uint32(len(rec)))
	binary.LittleEndian.PutUint16(rec[20:], uint16(b.info.Type))
	binary.LittleEndian.PutUint32(rec[22:], uint32(n))
	return rec
}

// Event returns the record decoded.
func (b *Builder) Event() *event.Event {
	ev := new(event.Event)
	if _, err := ev.Decode(b.Bytes()); err != nil {
		panic("eventtest: " + err.Error())
	}
	ev.CPU = b.cpu
	return ev
}

// Addr returns an internet socket address as a parameter holds it.
func Addr(a netip.AddrPort) []byte {
	return appendEnd([]byte{family(a.Addr())}, a)
}

// Tuple returns the two ends of an internet socket as a parameter holds them.
func Tuple(src, dst netip.AddrPort) []byte {
	return appendEnd(appendEnd([]byte{family(src.Addr())}, src), dst)
}

// UnixTuple returns the two ends of a unix socket as a parameter holds them.
func UnixTuple(first, second uint64, path string) []byte {
	p := binary.LittleEndian.AppendUint64([]byte{1}, first)
	p = binary.LittleEndian.AppendUint64(p, second)
	return append(p, path+"\x00"...)
}

func family(a netip.Addr) byte {
	if a.Is4() {
		return 2
	}
	return 10
}

func appendEnd(p []byte, a netip.AddrPort) []byte {
	return binary.LittleEndian.AppendUint16(append(p, a.Addr().AsSlice()...), a.Port())
}

func (b *Builder) param() *schema.Param {
	if b.next >= len(b.info.Params) {
		panic(fmt.Sprintf("eventtest: %s has only %d parameters", b.info.ID, len(b.info.Params)))
	}
	return &b.info.Params[b.next]
}

func (b *Builder) put(p []byte) *Builder {
	b.param() // panics beyond the last
	b.values[b.next] = p
	b.next++
	return b
}
