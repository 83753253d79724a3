// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"encoding/binary"

	"github.com/falco-go/falco/pkg/schema"
)

// How events are told to readers of early 2022 (legacy.tbl says what).
//
// They take the descriptor of a read from its enter event, so each exit gets
// one; they know fewer events, so newer ones are written as what they were then,
// or as the generic event of their system call; they print a value that is not
// there as bytes of the next one, so there is a value everywhere.

// maxLegacyTexts is what they take of arguments, environment and cgroups.
const maxLegacyTexts = 4096

// legacyEnters are the events that are made here: those that come along are
// left out.
var legacyEnters = func() (t [schema.NumEvents]bool) {
	for i := range schema.Legacies {
		if l := &schema.Legacies[i]; l.Known && l.Enter < schema.NumEvents {
			t[l.Enter] = true
			if e := schema.EventType(i) - 1; i%2 == 1 { // of the event itself, if another one is written
				t[e] = true
			}
		}
	}
	return t
}()

// callOf tells the system call of an exit event.
var callOf = func() (t [schema.NumEvents]*schema.Syscall) {
	for i := range schema.Syscalls {
		if s := &schema.Syscalls[i]; s.Name != "" && t[s.Exit] == nil {
			t[s.Exit] = s
		}
	}
	return t
}()

// params finds the parameters of an event that is whole.
type params struct {
	info *schema.Event
	n    int
	off  [schema.MaxParams + 1]uint32
	rec  []byte
}

func (p *params) parse(rec []byte) bool {
	p.info = schema.EventType(binary.LittleEndian.Uint16(rec[20:])).Info()
	n := binary.LittleEndian.Uint32(rec[22:])
	if p.info == nil || n > uint32(len(p.info.Params)) {
		return false
	}
	width := uint32(2)
	if p.info.Flags&schema.LargePayload != 0 {
		width = 4
	}
	pos, size := schema.HeaderSize+n*width, uint32(len(rec))
	if pos > size {
		return false
	}
	for i := range n {
		p.off[i] = pos
		l := uint32(binary.LittleEndian.Uint16(rec[schema.HeaderSize+width*i:]))
		if width == 4 {
			l = binary.LittleEndian.Uint32(rec[schema.HeaderSize+width*i:])
		}
		if l > size-pos {
			return false
		}
		pos += l
	}
	p.off[n] = pos
	p.n, p.rec = int(n), rec
	return true
}

func (p *params) get(i int) []byte {
	if uint(i) >= uint(p.n) {
		return nil
	}
	return p.rec[p.off[i]:p.off[i+1]]
}

func (w *Writer) legacyEvent(ts uint64, cpu int, flags RecordFlags, event []byte) error {
	var p params
	if !p.parse(event) {
		w.stats.Unknown++
		return w.err
	}
	typ := p.info.Type
	if legacyEnters[typ] {
		return w.err
	}
	if id := p.get(0); typ == schema.GenericX && len(id) == 2 {
		w.generic(ts, cpu, flags, event, schema.SyscallCode(binary.LittleEndian.Uint16(id)))
		return w.err
	}
	switch l := &schema.Legacies[typ]; {
	case l.Known:
		child := false // a child's own end of a clone has no beginning
		if r := p.get(0); len(r) == 8 && p.info.Params[0].Type == schema.TypePID {
			child = binary.LittleEndian.Uint64(r) == 0
		}
		if l.Enter < schema.NumEvents && !child {
			w.rewrite(ts, cpu, flags, l.Enter, len(l.Enter.Info().Params), l.From, &p)
			w.stats.Events--
		}
		w.rewrite(ts, cpu, flags, l.As, l.Keep, nil, &p)
	case typ < schema.LegacyEvents:
		w.rewrite(ts, cpu, flags, typ, p.n, nil, &p)
	default:
		call := callOf[typ]
		if call == nil {
			w.stats.Unknown++
			return w.err
		}
		w.generic(ts, cpu, flags, event, call.Code)
	}
	return w.err
}

// rewrite writes the first n parameters of an event of type t, filled from those
// of p that from tells; a nil from means the first ones.
func (w *Writer) rewrite(ts uint64, cpu int, flags RecordFlags, t schema.EventType, n int, from []int8, p *params) {
	info := t.Info()
	width := 2
	if info.Flags&schema.LargePayload != 0 {
		width = 4
	}
	b := append(w.scratch[:0], p.rec[:schema.HeaderSize]...)
	b = append(b, make([]byte, n*width)...)
	enter := from != nil || t.IsEnter() && t != p.info.Type
	for i := range n {
		k := i
		if enter {
			if k = -1; i < len(from) {
				k = int(from[i])
			}
		}
		at := len(b)
		var src *schema.Param
		if k >= 0 {
			src = &p.info.Params[k]
		}
		v := p.get(k)
		if t == schema.ConnectE && i == 1 && len(v) == 0 {
			v = peer(p.get(1))
		}
		b = appendLegacy(b, &info.Params[i], src, v)
		if l := len(b) - at; width == 4 {
			binary.LittleEndian.PutUint32(b[schema.HeaderSize+4*i:], uint32(l))
		} else {
			binary.LittleEndian.PutUint16(b[schema.HeaderSize+2*i:], uint16(l))
		}
	}
	binary.LittleEndian.PutUint32(b[16:], uint32(len(b)))
	binary.LittleEndian.PutUint16(b[20:], uint16(t))
	binary.LittleEndian.PutUint32(b[22:], uint32(n))
	w.scratch = b
	w.event(ts, cpu, flags, b, nil)
}

// peer returns the address at the far end of a tuple; captures of their time had
// no other in the exit of a connect.
func peer(tuple []byte) []byte {
	switch {
	case len(tuple) == 13: // family, IPv4 address and port, twice
		return append(tuple[:1:1], tuple[7:]...)
	case len(tuple) == 37: // the same for IPv6
		return append(tuple[:1:1], tuple[19:]...)
	case len(tuple) > 17: // family, two pointers, a path
		return append(tuple[:1:1], tuple[17:]...)
	}
	return nil
}

// generic writes the event of a system call that has none of its own. The names
// of newer ones they look up where there are none, and crash: those become the
// call that nobody knows.
func (w *Writer) generic(ts uint64, cpu int, flags RecordFlags, event []byte, c schema.SyscallCode) {
	if c >= schema.LegacyCalls {
		c = schema.ScUnknown
	}
	b := append(w.scratch[:0], event[:schema.HeaderSize]...)
	b = binary.LittleEndian.AppendUint16(b, 2)
	b = binary.LittleEndian.AppendUint16(b, uint16(c))
	binary.LittleEndian.PutUint32(b[16:], uint32(len(b)))
	binary.LittleEndian.PutUint16(b[20:], uint16(schema.GenericX))
	binary.LittleEndian.PutUint32(b[22:], 1)
	w.scratch = b
	w.event(ts, cpu, flags, b, nil)
}

// appendLegacy appends v, which is a from, as a to; from is nil and v empty if
// nobody knows it.
func appendLegacy(b []byte, to, from *schema.Param, v []byte) []byte {
	width := to.Type.Width()
	switch {
	case len(v) == 0:
		return appendAbsent(b, to)
	case width == 0 && to.Type == schema.TypeDyn && from.Type != schema.TypeDyn:
		kind := byte(0) // what there is
		if int8(v[len(v)-1]) < 0 {
			kind = 1 // an error
		}
		return append(append(b, kind), v...)
	case width == 0:
		switch to.Name {
		case "args", "env", "cgroups":
			v = v[:min(len(v), maxLegacyTexts)]
		}
		return append(b, v...)
	case len(v) >= width:
		return append(b, v[:width]...)
	}
	fill := byte(0)
	if from.Type.Signed() && int8(v[len(v)-1]) < 0 {
		fill = 0xff
	}
	b = append(b, v...)
	for range width - len(v) {
		b = append(b, fill)
	}
	return b
}

// appendAbsent appends what stands for a value that is not there.
func appendAbsent(b []byte, p *schema.Param) []byte {
	width, fill := p.Type.Width(), byte(0)
	switch p.Type {
	case schema.TypeFD, schema.TypeFD32, schema.TypeUID, schema.TypeGID:
		fill = 0xff
	case schema.TypeCharBuf, schema.TypeFSPath, schema.TypeFSRelPath:
		return append(b, "<NA>\x00"...)
	case schema.TypeDyn:
		width = 1
		if p.Dyn != nil && len(p.Dyn.Members) > 0 {
			width += p.Dyn.Members[0].Type.Width()
		}
	}
	for range width {
		b = append(b, fill)
	}
	return b
}
