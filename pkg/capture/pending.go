// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"encoding/binary"

	"github.com/falco-go/falco/pkg/schema"
)

// Bounds of what waits for exit events.
const (
	maxPending      = 1 << 14 // threads
	maxPendingBytes = 1 << 24 // of their events together
	maxEnter        = 1 << 14 // of one event: no argument is that long
)

// pending keeps the last enter event of each thread until the exit event comes.
// Its memory is bounded, and used again: when there is no room, the slots are
// gone through in turn for one to be emptied.
type pending struct {
	byTid   map[int64]int32
	slots   []slot
	hand    int // slot that is looked at next when room is needed
	bytes   int // capacity of all slots
	evicted uint64
	found   parsed
}

type slot struct {
	tid int64
	ev  []byte // empty: nothing waits here
}

func (p *pending) init() { p.byTid = make(map[int64]int32) }

func (p *pending) clear() {
	clear(p.byTid)
	p.slots, p.hand, p.bytes = nil, 0, 0
}

// store keeps a copy of ev, an event of today in layout, for its thread.
func (p *pending) store(ev []byte) {
	tid := int64(binary.LittleEndian.Uint64(ev[8:]))
	i, known := p.byTid[tid]
	if len(ev) > maxEnter {
		if known {
			p.slots[i].ev = p.slots[i].ev[:0] // what it holds is no longer true
		}
		p.evicted++
		return
	}
	if !known {
		i = p.room()
		p.slots[i].tid = tid
		p.byTid[tid] = i
	}
	s := &p.slots[i]
	before := cap(s.ev)
	s.ev = append(s.ev[:0], ev...)
	p.bytes += cap(s.ev) - before
	for p.bytes > maxPendingBytes {
		p.evict(i)
	}
}

// room returns a slot that belongs to nobody.
func (p *pending) room() int32 {
	if len(p.slots) < maxPending {
		p.slots = append(p.slots, slot{})
		return int32(len(p.slots) - 1)
	}
	// A thread whose slot is empty loses nothing: look for one a while.
	for range 64 {
		if len(p.slots[p.hand].ev) == 0 {
			break
		}
		p.hand = (p.hand + 1) % len(p.slots)
	}
	i := p.hand
	p.hand = (p.hand + 1) % len(p.slots)
	s := &p.slots[i]
	if len(s.ev) > 0 {
		p.evicted++
	}
	delete(p.byTid, s.tid)
	s.ev = s.ev[:0]
	return int32(i)
}

// evict gives back the memory of the next slot, unless it is keep.
func (p *pending) evict(keep int32) {
	i := p.hand
	p.hand = (p.hand + 1) % len(p.slots)
	if int32(i) == keep {
		return
	}
	s := &p.slots[i]
	if len(s.ev) > 0 {
		p.evicted++
	}
	p.bytes -= cap(s.ev)
	s.ev = nil
}

// take returns what the enter event typ of thread tid told, without parameters if
// none waits. It is used once. What is returned lives until the next store.
func (p *pending) take(tid int64, typ schema.EventType) *parsed {
	p.found.n = 0
	i, ok := p.byTid[tid]
	if !ok {
		return &p.found
	}
	s := &p.slots[i]
	if len(s.ev) == 0 || schema.EventType(binary.LittleEndian.Uint16(s.ev[20:])) != typ {
		return &p.found
	}
	if !p.found.parse(s.ev, typ) {
		p.found.n = 0
	}
	s.ev = s.ev[:0]
	return &p.found
}
