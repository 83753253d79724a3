// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/falco-go/falco/pkg/schema"
)

// Reader walks a capture from its first block to its last. It is for one
// goroutine, allocates nothing for an event, and knows the file only through a
// window that moves over it.
//
// Its methods stand in the order in which a block meets them.
type Reader struct {
	src    source
	conv   converter
	tables Tables // nil: nobody asks what was there before
	stats  Stats

	machine Machine
	begun   bool // tables wait for their End
	early   bool // no event of this section was met yet
	held    int  // bytes of the block that the last record is a view of
	num     uint64
	rec     Record
	long    []longText // for the next record of a list
	err     error      // what Next returns from now on
	v1      []byte

	raw func(*Record) // sees events as they stand in the file; for tests
}

// Stats counts what a Reader has met.
type Stats struct {
	Raw       [schema.NumEvents]uint64 // events by type, as they stand in the file
	Delivered uint64                   // events that Next returned
	Enters    uint64                   // enter events of older captures: their exit events tell it all
	Unused    uint64                   // events that mean nothing any more
	Unknown   uint64                   // events of types that are not in our schema
	Malformed uint64                   // events whose lengths do not add up
	Stranded  uint64                   // events of old layouts that no conversion fits

	Evicted uint64 // enter events that had to make room for others before their exit came

	Sections   uint64
	Skipped    uint64 // blocks of unknown types
	Misplaced  uint64 // lists after the first event of their section: not read
	BadEntries uint64 // entries of lists that do not add up

	Bytes     int64 // read, unpacked
	FileBytes int64 // read, as the file lies on the disk
	Packed    Compression

	Ahead, Waits uint64 // pieces that were read ahead, and how often that had to wait for us
}

// NewReader begins to read a capture from r, packed with gzip or zstd or not at
// all. An error means that r is not a capture that we read.
func NewReader(r io.Reader) (*Reader, error) { return newReader(r, nil) }

// NewReaderAhead is NewReader for somebody who has other things to do as long as a
// file pauses: Next returns ErrWait for an event that has not come yet. The file is
// read in a goroutine of its own.
func NewReaderAhead(r io.Reader, o Ahead) (*Reader, error) { return newReader(r, &o) }

func newReader(r io.Reader, o *Ahead) (*Reader, error) {
	c := &Reader{}
	c.conv.init()
	if err := c.src.open(r, o); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("%w: the file is empty or shorter than a word", ErrFormat)
		}
		return nil, &Error{Err: err}
	}
	if err := c.first(); err != nil {
		c.Close()
		return nil, err
	}
	c.src.hasty = o != nil
	return c, nil
}

// first reads the section header that a file begins with.
func (r *Reader) first() error {
	b, err := r.src.need(4)
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("%w: there is nothing in it", ErrFormat)
		}
		return r.broken(0, err)
	}
	if typ := BlockType(binary.LittleEndian.Uint32(b)); typ != BlockSection {
		return &Error{Err: fmt.Errorf("%w: it begins with %#x", ErrFormat, uint32(typ))}
	}
	_, size, err := r.head()
	if err != nil {
		return err
	}
	return r.section(size)
}

// Close gives back what unpacking needs, a goroutine among it. It leaves the file
// open; nothing may be read after it.
func (r *Reader) Close() { r.src.stop() }

// Seed hands to what was there before the first event, here and, while Next
// reads on, at the start of every further section. It must come before the first
// Next. It reads up to the first event, and waits for it; errors are those of Next,
// io.EOF too.
func (r *Reader) Seed(to Tables) error {
	if r.held > 0 || !r.early || r.tables != nil {
		return errors.New("a capture is seeded once, before its first event")
	}
	defer r.patiently()()
	r.tables, r.begun = to, true
	to.Begin()
	_, _, err := r.toEvent()
	return err
}

// patiently has the file waited for until what it returns is called.
func (r *Reader) patiently() func() {
	hasty := r.src.hasty
	r.src.hasty = false
	return func() { r.src.hasty = hasty }
}

// Machine returns what the file tells of the machine that it was made on; empty
// before Seed.
func (r *Reader) Machine() Machine { return r.machine }

// Stats returns the counters.
func (r *Reader) Stats() Stats {
	s := r.stats
	s.Evicted = r.conv.pending.evicted
	s.Bytes, s.FileBytes = r.Position()
	if s.Packed = r.src.kind; r.src.ahead != nil {
		s.Ahead, s.Waits = r.src.ahead.made.Load(), r.src.ahead.waits.Load()
	}
	return s
}

// Position returns how many bytes have been read, unpacked and as they lie on
// the disk. It costs nothing, but is for the goroutine that calls Next, as all else.
func (r *Reader) Position() (bytes, fileBytes int64) { return r.src.off, r.src.raw.n.Load() }

// Next returns the next event, as a view that lives until the next Next. It returns
// io.EOF at the end of the file, and an *Error for anything else: errors.Is(err,
// ErrTruncated) for a file that was cut, after all that is whole, ErrNoEvents for one
// without events. A Reader that reads ahead returns ErrWait, too, and goes on from there.
func (r *Reader) Next() (*Record, error) {
	if r.short() {
		return &r.rec, nil
	}
	for {
		typ, size, err := r.toEvent()
		if err != nil {
			return nil, err
		}
		b, err := r.whole(typ, size)
		if err != nil {
			return nil, r.fail(err)
		}
		r.held = size
		rec := &r.rec
		*rec = Record{CPU: int(binary.LittleEndian.Uint16(b[blockHead:])), Event: b[blockHead+2 : size-blockTail]}
		if typ.flagged() {
			rec.Flags = RecordFlags(binary.LittleEndian.Uint32(rec.Event))
			rec.Event = rec.Event[4:]
		}
		if r.event(typ, rec) {
			r.stats.Delivered++
			return rec, nil
		}
	}
}

// short is Next for nearly every block: an event of today that lies in the window as a
// whole, behind another one. All that it does is done by toEvent, whole and event, too,
// which look at what it leaves to them.
func (r *Reader) short() bool {
	b := r.src.buf[r.src.lo+r.held : r.src.hi]
	if r.early || r.err != nil || len(b) < blockHead+2+schema.HeaderSize+blockTail || BlockType(binary.LittleEndian.Uint32(b)) != BlockEvent {
		return false
	}
	size := binary.LittleEndian.Uint32(b[4:])
	if size < blockHead+2+schema.HeaderSize+blockTail || size > MaxEventBlock || uint64(size) > uint64(len(b)) ||
		binary.LittleEndian.Uint32(b[size-blockTail:]) != size {
		return false
	}
	ev := b[blockHead+2 : size-blockTail]
	n, typ := binary.LittleEndian.Uint32(ev[16:]), binary.LittleEndian.Uint16(ev[20:])
	if n < schema.HeaderSize || uint64(n) > uint64(len(ev)) || typ >= schema.NumEvents || asIs[typ] != uint64(binary.LittleEndian.Uint32(ev[22:])) || r.raw != nil {
		return false
	}
	r.src.use(r.held)
	r.held = int(size)
	r.stats.Raw[typ]++
	r.stats.Delivered++
	r.num++
	r.rec = Record{Num: r.num, CPU: int(binary.LittleEndian.Uint16(b[blockHead:])), Event: ev[:n:n], Options: optionsOf(ev[n:], n)}
	return true
}

// event makes rec an event of today; false if there is none to be delivered.
func (r *Reader) event(typ BlockType, rec *Record) bool {
	if typ == BlockEvent1 || typ == BlockEventFlags1 {
		if rec.Event = r.fromV1(rec.Event); rec.Event == nil {
			r.stats.Malformed++
			return false
		}
	}
	ev := rec.Event
	if len(ev) < schema.HeaderSize {
		r.stats.Malformed++
		return false
	}
	size := binary.LittleEndian.Uint32(ev[16:])
	if uint64(size) > uint64(len(ev)) || size < schema.HeaderSize {
		r.stats.Malformed++
		return false
	}
	t := binary.LittleEndian.Uint16(ev[20:])
	if t >= schema.NumEvents {
		r.stats.Unknown++
		return false
	}
	rec.Event, rec.Options = ev[:size:size], optionsOf(ev[size:], size)
	r.stats.Raw[t]++
	if r.raw != nil {
		r.raw(rec)
	}
	var v verdict
	rec.Event, v = r.conv.convert(rec.Event)
	switch v {
	case deliver:
		if rec.Flags&StateOnly == 0 {
			r.num++
			rec.Num = r.num
		}
		return true
	case dropEnter:
		r.stats.Enters++
	case dropUnused:
		r.stats.Unused++
	case malformed:
		r.stats.Malformed++
	case stranded:
		r.stats.Stranded++
	}
	return false
}

// toEvent walks up to the head of the next event block and returns it.
func (r *Reader) toEvent() (BlockType, int, error) {
	if r.err != nil {
		return 0, 0, r.err
	}
	r.src.use(r.held)
	r.held = 0
	for {
		typ, size, err := r.head()
		if err == nil && typ.isEvent() {
			r.early = false
			r.end()
			return typ, size, nil
		}
		if err == nil {
			err = r.other(typ, size)
		}
		if err != nil {
			return 0, 0, r.fail(err)
		}
	}
}

// fail makes err what everybody hears from now on, unless it passes.
func (r *Reader) fail(err error) error {
	if err == ErrWait {
		return err
	}
	r.end()
	var sum uint64
	for _, n := range r.stats.Raw {
		sum += n
	}
	if errors.Is(err, io.EOF) && sum+r.stats.Unknown+r.stats.Malformed == 0 {
		err = &Error{Offset: r.src.off, Err: ErrNoEvents}
	}
	r.err = err
	return err
}

func (r *Reader) end() {
	if r.begun {
		r.begun = false
		r.tables.End()
	}
}

// head looks at type and length of the next block. io.EOF says that there is none.
func (r *Reader) head() (BlockType, int, error) {
	b, err := r.src.need(blockHead)
	if err != nil {
		if errors.Is(err, io.EOF) {
			return 0, 0, io.EOF
		}
		return 0, 0, r.broken(0, err)
	}
	typ, size := BlockType(binary.LittleEndian.Uint32(b)).current(), binary.LittleEndian.Uint32(b[4:])
	least, most := uint32(blockHead+blockTail), uint32(MaxBlock)
	switch {
	case typ == BlockSection: // section looks at it
		least, most = 0, math.MaxUint32
	case typ == BlockEventLarge || typ == BlockEventLargeFl:
		least, most = least+6, MaxLargeBlock
	case typ.isEvent():
		least, most = least+6, MaxEventBlock
	}
	if size < least || size > most {
		return 0, 0, &Error{r.src.off, typ, fmt.Errorf("length %d is impossible", size)}
	}
	return typ, int(size), nil
}

// whole returns a block with head and tail, as a view.
func (r *Reader) whole(typ BlockType, size int) ([]byte, error) {
	b, err := r.src.need(size)
	if err != nil {
		return nil, r.broken(typ, err)
	}
	if tail := binary.LittleEndian.Uint32(b[size-blockTail:]); tail != uint32(size) {
		return nil, &Error{r.src.off, typ, fmt.Errorf("length %d at its start, %d at its end", size, tail)}
	}
	return b, nil
}

// broken makes an *Error of what the file said in the middle of a block.
func (r *Reader) broken(typ BlockType, err error) error {
	if err == ErrWait {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = ErrTruncated
	}
	return &Error{r.src.off, typ, err}
}

// maxPatience is how large a block may be that is not begun before it is there as a
// whole; a larger one is waited for.
const maxPatience = 1 << 20

// other takes in a block that is not an event.
func (r *Reader) other(typ BlockType, size int) error {
	start := r.src.off
	if r.src.hasty && size <= maxPatience {
		if _, err := r.src.need(size); err == ErrWait {
			return err
		}
	}
	defer r.patiently()()
	var err error
	read := r.lists(typ)
	switch {
	case typ == BlockSection:
		return r.section(size)
	case read == nil:
		r.stats.Skipped++
	case !r.early:
		r.stats.Misplaced++
		read = nil
	case r.tables == nil:
		read = nil
	}
	r.src.use(blockHead)
	c := cursor{src: &r.src, left: size - blockHead - blockTail}
	if read != nil {
		r.stats.BadEntries += read(&c)
		err = c.err
	}
	if err == nil {
		err = r.src.skip(c.left)
	}
	var b []byte
	if err == nil {
		b, err = r.src.need(blockTail)
	}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{start, typ, ErrTruncated}
	case err != nil:
		return &Error{start, typ, err}
	}
	if tail := binary.LittleEndian.Uint32(b); tail != uint32(size) {
		return &Error{start, typ, fmt.Errorf("length %d at its start, %d at its end", size, tail)}
	}
	r.src.use(blockTail)
	return nil
}
