// SPDX-License-Identifier: Apache-2.0

// Package ring reads the memory that one CPU fills: two byte slices, a
// position each way, and no system call, so that a test can play the kernel.
//
// The kernel publishes records by moving the producer position; we give their
// memory back by moving the consumer position. Refill looks once how far the
// kernel has come, Peek and Next walk the records up to there, Release hands
// the memory behind us back. A Frame is a view of that memory: it lives until
// the Release that follows its Next.
//
//	      consumer_pos            pos                 head = producer_pos as Refill saw it
//	           │ walked, not released │ to be walked       │ maybe more, unseen
//	───────────┼──────────────────────┼────────────────────┼──────────►
//	free       │◄──────────── the kernel keeps off ───────►│ the kernel writes
//
// Positions are bytes since the start and never wrap; the data is mapped twice
// back to back, so that a record that runs over the end is contiguous.
package ring

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"github.com/falco-go/falco/pkg/schema"
)

// ErrCorrupt says that the memory does not hold what the protocol promises.
// Nothing more can be read from this ring.
var ErrCorrupt = errors.New("corrupt ring")

// Flags of a Frame (abi.tbl).
const (
	Discard   = schema.ABIRecDiscard
	Gap       = schema.ABIRecGap
	Fault     = schema.ABIRecFault
	Truncated = schema.ABIRecTruncated
	Nested    = schema.ABIRecNested
	Compat    = schema.ABIRecCompat
	Ext       = schema.ABIRecExt
)

// Frame is one record. If Flags has Gap it is not an event: ParseGap reads it.
type Frame struct {
	Record []byte // event bytes and padding; a view
	CPU    int
	Flags  uint32
	Seq    uint64
	TS     uint64 // of the event, or of the first one that a gap tells of
}

// Lost is what a gap record tells: the events From to To of this ring are not
// here, and why.
type Lost struct {
	From, To        uint64 // sequence numbers
	FirstNs, LastNs uint64 // CLOCK_BOOTTIME
	Causes          [schema.ABILostCauses]uint64
}

// Count returns the number of lost events.
func (l *Lost) Count() (n uint64) {
	for _, c := range l.Causes {
		n += c
	}
	return n
}

// Stats counts what has passed through a ring since it was opened.
type Stats struct {
	Events   uint64 // records that hold an event
	Discards uint64 // records to be skipped
	Gaps     uint64 // gap records
	Lost     uint64 // events that the gap records tell of
	Bytes    uint64 // of all records
}

// Ring is the reader of one CPU's ring. It is not safe for concurrent use.
type Ring struct {
	cpu     int
	control *schema.ABIRingControl
	data    []byte         // twice the ring
	base    unsafe.Pointer // where that begins
	size    uint64
	mask    uint64
	pos     uint64 // next record
	head    uint64 // end of what is known to be published
	freed   uint64 // consumer position that the kernel knows
	soft    uint64 // up to where Step steps without a look at anything else
	length  uint64 // of the record at pos, once Peek has looked
	frame   Frame  // and what it holds
	start   uint64 // where the first record was
	err     error
	stats   Stats
}

// New returns the reader of a ring: control is its control page, data its
// memory mapped twice back to back.
func New(cpu int, control, data []byte) (*Ring, error) {
	size := uint64(len(data) / 2)
	switch {
	case len(control) < schema.ABIRingControlBytes:
		return nil, fmt.Errorf("ring of CPU %d: control page of %d bytes", cpu, len(control))
	case uintptr(unsafe.Pointer(unsafe.SliceData(control)))%8 != 0:
		return nil, fmt.Errorf("ring of CPU %d: control page is not aligned", cpu)
	case size < schema.ABIRecordPrefixBytes+headBytes || size&(size-1) != 0 || uint64(len(data)) != 2*size:
		return nil, fmt.Errorf("ring of CPU %d: %d bytes are not twice a power of two, or too few", cpu, len(data))
	}
	r := &Ring{
		cpu:     cpu,
		control: (*schema.ABIRingControl)(unsafe.Pointer(unsafe.SliceData(control))),
		data:    data,
		base:    unsafe.Pointer(unsafe.SliceData(data)),
		size:    size,
		mask:    size - 1,
		frame:   Frame{CPU: cpu},
	}
	r.freed = atomic.LoadUint64(&r.control.ConsumerPos)
	r.pos, r.head, r.start = r.freed, r.freed, r.freed
	return r, nil
}

// CPU returns the number of the ring's CPU.
func (r *Ring) CPU() int { return r.cpu }

// Stats returns what has passed so far.
func (r *Ring) Stats() Stats {
	s := r.stats
	s.Bytes = r.pos - r.start
	return s
}

// Err returns why the ring cannot be read any more, or nil.
func (r *Ring) Err() error { return r.err }

// Generation returns the word that changes when a ring comes into being.
func (r *Ring) Generation() uint32 { return atomic.LoadUint32(&r.control.Generation) }

// Fill returns how much of the ring is in use, from 0 to 1.
func (r *Ring) Fill() float64 {
	return float64(atomic.LoadUint64(&r.control.ProducerPos)-r.freed) / float64(r.size)
}

// Refill looks how far the kernel has come and reports whether there is
// anything to read.
func (r *Ring) Refill() bool {
	if r.err != nil {
		return false
	}
	// The load-acquire pairs with the module's store-release of producer_pos in
	// driver/ring.c: whoever sees the position sees the records before it.
	head := atomic.LoadUint64(&r.control.ProducerPos)
	if head-r.freed > r.size || head < r.pos {
		r.err = fmt.Errorf("%w: CPU %d: producer at %d, consumer at %d, %d bytes", ErrCorrupt, r.cpu, head, r.freed, r.size)
		return false
	}
	r.head, r.soft = head, min(head, r.freed+releaseBytes)
	return r.pos != r.head
}

// Peek returns the oldest unread record of what Refill saw; ok is false if
// there is none, or if the ring is broken (see Err). The frame is the ring's, and
// another one after the next Peek.
func (r *Ring) Peek() (f *Frame, ok bool) {
	for r.pos != r.head {
		left := r.head - r.pos
		record := r.data[r.pos&r.mask:]
		if len(record) < schema.ABIRecordPrefixBytes+headBytes {
			return nil, false // cannot be: the data is twice the ring
		}
		prefix := binary.LittleEndian.Uint64(record)
		length, flags := prefix&(1<<32-1), uint32(prefix>>32)
		if length < schema.ABIRecordPrefixBytes || length%8 != 0 || length > left {
			r.err = fmt.Errorf("%w: CPU %d: record of %d bytes at %d, %d are published", ErrCorrupt, r.cpu, length, r.pos, r.head)
			r.head, r.soft = r.pos, r.pos
			return nil, false
		}
		if flags&Discard != 0 {
			r.stats.Discards++
			r.pos += length
			continue
		}
		r.length = length
		f := &r.frame
		f.Record, f.Flags, f.Seq = record[schema.ABIRecordPrefixBytes:length:length], flags, binary.LittleEndian.Uint64(record[8:])
		f.TS = 0
		if at := schema.ABIRecordPrefixBytes + timeAt(flags); uint64(at)+8 <= length {
			f.TS = binary.LittleEndian.Uint64(record[at:])
		}
		return f, true
	}
	return nil, false
}

// timeAt returns where a record has its time: an event in the beginning, a gap
// behind two sequence numbers.
func timeAt(flags uint32) int {
	if flags&Gap != 0 {
		return 16
	}
	return 0
}

// headBytes is how much of a record Peek reads.
const headBytes = 24

// Next steps past the record that the last Peek returned.
func (r *Ring) Next() {
	if r.frame.Flags&Gap != 0 {
		r.stats.Gaps++
		if l, err := ParseGap(r.frame.Record); err == nil {
			r.stats.Lost += l.Count()
		}
	} else {
		r.stats.Events++
	}
	r.pos += r.length
	r.length = 0
}

// Step is Next and Peek in one: it leaves the record that was returned last, which must
// not be touched any more, and returns the next one. Every few records it gives their
// memory back to the kernel.
func (r *Ring) Step() (f *Frame, ok bool) {
	f = &r.frame
	if f.Flags&Gap == 0 {
		pos := r.pos + r.length
		if left := r.soft - pos; int64(left) >= headAtLeast {
			// A record lies within what is published (Refill has looked), that is no more than a
			// ring, and begins in the first of two mappings: it does not leave the memory.
			at := unsafe.Add(r.base, pos&r.mask)
			prefix := binary.LittleEndian.Uint64((*[8]byte)(at)[:])
			length, flags := prefix&(1<<32-1), uint32(prefix>>32)
			if length <= left && length >= headAtLeast && length%8 == 0 && flags&(Discard|Gap) == 0 {
				r.stats.Events++
				r.pos, r.length = pos, length
				f.Record = (*[1 << 30]byte)(unsafe.Add(at, schema.ABIRecordPrefixBytes))[: length-schema.ABIRecordPrefixBytes : length-schema.ABIRecordPrefixBytes]
				f.Flags = flags
				f.Seq = binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(at, 8))[:])
				f.TS = binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(at, schema.ABIRecordPrefixBytes))[:])
				return f, true
			}
		}
	}
	r.Next()
	if r.Held() >= releaseBytes {
		r.Release()
	}
	return r.Peek()
}

// releaseBytes is how much is read before it goes back to the kernel: often enough to
// keep the ring empty, seldom enough to keep the cache line of the position with the
// producer.
const releaseBytes = 64 << 10

// headAtLeast is the least size of a record with a time.
const headAtLeast = schema.ABIRecordPrefixBytes + 8

// Held returns how many bytes have been walked but not given back.
func (r *Ring) Held() uint64 { return r.pos - r.freed }

// Release gives the memory of all records before the current one back to the
// kernel. Frames that were returned before must not be touched any more.
func (r *Ring) Release() {
	if r.pos == r.freed {
		return
	}
	r.freed = r.pos
	r.soft = min(r.head, r.freed+releaseBytes)
	// The store-release pairs with the module's load-acquire of consumer_pos in
	// driver/ring.c: our reads are over before the kernel may write there.
	atomic.StoreUint64(&r.control.ConsumerPos, r.freed)
}

// Arm asks the kernel to wake a sleeper when the ring passes its watermark,
// and reports whether there is something to read already, in which case
// nobody should sleep. Disarm takes the wish back.
func (r *Ring) Arm() bool {
	// Both are sequentially consistent: either we see what the producer has
	// published, or the producer sees that we are about to sleep.
	atomic.StoreUint32(&r.control.NeedWakeup, 1)
	return atomic.LoadUint64(&r.control.ProducerPos) != r.pos
}

// Disarm says that nobody sleeps.
func (r *Ring) Disarm() { atomic.StoreUint32(&r.control.NeedWakeup, 0) }

// ParseGap reads the record of a Frame that has the Gap flag.
func ParseGap(rec []byte) (l Lost, err error) {
	if len(rec) < schema.ABIGapBytes {
		return l, fmt.Errorf("%w: gap record of %d bytes", ErrCorrupt, len(rec))
	}
	u64 := func(i int) uint64 { return binary.LittleEndian.Uint64(rec[8*i:]) }
	l = Lost{From: u64(0), To: u64(1), FirstNs: u64(2), LastNs: u64(3)}
	for i := range l.Causes {
		l.Causes[i] = u64(4 + i)
	}
	return l, nil
}
