// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"

	"github.com/falco-go/falco/pkg/event"
)

const (
	backlogBytes = 64 << 20
	chunkBytes   = 1 << 20
	noteBytes    = 20 // ts u64, cpu u32, flags u32, length of the record and its extensions u32
)

// backlog holds the events that come while /proc is being read: the rings must
// not fill up in that time, and the events make no sense before the processes
// that they are about are known. It is bounded; what does not fit is counted.
type backlog struct {
	chunks [][]byte // notes and records, in order
	at     int      // where the next note begins in chunks[0]
	size   int      // bytes of all chunks
	limit  int
	lost   uint64
}

// push copies ev.
func (b *backlog) push(ev *event.Event) {
	rec, ext := ev.Raw(), ev.Ext()
	need := noteBytes + len(rec) + len(ext)
	last := len(b.chunks) - 1
	if last < 0 || len(b.chunks[last])+need > cap(b.chunks[last]) {
		bytes := max(chunkBytes, need)
		if b.size+bytes > b.limit {
			b.lost++
			return
		}
		b.chunks = append(b.chunks, make([]byte, 0, bytes))
		b.size += bytes
		last++
	}
	c := b.chunks[last]
	c = binary.LittleEndian.AppendUint64(c, ev.TS)
	c = binary.LittleEndian.AppendUint32(c, uint32(ev.CPU))
	c = binary.LittleEndian.AppendUint32(c, uint32(ev.Flags))
	c = binary.LittleEndian.AppendUint32(c, uint32(len(rec)+len(ext)))
	b.chunks[last] = append(append(c, rec...), ext...)
}

// pop makes ev the oldest event; it is a view until the next call. Memory goes
// back chunk by chunk.
func (b *backlog) pop(ev *event.Event) bool {
	for len(b.chunks) > 0 {
		c := b.chunks[0]
		if b.at == len(c) {
			b.chunks[0], b.chunks = nil, b.chunks[1:]
			b.at, b.size = 0, b.size-cap(c)
			continue
		}
		note := c[b.at:]
		end := b.at + noteBytes + int(binary.LittleEndian.Uint32(note[16:]))
		rec := c[b.at+noteBytes : end]
		n, err := ev.Decode(rec)
		b.at = end
		if err != nil {
			continue // cannot be: it was decoded before it came here
		}
		ev.SetExt(rec[n:])
		ev.TS = binary.LittleEndian.Uint64(note)
		ev.CPU = int(binary.LittleEndian.Uint32(note[8:]))
		ev.Flags = event.PrefixFlags(binary.LittleEndian.Uint32(note[12:]))
		return true
	}
	return false
}
