// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"
)

// old reports whether a record of that time is beyond the age that records may have.
func (s *Spool) old(ns int64) bool {
	return s.opt.MaxAge > 0 && s.opt.Now().UnixNano()-ns > int64(s.opt.MaxAge)
}

// expire drops segments that are too old. A reader that comes to a record before
// that finds out itself.
func (s *Spool) expire() {
	for len(s.segs) > 0 && s.segs[0].n > 0 && s.old(s.segs[0].newest) {
		if s.segs[0] == s.active() {
			s.rotate()
			if len(s.segs) == 0 { // nobody was waiting for it
				return
			}
		}
		s.drop(0, func(r *Reader) *uint64 { return &r.counts.Aged })
		s.tellLoss("has what nobody wanted for too long")
	}
}

// makeRoom drops what has to go before so many bytes may come.
func (s *Spool) makeRoom(bytes int64) error {
	for s.bytes()+bytes > s.opt.Max && len(s.segs) > 0 {
		if s.opt.Full == Refuse {
			return ErrFull
		}
		if len(s.segs) == 1 && s.segs[0] == s.active() {
			if s.segs[0].n == 0 {
				return nil
			}
			s.rotate()
			continue
		}
		i := 0
		if s.opt.Full == DropOrdinary {
			for i < len(s.segs) && (s.segs[i] == s.active() || s.segs[i].ordinary == 0) {
				i++
			}
			if i == len(s.segs) {
				i = 0
			} else if s.segs[i].ordinary < s.segs[i].n {
				err := s.thin(i)
				if err == nil {
					continue
				}
				s.opt.Report(s.failed(fmt.Errorf("%w; all of %s goes", err, s.segs[i].path)))
			}
		}
		s.drop(i, func(r *Reader) *uint64 { return &r.counts.Capped })
	}
	s.tellLoss("is full")
	return nil
}

// drop deletes segment i and counts for each reader what it has not got. What a
// reader has in hand stays pending: it can still be acknowledged.
func (s *Spool) drop(i int, counter func(*Reader) *uint64) {
	seg := s.segs[i]
	for _, r := range s.readers {
		if r.past(seg) {
			continue
		}
		err := s.each(seg, r, func(rec Record) { r.lose(rec.Seq, counter(r)) })
		s.opt.Report(s.failed(err))
	}
	s.remove(i)
}

// lose takes a record off what is pending, unless it is in hand.
func (r *Reader) lose(seq uint64, counter *uint64) {
	if seq <= r.pos {
		r.orphans[seq] = struct{}{}
		return
	}
	r.pending--
	*counter++
	r.s.lost++
}

// lossEvery is how often it is told that records are dropped.
const lossEvery = time.Minute

// tellLoss reports what was dropped since the last time, now and then.
func (s *Spool) tellLoss(why string) {
	if now := s.opt.Now(); s.lost > 0 && now.Sub(s.lossTold) >= lossEvery {
		s.opt.Report(fmt.Errorf("spool: %s %s: %d records were dropped", s.dir, why, s.lost))
		s.lost, s.lossTold = 0, now
	}
}

// thin takes the ordinary records out of segment i. What stays goes to the end of
// the segment before, if that one was thinned too and has room, so that there
// are never many small ones. If we end in between, some records are in both, and the first counts.
func (s *Spool) thin(i int) error {
	seg := s.segs[i]
	to, merge := &segment{path: seg.path + ".tmp", first: seg.first, size: segmentHead, sparse: true}, false
	if i > 0 {
		if p := s.segs[i-1]; p.sparse && p.ordinary == 0 && p != s.active() && p.size+seg.size-seg.light <= s.opt.Segment {
			copied := *p
			to, merge = &copied, true
		}
	}
	flags := os.O_RDWR
	if !merge {
		flags |= os.O_CREATE | os.O_TRUNC
	}
	f, err := openFile(to.path, flags)
	if err != nil {
		return err
	}
	defer f.Close()
	began := to.size
	out, err := s.copyKept(seg, to, f)
	if err == nil {
		err = f.Sync()
	}
	if err == nil && !merge {
		err = os.Rename(to.path, seg.path)
	}
	if err != nil {
		if merge {
			f.Truncate(began)
		} else {
			os.Remove(to.path)
		}
		return err
	}
	for _, r := range s.readers {
		for _, seq := range out {
			if !r.has(seq) {
				r.lose(seq, &r.counts.Capped)
			}
		}
	}
	if merge {
		*s.segs[i-1] = *to
		s.remove(i)
	} else {
		to.path, to.gen, to.damaged = seg.path, seg.gen+1, seg.damaged
		*seg = *to
	}
	return nil
}

// copyKept writes the records of seg that stay behind what to holds, and returns
// the numbers of the others.
func (s *Spool) copyKept(seg, to *segment, f *os.File) (out []uint64, err error) {
	var salt [8]byte
	var b []byte
	if to.n == 0 {
		rand.Read(salt[:])
		to.salt = fold(binary.LittleEndian.Uint64(salt[:]))
		b = appendHeader(b, binary.LittleEndian.Uint64(salt[:]), seg.first)
	}
	at := to.size - int64(len(b))
	flush := func(limit int) {
		if err == nil && len(b) > limit {
			_, err = f.WriteAt(b, at)
			at, b = at+int64(len(b)), b[:0]
		}
	}
	werr := s.walk(seg, func(rec Record) {
		if rec.Class > s.opt.Keep {
			out = append(out, rec.Seq)
			return
		}
		b = appendRecord(b, to.salt, &rec)
		to.size += int64(recordHead + len(rec.Payload))
		if to.n++; to.oldest == 0 {
			to.oldest = rec.Time
		}
		to.last, to.newest = rec.Seq, rec.Time
		flush(scanChunk)
	})
	flush(0)
	return out, errors.Join(err, werr)
}
