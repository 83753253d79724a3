// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

// Reader goes through the records of a spool. Next, TryNext and Rewind are for
// one goroutine; Ack may be called from any, in any order.
type Reader struct {
	s    *Spool
	name string
	wake chan struct{}
	over chan struct{} // closed when there is nothing more to come

	// Under s.mu.
	cursor
	pos     uint64 // the last record that was given out
	pending uint64 // records that are not acknowledged yet
	orphans map[uint64]struct{}
	counts  ReaderStats
	moved   bool // since it was saved
	turn    uint64

	// For TryNext alone: the segment that is being read.
	seg  *segment
	gen  int
	file *os.File
	scan scanner
	bad  int // errors of the disk in a row

	saving sync.Mutex
}

// badReads is after how many errors of the disk the rest of a segment counts as damaged.
const badReads = 3

// ReaderStats are the counters of a reader. Every record that was there when the
// spool was opened or came later is pending, or in one of the others.
type ReaderStats struct {
	Pending uint64
	Acked   uint64
	Capped  uint64 // dropped because of Options.Max
	Aged    uint64 // ... of Options.MaxAge
	Damaged uint64 // could not be read any more
}

// reader returns the reader of that name, and makes it if need be.
func (s *Spool) reader(name string) (*Reader, error) {
	if r := s.readers[name]; r != nil {
		return r, nil
	}
	if name == "" || len(name) > 128 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
		return nil, fmt.Errorf("%q is no name of a reader: small letters, digits and ._- are", name)
	}
	r := &Reader{s: s, name: name, wake: make(chan struct{}, 1), over: make(chan struct{}), orphans: map[uint64]struct{}{}}
	c, turn, err := readCursor(s.cursorPath(name))
	r.cursor, r.turn, r.pos = c, turn, c.seq
	if errors.Is(err, os.ErrNotExist) { // its place on the disk is taken now, while there is room
		if err = r.write(r.appendSlot(nil, 0), 0); err != nil {
			s.opt.Report(s.failed(err))
		}
	} else if err != nil {
		s.opt.Report(fmt.Errorf("%w; what is there is given out again", s.failed(err)))
	}
	if r.pending, err = s.count(r); err != nil {
		return nil, err
	}
	s.readers[name] = r
	return r, nil
}

// Next returns the next record, and waits for one if need be: until ctx is done,
// or the spool is closed (ErrClosed). The record is the caller's. An error of the
// disk may be gone at the next call.
func (r *Reader) Next(ctx context.Context) (Record, error) {
	for {
		rec, ok, err := r.TryNext()
		if ok || err != nil {
			return rec, err
		}
		select {
		case <-r.wake:
		case <-r.over:
			return Record{}, ErrClosed
		case <-ctx.Done():
			return Record{}, ctx.Err()
		}
	}
}

// TryNext is Next without waiting; ok is false if there is none.
func (r *Reader) TryNext() (rec Record, ok bool, err error) {
	s := r.s
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return Record{}, false, ErrClosed
		}
		seg := s.behind(r.pos)
		if seg == nil {
			s.mu.Unlock()
			return Record{}, false, nil
		}
		err = r.open(seg)
		pos := max(r.pos, seg.first-1)
		s.mu.Unlock()

		// The disk is read without the lock: nobody has to wait for it.
		for err == nil {
			if rec, err = r.scan.next(); err != nil || rec.Seq > pos {
				break
			}
		}

		s.mu.Lock()
		ok, err = r.take(seg, &rec, err)
		s.mu.Unlock()
		if ok {
			rec.Payload = append([]byte(nil), rec.Payload...)
			return rec, true, nil
		}
		if err != nil {
			return Record{}, false, err
		}
	}
}

// Wait returns a channel that receives when there may be something for TryNext that
// was not there before.
func (r *Reader) Wait() <-chan struct{} { return r.wake }

// behind returns the segment in which the record after seq is.
func (s *Spool) behind(seq uint64) *segment {
	for _, seg := range s.segs {
		if seg.n > 0 && seg.last > seq {
			return seg
		}
	}
	return nil
}

// open makes seg the segment that is read, to where it ends now.
func (r *Reader) open(seg *segment) (err error) {
	if r.seg != seg || r.gen != seg.gen || r.file == nil {
		r.close()
		if r.file, err = openFile(seg.path, os.O_RDONLY); err != nil {
			r.seg = nil
			return err
		}
		r.seg, r.gen = seg, seg.gen
		r.scan = scanner{from: r.file, salt: seg.salt, off: segmentHead, good: segmentHead, buf: r.scan.buf[:0]}
	}
	r.scan.end = seg.size
	return nil
}

func (r *Reader) close() {
	if r.file != nil {
		r.file.Close()
		r.file = nil
	}
}

// take decides what becomes of what was read from seg: a record to be given out,
// or one more turn, or an error.
func (r *Reader) take(seg *segment, rec *Record, err error) (bool, error) {
	s := r.s
	if seg.gone || seg.gen != r.gen && r.file != nil { // it was, meanwhile
		r.close()
		return false, nil
	}
	if err != nil && !errors.Is(err, io.EOF) {
		r.close()
		err = s.failed(err)
		if r.bad++; r.bad < badReads {
			return false, err
		}
		s.opt.Report(fmt.Errorf("%w; what follows in %s is given up", err, seg.path))
	}
	r.bad = 0
	if err != nil { // there should be more
		r.skip(seg.last)
		r.recount(seg)
		return false, nil
	}
	r.skip(rec.Seq - 1)
	if r.scan.skips > 0 {
		r.scan.skips = 0
		r.recount(seg)
	}
	r.pos = rec.Seq
	if r.has(rec.Seq) {
		return false, nil
	}
	if s.old(rec.Time) {
		r.settle(rec.Seq)
		r.counts.Aged++
		return false, nil
	}
	return true, nil
}

// skip moves past numbers for which there is no record.
func (r *Reader) skip(to uint64) {
	r.add(r.pos+1, to)
	r.pos = max(r.pos, to)
	r.moved = true
}

// recount finds out how many records are there still, after some could not be read.
func (r *Reader) recount(seg *segment) {
	seg.damaged = true
	n, err := r.s.count(r)
	if err != nil {
		r.s.opt.Report(r.s.failed(err))
		return
	}
	if n < r.pending {
		r.counts.Damaged += r.pending - n
		r.s.opt.Report(fmt.Errorf("spool: %s is damaged; %d records are lost for %s", seg.path, r.pending-n, r.name))
	}
	r.pending = n
}

// Ack says that the record with that number has been dealt with and need not be
// kept for r. A number that was not given out means nothing.
func (r *Reader) Ack(seq uint64) {
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	_, orphan := r.orphans[seq]
	if seq > r.pos || r.has(seq) && !orphan {
		return
	}
	delete(r.orphans, seq)
	r.settle(seq)
	r.counts.Acked++
	if !s.closed {
		s.trim()
		s.poke()
	}
}

// settle takes a record off what is pending.
func (r *Reader) settle(seq uint64) {
	r.add(seq, seq)
	r.pending--
	r.moved = true
}

// Rewind makes Next begin again with the first record that was given out and not
// acknowledged. What was dropped from the disk meanwhile is gone, and counted.
func (r *Reader) Rewind() {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	for seq := range r.orphans {
		delete(r.orphans, seq)
		r.settle(seq)
		r.counts.Capped++
	}
	r.pos = r.seq
	r.close() // the file is read from its beginning again
}

// Stats returns the counters.
func (r *Reader) Stats() ReaderStats {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	st := r.counts
	st.Pending = r.pending
	return st
}

// Oldest returns when the first record was written that is pending, as far as that
// is known without reading, and false if nothing is pending.
func (r *Reader) Oldest() (ns int64, ok bool) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if r.pending == 0 {
		return 0, false
	}
	for _, seg := range r.s.segs {
		if seg.n > 0 && !r.past(seg) {
			return seg.oldest, true
		}
	}
	return 0, false
}

// past reports whether r is done with all of seg.
func (r *Reader) past(seg *segment) bool { return r.seq >= seg.last }

// told wakes Next.
func (r *Reader) told() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *Reader) end() {
	select {
	case <-r.over:
	default:
		close(r.over)
	}
}
