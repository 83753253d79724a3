// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"encoding/binary"

	"github.com/falco-go/falco/pkg/schema"
)

// converter makes events of today from those that a capture holds.
//
// Old recordings tell of a system call twice: the enter event has the arguments,
// the exit event the result. Enter events are kept by thread (pending.go) and
// end there; the exit event takes what it needs of them. Which event becomes
// which is data (schema.Conversions); nothing here knows a particular one.
//
// Parameters are collected as views and written once, when no conversion fits
// any more. An event of today passes untouched, after one look at a table.
type converter struct {
	pending pending
	ev      parsed
	next    [schema.MaxParams][]byte
	pad     []byte // values that had to be widened
	out     []byte // the event that was made
	json    []byte
}

// verdict says what becomes of an event.
type verdict uint8

const (
	deliver    verdict = iota
	dropEnter          // an enter event: its exit event tells it all
	dropUnused         // means nothing any more
	malformed          // its lengths do not add up
	stranded           // of an old layout, and no conversion fits
)

// fate is what a type of event can expect.
type fate uint8

const (
	fatePass fate = iota // of today, whatever its parameters
	fateUnused
	fateOldEnter // dropped at once
	fateEnter    // the table says
	fateExit     // converted as long as the table says so
)

// fates tells, by type, what can happen to an event; rows, where its conversions
// are: rows[t].at[n] is one more than the index of the one for n parameters.
var fates, rows = makeFates()

// asIs tells, by type, with how many parameters an event is one of today and passes
// untouched; never is a number that none can say.
var asIs = makeAsIs()

const never = 1 << 32

func makeAsIs() (n [schema.NumEvents]uint64) {
	for t := range n {
		info := schema.EventType(t).Info()
		if n[t] = never; fates[t] == fatePass || fates[t] == fateExit && info.Flags&schema.OldVersion == 0 {
			n[t] = uint64(len(info.Params))
		}
	}
	return n
}

type row struct {
	at [schema.MaxParams + 1]uint16
}

func makeFates() (f [schema.NumEvents]fate, r [schema.NumEvents]*row) {
	for t := range f {
		info := schema.EventType(t).Info()
		enter, old := schema.EventType(t).IsEnter(), info.Flags&schema.OldVersion != 0
		switch {
		case info.Flags&schema.Unused != 0:
			f[t] = fateUnused
		case info.Flags&schema.ConverterManaged == 0:
			if old && enter {
				f[t] = fateOldEnter
			}
		case enter:
			f[t] = fateEnter
		default:
			f[t] = fateExit
		}
	}
	for i, c := range schema.Conversions {
		if r[c.Type] == nil {
			r[c.Type] = new(row)
		}
		r[c.Type].at[c.Params] = uint16(i + 1)
	}
	return f, r
}

// maxSteps bounds how often one event is converted.
const maxSteps = 50

func (c *converter) init() {
	c.pad = make([]byte, 0, 4096)
	c.out = make([]byte, 0, MaxEventBlock)
	c.pending.init()
}

// convert returns what becomes of ev, whose header is whole and of a known type.
// The result is ev itself, or a view that lives until the next call.
func (c *converter) convert(ev []byte) ([]byte, verdict) {
	typ := schema.EventType(binary.LittleEndian.Uint16(ev[20:]))
	n := binary.LittleEndian.Uint32(ev[22:])
	if uint64(n) == asIs[typ] {
		return ev, deliver
	}
	switch fates[typ] {
	case fatePass:
		if uint64(n) < uint64(len(schema.Events[typ].Params)) {
			return ev, deliver
		}
	case fateUnused:
		return nil, dropUnused
	case fateOldEnter:
		return nil, dropEnter
	}
	if !c.ev.parse(ev, typ) {
		return nil, malformed
	}
	c.pad = c.pad[:0]
	if fates[typ] == fatePass {
		return c.write(ev) // of a newer schema: what we know comes first
	}
	return c.steps(ev)
}

// steps converts c.ev until the table has nothing more to say.
func (c *converter) steps(ev []byte) ([]byte, verdict) {
	for step := 0; ; step++ {
		typ := c.ev.typ
		old := schema.Events[typ].Flags&schema.OldVersion != 0
		conv := lookup(typ, c.ev.n)
		if conv == nil || step == maxSteps {
			switch {
			case typ.IsEnter() && schema.Events[typ].Class == schema.ClassSyscall:
				return nil, dropEnter
			case old:
				return nil, stranded
			}
			c.nameGeneric()
			return c.write(ev)
		}
		switch conv.Action {
		case schema.ConvertStore:
			if b, v := c.write(ev); v != deliver {
				return nil, v
			} else {
				c.pending.store(b)
			}
			return nil, dropEnter
		case schema.ConvertStorePass:
			c.blankUnread()
			b, v := c.write(ev)
			if v == deliver {
				c.pending.store(b)
			}
			return b, v
		case schema.ConvertPass:
			c.blankUnread()
			return c.write(ev)
		case schema.ConvertAdd, schema.ConvertTo:
			c.step(conv, int64(binary.LittleEndian.Uint64(ev[8:])))
		}
	}
}

// unread is what modules of before 2022 wrote for a text that they could not read:
// at the entry of a call its page is often not there yet.
const unread = "(NULL)\x00"

// blankUnread makes such texts what they are: absent.
func (c *converter) blankUnread() {
	for i, v := range c.ev.val[:c.ev.n] {
		if string(v) == unread {
			c.ev.val[i] = nil
		}
	}
}

func lookup(typ schema.EventType, n int) *schema.Conversion {
	if rows[typ] == nil || rows[typ].at[n] == 0 {
		return nil
	}
	return &schema.Conversions[rows[typ].at[n]-1]
}

// step does conv to c.ev.
func (c *converter) step(conv *schema.Conversion, tid int64) {
	to := &schema.Events[conv.To]
	n := 0
	if conv.Action == schema.ConvertAdd {
		n = copy(c.next[:], c.ev.val[:c.ev.n])
	}
	var enter *parsed // looked for when first asked for
	for _, a := range conv.Args {
		typ := to.Params[n].Type
		var v []byte
		switch a.From {
		case schema.FromOld:
			v = c.ev.val[a.Index]
		case schema.FromEnter, schema.FromEnterOrEmpty:
			if enter == nil {
				enter = c.pending.take(tid, conv.Type-1)
			}
			if a.Index < enter.n {
				v = enter.val[a.Index]
			} else if a.From == schema.FromEnter {
				v = fallback(typ)
			}
		case schema.FromDefault:
			v = fallback(typ)
		case schema.FromContainer:
			c.json = appendContainer(c.json[:0], c.ev.val[:c.ev.n])
			v = c.json
		case schema.FromEmpty:
		}
		c.next[n] = c.fit(v, typ.Width())
		n++
	}
	c.ev.typ, c.ev.n = conv.To, n
	copy(c.ev.val[:], c.next[:n])
}

// Values that fill what an old event does not tell.
var (
	allZero [16]byte
	allOnes = [4]byte{0xff, 0xff, 0xff, 0xff}
)

// fallback returns the default of a parameter.
func fallback(t schema.ParamType) []byte {
	if t == schema.TypeUID || t == schema.TypeGID {
		return allOnes[:]
	}
	return allZero[:t.Width()]
}

// fit makes a number as wide as its new type: cut, or filled with zeros.
func (c *converter) fit(v []byte, width int) []byte {
	if width == 0 || len(v) == 0 || len(v) == width {
		return v
	}
	if len(v) > width {
		return v[:width]
	}
	at := len(c.pad)
	c.pad = append(c.pad, v...)
	c.pad = append(c.pad, allZero[:width-len(v)]...)
	return c.pad[at:]
}

// write makes an event of c.ev, with time and thread of ev.
func (c *converter) write(ev []byte) ([]byte, verdict) {
	info := &schema.Events[c.ev.typ]
	wide := info.Flags&schema.LargePayload != 0
	size := schema.HeaderSize + 2*c.ev.n
	limit := MaxEventBlock
	if wide {
		size, limit = size+2*c.ev.n, MaxLargeBlock
	}
	for i, v := range c.ev.val[:c.ev.n] {
		c.ev.val[i] = c.fit(v, info.Params[i].Type.Width())
		size += len(c.ev.val[i])
	}
	if size > limit {
		return nil, stranded
	}
	out := append(c.out[:0], ev[:16]...)
	out = binary.LittleEndian.AppendUint32(out, uint32(size))
	out = binary.LittleEndian.AppendUint16(out, uint16(c.ev.typ))
	out = binary.LittleEndian.AppendUint32(out, uint32(c.ev.n))
	for _, v := range c.ev.val[:c.ev.n] {
		if wide {
			out = binary.LittleEndian.AppendUint32(out, uint32(len(v)))
		} else {
			out = binary.LittleEndian.AppendUint16(out, uint16(len(v)))
		}
	}
	for _, v := range c.ev.val[:c.ev.n] {
		out = append(out, v...)
	}
	c.out = out
	return out, deliver
}

// parsed is an event taken apart: views of its values.
type parsed struct {
	typ schema.EventType
	n   int
	val [schema.MaxParams][]byte
}

// parse takes ev apart; false if its lengths do not add up. Parameters that our
// schema does not have are left out.
func (p *parsed) parse(ev []byte, typ schema.EventType) bool {
	n := int(binary.LittleEndian.Uint32(ev[22:]))
	info := &schema.Events[typ]
	width := 2
	if info.Flags&schema.LargePayload != 0 {
		width = 4
	}
	if n < 0 || n > (len(ev)-schema.HeaderSize)/width {
		return false
	}
	pos := schema.HeaderSize + n*width
	p.typ, p.n = typ, min(n, len(info.Params))
	for i := range n {
		var l int
		if width == 2 {
			l = int(binary.LittleEndian.Uint16(ev[schema.HeaderSize+2*i:]))
		} else {
			l = int(binary.LittleEndian.Uint32(ev[schema.HeaderSize+4*i:]))
		}
		if l > len(ev)-pos {
			return false
		}
		if i < p.n {
			p.val[i] = ev[pos : pos+l]
		}
		pos += l
	}
	return pos == len(ev)
}
