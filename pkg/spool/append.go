// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"crypto/rand"
	"encoding/binary"
	"os"
)

// Append puts entries behind what is there. It returns how many of them are in,
// the first ones; err says why not all.
func (s *Spool) Append(entries ...Entry) (n int, err error) {
	s.mu.Lock()
	for n < len(entries) && err == nil {
		var took int
		took, err = s.appendSome(entries[n:])
		n += took
	}
	s.stats.Appended += uint64(n)
	s.stats.Refused += uint64(len(entries) - n)
	upTo := s.next - 1
	if n > 0 {
		for _, r := range s.readers {
			r.told()
		}
	}
	s.mu.Unlock()
	if n > 0 && s.opt.Sync == Always {
		if serr := s.syncTo(upTo); err == nil {
			err = serr
		}
	} else if n > 0 {
		s.poke()
	}
	return n, err
}

// appendSome writes as many entries as go into one segment.
func (s *Spool) appendSome(entries []Entry) (int, error) {
	if s.closed {
		return 0, ErrClosed
	}
	seg := s.active()
	room := s.opt.Segment
	if seg != nil && seg.n > 0 {
		room -= seg.size
	}
	now, n, bytes := s.opt.Now().UnixNano(), 0, int64(0)
	for n < len(entries) {
		if len(entries[n].Payload) > MaxRecord {
			if n == 0 {
				return 0, ErrTooBig
			}
			break
		}
		need := int64(recordHead + len(entries[n].Payload))
		if bytes+need > room && (n > 0 || seg != nil && seg.n > 0) {
			break
		}
		bytes += need
		n++
	}
	if n == 0 {
		if err := s.rotate(); err != nil {
			return 0, err
		}
		return 0, nil // the next call finds room
	}
	if err := s.makeRoom(bytes + segmentHead); err != nil {
		return 0, err
	}
	if s.active() == nil {
		if err := s.begin(); err != nil {
			return 0, err
		}
	}
	seg = s.active()
	s.buf = s.buf[:0]
	ordinary, light := 0, int64(0)
	for i := range entries[:n] {
		r := Record{Seq: s.next + uint64(i), Time: now, Class: entries[i].Class, Payload: entries[i].Payload}
		s.buf = appendRecord(s.buf, seg.salt, &r)
		if r.Class > s.opt.Keep {
			ordinary++
			light += int64(recordHead + len(r.Payload))
		}
	}
	_, err := s.f.WriteAt(s.buf, seg.size)
	if cap(s.buf) > 4<<20 {
		s.buf = nil
	}
	if err != nil {
		s.f.Truncate(seg.size) // half a record is in nobody's way if this fails too: it is written over, or cut when opened
		return 0, err
	}
	seg.size += bytes
	seg.n += n
	seg.ordinary, seg.light = seg.ordinary+ordinary, seg.light+light
	if seg.newest = now; seg.oldest == 0 {
		seg.oldest = now
	}
	s.next += uint64(n)
	seg.last = s.next - 1
	for _, r := range s.readers {
		r.pending += uint64(n)
	}
	return n, nil
}

// active returns the segment that is written to, nil if there is none.
func (s *Spool) active() *segment {
	if s.f == nil {
		return nil
	}
	return s.segs[len(s.segs)-1]
}

// begin makes a segment.
func (s *Spool) begin() error {
	var salt [8]byte
	rand.Read(salt[:])
	seg := &segment{path: s.path(s.next, ""), salt: fold(binary.LittleEndian.Uint64(salt[:])), first: s.next, size: segmentHead}
	f, err := openFile(seg.path, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	if _, err := f.Write(appendHeader(nil, binary.LittleEndian.Uint64(salt[:]), seg.first)); err != nil {
		f.Close()
		os.Remove(seg.path)
		return err
	}
	s.f, s.segs = f, append(s.segs, seg)
	s.opt.Report(s.failed(s.lock.Sync()))
	return nil
}

// rotate ends the segment that is written to.
func (s *Spool) rotate() error {
	if s.f == nil {
		return nil
	}
	err := s.f.Sync()
	s.stats.Syncs++
	s.f.Close()
	s.f = nil
	s.opt.Report(s.failed(err)) // what is in it may be gone after a power cut; we go on
	s.synced = max(s.synced, s.segs[len(s.segs)-1].last)
	s.trim()
	return nil
}
