// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"github.com/falco-go/falco/pkg/schema"
)

// Captures written by hand, byte by byte: the tests of the reader do not trust
// the writer.

var le = binary.LittleEndian

// bin writes integers as they are, texts with their length in front, and bytes.
func bin(v ...any) (b []byte) {
	for _, x := range v {
		switch x := x.(type) {
		case string:
			b = le.AppendUint16(b, uint16(len(x)))
			b = append(b, x...)
		case []byte:
			b = append(b, x...)
		default:
			b, _ = binary.Append(b, le, x)
		}
	}
	return b
}

// block frames a body.
func block(typ BlockType, body ...any) []byte {
	b := bin(body...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	n := uint32(len(b) + 12)
	return bin(uint32(typ), n, b, n)
}

// entry puts the length of an entry in front of it.
func entry(countsItself bool, fields ...any) []byte {
	b := bin(fields...)
	n := uint32(len(b))
	if countsItself {
		n += 4
	}
	return bin(n, b)
}

func section() []byte {
	return block(BlockSection, uint32(sectionMagic), uint16(1), uint16(2), ^uint64(0))
}

// event writes an event with 16-bit lengths.
func rawEvent(ts uint64, tid int64, typ schema.EventType, params ...[]byte) []byte {
	var lens, vals []byte
	for _, p := range params {
		if typ.Info() != nil && typ.Info().Flags&schema.LargePayload != 0 {
			lens = le.AppendUint32(lens, uint32(len(p)))
		} else {
			lens = le.AppendUint16(lens, uint16(len(p)))
		}
		vals = append(vals, p...)
	}
	size := uint32(schema.HeaderSize + len(lens) + len(vals))
	return bin(ts, tid, size, uint16(typ), uint32(len(params)), lens, vals)
}

// eventV1 is the layout of before 2018: the number of parameters is not told.
func eventV1(ts uint64, tid int64, typ schema.EventType, params ...[]byte) []byte {
	b := rawEvent(ts, tid, typ, params...)
	le.PutUint32(b[16:], uint32(len(b)-4))
	return append(b[:22:22], b[26:]...)
}

func evBlock(cpu int, ev []byte) []byte { return block(BlockEvent, uint16(cpu), ev) }

func i64(v int64) []byte  { return bin(v) }
func u32(v uint32) []byte { return bin(v) }
func u8(v uint8) []byte   { return []byte{v} }
func text(s string) []byte {
	return append([]byte(s), 0)
}

// closeX is an event of today.
func closeX(ts uint64) []byte { return rawEvent(ts, 7, schema.CloseX, i64(0), i64(3)) }

func file(blocks ...[]byte) []byte { return bytes.Join(blocks, nil) }

// seen is what a reader told.
type seen struct {
	Machines   []Machine
	Interfaces []Interface
	Users      []User
	Groups     []Group
	Procs      []Proc
	FDs        []FD
	Begins     int
	Ends       int
	Events     []Record
	Stats      Stats
}

func (s *seen) Begin()                 { s.Begins++ }
func (s *seen) Machine(m *Machine)     { s.Machines = append(s.Machines, *m) }
func (s *seen) Interface(i *Interface) { s.Interfaces = append(s.Interfaces, *i) }
func (s *seen) User(u *User)           { s.Users = append(s.Users, *u) }
func (s *seen) Group(g *Group)         { s.Groups = append(s.Groups, *g) }
func (s *seen) Proc(p *Proc)           { s.Procs = append(s.Procs, *p) }
func (s *seen) FD(f *FD)               { s.FDs = append(s.FDs, *f) }
func (s *seen) End()                   { s.Ends++ }

// read reads all of a capture. The error is nil for one that ends as it should.
func read(t testing.TB, data []byte) (*seen, error) {
	t.Helper()
	return readFrom(t, bytes.NewReader(data))
}

func readFrom(t testing.TB, from io.Reader) (*seen, error) {
	t.Helper()
	return collect(t, func() (*Reader, error) { return NewReader(from) }, func() { t.Error("a reader did not wait") })
}

// collect keeps all that the reader tells that open makes; wait waits where that does not.
func collect(t testing.TB, open func() (*Reader, error), wait func()) (*seen, error) {
	t.Helper()
	s := &seen{}
	r, err := open()
	if err != nil {
		return s, err
	}
	defer r.Close()
	err = r.Seed(s)
	for err == nil {
		var rec *Record
		if rec, err = r.Next(); err == nil {
			rec.Event, rec.Options = bytes.Clone(rec.Event), bytes.Clone(rec.Options)
			s.Events = append(s.Events, *rec)
		} else if err == ErrWait {
			wait()
			err = nil
		}
	}
	s.Stats = r.Stats()
	s.Stats.Ahead, s.Stats.Waits = 0, 0 // depend on who is faster
	if _, again := r.Next(); !errors.Is(again, err) {
		t.Errorf("after %v comes %v", err, again)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return s, err
}

// mustRead is read for captures that are as they should be.
func mustRead(t testing.TB, blocks ...[]byte) *seen {
	t.Helper()
	s, err := read(t, file(blocks...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// values takes an event apart.
func values(t testing.TB, ev []byte) (schema.EventType, [][]byte) {
	t.Helper()
	var p parsed
	typ := schema.EventType(le.Uint16(ev[20:]))
	if !p.parse(ev, typ) {
		t.Fatalf("an event that does not add up: %x", ev)
	}
	return typ, p.val[:p.n]
}
