// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/falco-go/falco/pkg/schema"
)

// Writer turns a stream of events into blocks. It is the way of a file: first
// the tables (it implements Tables), then the events.
//
//	w := NewWriter(file, false)
//	state.Dump(w)           // or reader.Seed(w)
//	w.Event(…); w.Event(…)
//	err := w.Flush()
//
// It hands whole blocks down, many at once: each Write of what is below gets
// nothing but whole blocks, so that a file can end after any of them. An error
// of a Write is kept; what comes after it is dropped.
type Writer struct {
	to     io.Writer
	legacy bool
	buf    []byte // whole blocks, and behind them the one that is being made
	start  int    // where that one begins
	err    error

	list    BlockType // the list block that is open, 0 if none is
	listTid int64     // whose descriptors it has
	stats   WriterStats
	scratch []byte
}

// WriterStats counts what became of the events that a Writer was given.
type WriterStats struct {
	Events  uint64 // written; without enter events made for old readers
	Bytes   uint64 // of whole blocks, before compression
	TooBig  uint64 // refused: no reader takes a block of that size
	Unknown uint64 // left out of a legacy capture: no system call, and old readers do not know it
	Cut     uint64 // texts of the tables that are not there whole
}

// unit is how many bytes are handed down at once, more or less.
const unit = 256 << 10

// NewWriter writes the section header of a new capture. A legacy one is for
// readers of early 2022 (legacy.go).
func NewWriter(to io.Writer, legacy bool) *Writer {
	w := &Writer{to: to, legacy: legacy, buf: make([]byte, 0, unit+MaxEventBlock)}
	w.section()
	return w
}

// Err returns the first error.
func (w *Writer) Err() error { return w.err }

// Stats returns the counters.
func (w *Writer) Stats() WriterStats { return w.stats }

// Flush hands down what is there.
func (w *Writer) Flush() error {
	w.closeList()
	w.send()
	return w.err
}

var errRecord = errors.New("not an event")

// Event writes one event: its bytes from the header on, of which ts takes the
// place of the time. options follow it in its block (ext.go).
func (w *Writer) Event(ts uint64, cpu int, flags RecordFlags, event, options []byte) error {
	if len(event) < schema.HeaderSize || uint64(binary.LittleEndian.Uint32(event[16:])) != uint64(len(event)) {
		return fmt.Errorf("write event: %w", errRecord)
	}
	if w.list != 0 {
		w.closeList()
	}
	if w.legacy {
		return w.legacyEvent(ts, cpu, flags, event)
	}
	w.event(ts, cpu, flags, event, options)
	return w.err
}

// event writes a block with an event.
func (w *Writer) event(ts uint64, cpu int, flags RecordFlags, event, options []byte) {
	large := false
	if info := schema.EventType(binary.LittleEndian.Uint16(event[20:])).Info(); info != nil {
		large = info.Flags&schema.LargePayload != 0
	}
	const around = blockHead + 2 + 4 + 3 + blockTail
	limit := MaxEventBlock
	if large {
		limit = MaxLargeBlock
	}
	if around+len(event) > limit {
		w.stats.TooBig++
		return
	}
	if around+len(event)+len(options) > limit {
		options = nil
	}
	w.begin(eventBlock(large, flags != 0))
	b := binary.LittleEndian.AppendUint16(w.buf, uint16(cpu))
	if flags != 0 {
		b = binary.LittleEndian.AppendUint32(b, uint32(flags))
	}
	b = binary.LittleEndian.AppendUint64(b, ts)
	b = append(b, event[8:]...)
	if len(options) > 0 {
		for (len(b)-w.start)%4 != 0 {
			b = append(b, 0)
		}
		b = append(b, options...)
	}
	w.buf = b
	w.stats.Events++
	w.end()
}

func eventBlock(large, flagged bool) BlockType {
	switch {
	case large && flagged:
		return BlockEventLargeFl
	case large:
		return BlockEventLarge
	case flagged:
		return BlockEventFlags
	}
	return BlockEvent
}

// begin starts a block.
func (w *Writer) begin(t BlockType) {
	w.start = len(w.buf)
	w.buf = binary.LittleEndian.AppendUint32(w.buf, uint32(t))
	w.buf = append(w.buf, 0, 0, 0, 0) // its length, which end knows
}

// end pads the block, says how long it is, and hands it down if there is enough.
func (w *Writer) end() {
	for (len(w.buf)-w.start)%4 != 0 {
		w.buf = append(w.buf, 0)
	}
	n := len(w.buf) - w.start + blockTail
	w.buf = binary.LittleEndian.AppendUint32(w.buf, uint32(n))
	binary.LittleEndian.PutUint32(w.buf[w.start+4:], uint32(n))
	w.stats.Bytes += uint64(n)
	w.start = len(w.buf)
	if len(w.buf) >= unit {
		w.send()
	}
}

// send hands the whole blocks down.
func (w *Writer) send() {
	if len(w.buf) == 0 {
		return
	}
	if w.err == nil {
		if _, err := w.to.Write(w.buf); err != nil {
			w.err = err
		}
	}
	w.buf, w.start = w.buf[:0], 0
	if cap(w.buf) > 4*unit {
		w.buf = slices.Clip(make([]byte, 0, unit+MaxEventBlock)) // one giant does not keep its memory
	}
}

// section writes the section header.
func (w *Writer) section() {
	w.begin(BlockSection)
	b := binary.LittleEndian.AppendUint32(w.buf, sectionMagic)
	b = binary.LittleEndian.AppendUint16(b, sectionMajor)
	b = binary.LittleEndian.AppendUint16(b, sectionMinor)
	w.buf = binary.LittleEndian.AppendUint64(b, 1<<64-1) // its length is not known
	w.end()
}
