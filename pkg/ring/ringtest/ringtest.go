// SPDX-License-Identifier: Apache-2.0

// Package ringtest plays the kernel's end of a ring, for tests.
package ringtest

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"

	"github.com/falco-go/falco/pkg/schema"
)

// Producer fills the memory that a ring.Ring reads, by the protocol of
// driver/uapi/falco.h.
type Producer struct {
	Control []byte // one page
	Data    []byte // the ring twice back to back

	size uint64
	seq  uint64
	lost schema.ABIGap
}

// New returns a producer for a ring of size bytes, a power of two.
func New(size int) *Producer {
	page := make([]uint64, 4096/8) // aligned
	return &Producer{
		Control: unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(page))), 4096),
		Data:    make([]byte, 2*size),
		size:    uint64(size),
	}
}

func (p *Producer) control() *schema.ABIRingControl {
	return (*schema.ABIRingControl)(unsafe.Pointer(unsafe.SliceData(p.Control)))
}

// Event publishes one event of length bytes after its time; the rest of the
// record is zero. It reports false, and remembers the loss, if there is no room.
func (p *Producer) Event(ts uint64, length int) bool {
	rec := make([]byte, max(length, 8))
	binary.LittleEndian.PutUint64(rec, ts)
	return p.Record(rec, 0)
}

// Record publishes rec, an event, with flags in its prefix.
func (p *Producer) Record(rec []byte, flags uint32) bool {
	ts := binary.LittleEndian.Uint64(rec)
	if p.lost.Lost[schema.ABILostFull] > 0 {
		gap := make([]byte, 0, schema.ABIGapBytes)
		for _, v := range []uint64{p.lost.FromSeq, p.lost.ToSeq, p.lost.FirstNs, p.lost.LastNs} {
			gap = binary.LittleEndian.AppendUint64(gap, v)
		}
		for _, v := range p.lost.Lost {
			gap = binary.LittleEndian.AppendUint64(gap, v)
		}
		if p.put(gap, schema.ABIRecGap, p.lost.ToSeq) {
			p.lost = schema.ABIGap{}
		}
	}
	seq := p.seq
	p.seq++
	if p.lost.Lost[schema.ABILostFull] > 0 || !p.put(rec, flags, seq) {
		if p.lost.Lost[schema.ABILostFull] == 0 {
			p.lost.FromSeq, p.lost.FirstNs = seq, ts
		}
		p.lost.ToSeq, p.lost.LastNs = seq, ts
		p.lost.Lost[schema.ABILostFull]++
		return false
	}
	return true
}

func (p *Producer) put(rec []byte, flags uint32, seq uint64) bool {
	length := (schema.ABIRecordPrefixBytes + uint64(len(rec)) + 7) &^ 7
	pos := p.control().ProducerPos
	if pos+length-atomic.LoadUint64(&p.control().ConsumerPos) > p.size {
		return false
	}
	var prefix [schema.ABIRecordPrefixBytes]byte
	binary.LittleEndian.PutUint32(prefix[:], uint32(length))
	binary.LittleEndian.PutUint32(prefix[4:], flags)
	binary.LittleEndian.PutUint64(prefix[8:], seq)
	p.write(pos, prefix[:])
	p.write(pos+uint64(len(prefix)), rec)
	p.write(pos+uint64(len(prefix)+len(rec)), padding[:length-uint64(len(prefix)+len(rec))])
	atomic.StoreUint64(&p.control().ProducerPos, pos+length)
	return true
}

var padding [8]byte

// write puts b at a position, in both mappings of the same memory.
func (p *Producer) write(pos uint64, b []byte) {
	at := pos % p.size
	n := copy(p.Data[at:], b) // the ring goes on in its second mapping
	if over := at + uint64(n); over > p.size {
		copy(p.Data, p.Data[p.size:over])
		copy(p.Data[at+p.size:], b)
		return
	}
	copy(p.Data[at+p.size:], b)
}

// WantsWakeup reports whether the reader is about to sleep.
func (p *Producer) WantsWakeup() bool { return atomic.LoadUint32(&p.control().NeedWakeup) != 0 }

// Freed returns how far the reader has given memory back.
func (p *Producer) Freed() uint64 { return atomic.LoadUint64(&p.control().ConsumerPos) }
