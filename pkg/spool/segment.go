// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// A segment is a file: a header, and records one after the other.
//
//	header   magic[8]  version u32  crc u32  salt u64  first u64, and all that once more
//	record   mark[4]   size u32     seq u64  time i64  crc u32 of the payload  crc u32 of what is before   payload
//
// All numbers are little endian; the upper byte of size is the record's class.
// Sums are CRC32C and start from the salt, which is random: text in a payload
// cannot pass for a record, whoever has written it. A header of its own sum is
// what makes damage cheap: a payload that has changed is stepped over, and after
// a header that has changed the next mark with a good sum is where it goes on.
const (
	magic       = "falcospl"
	version     = 1
	headerSize  = 32
	segmentHead = 2 * headerSize // the salt is needed for all the rest
	recordHead  = 32
	mark        = "\xfa\x1c\x05\xd5" // never in UTF-8

	maxSeq = 1 << 62 // no number is ever as high; sums of them do not overflow

	// MaxRecord is how long a payload may be.
	MaxRecord = 8 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Record is what was appended, with the number it got and when. Numbers rise; there may
// be gaps, where something was dropped.
type Record struct {
	Seq     uint64
	Time    int64 // wall clock, ns
	Class   uint8 // 0 is the most important
	Payload []byte
}

func appendHeader(b []byte, salt, first uint64) []byte {
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint32(b, version)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint64(b, salt)
	b = binary.LittleEndian.AppendUint64(b, first)
	h := b[len(b)-headerSize:]
	binary.LittleEndian.PutUint32(h[12:], headerSum(h))
	return append(b, h...)
}

func headerSum(h []byte) uint32 {
	return crc32.Update(crc32.Checksum(h[:12], castagnoli), castagnoli, h[16:headerSize])
}

// parseHeader reads the header that b begins with, or its copy.
func parseHeader(b []byte) (salt uint32, first uint64, ok bool) {
	for ; len(b) >= headerSize; b = b[headerSize:] {
		if string(b[:8]) == magic && binary.LittleEndian.Uint32(b[8:]) == version && binary.LittleEndian.Uint32(b[12:]) == headerSum(b) {
			first = binary.LittleEndian.Uint64(b[24:])
			return fold(binary.LittleEndian.Uint64(b[16:])), first, first > 0 && first < maxSeq
		}
	}
	return 0, 0, false
}

func fold(salt uint64) uint32 { return uint32(salt) ^ uint32(salt>>32) }

func appendRecord(b []byte, salt uint32, r *Record) []byte {
	at := len(b)
	b = append(b, mark...)
	b = binary.LittleEndian.AppendUint32(b, uint32(r.Class)<<24|uint32(len(r.Payload)))
	b = binary.LittleEndian.AppendUint64(b, r.Seq)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.Time))
	b = binary.LittleEndian.AppendUint32(b, crc32.Update(salt, castagnoli, r.Payload))
	b = binary.LittleEndian.AppendUint32(b, crc32.Update(salt, castagnoli, b[at:]))
	return append(b, r.Payload...)
}

// scanner reads the records of a segment, and steps over what is none.
type scanner struct {
	from io.ReaderAt
	salt uint32
	off  int64 // of the next record
	end  int64 // nothing is read from there on
	good int64 // behind the last whole record

	buf   []byte // what has been read of [start, start+len(buf))
	start int64

	skips  uint64 // stretches between whole records that are none
	passed bool   // something was stepped over since the last whole record
}

const scanChunk = 256 << 10

// view returns n bytes at off, fewer at the end. They are lent until the next call.
func (s *scanner) view(off int64, n int) ([]byte, error) {
	n = int(min(int64(n), s.end-off))
	if n <= 0 {
		return nil, nil
	}
	if at := off - s.start; at >= 0 && at+int64(n) <= int64(len(s.buf)) {
		return s.buf[at : at+int64(n)], nil
	}
	want := int(min(int64(max(n, scanChunk)), s.end-off))
	if cap(s.buf) < want || cap(s.buf) > 4*scanChunk && want <= scanChunk { // a long record's memory is not kept
		s.buf = make([]byte, max(want, min(scanChunk, int(s.end-off))))
	}
	got, err := s.from.ReadAt(s.buf[:want], off)
	s.buf, s.start = s.buf[:got], off
	if got < n {
		if errors.Is(err, io.EOF) {
			err = nil // shorter than it was: as if it ended there
		}
		return s.buf, err
	}
	return s.buf[:n], nil
}

// next returns the next whole record, whose payload is lent until the next call,
// or io.EOF if there is none before the end. Other errors are those of the disk.
func (s *scanner) next() (Record, error) {
	for {
		h, err := s.view(s.off, recordHead)
		if err != nil {
			return Record{}, err
		}
		if len(h) < recordHead {
			return Record{}, io.EOF
		}
		rec, size, sum, ok := s.parse(h)
		if !ok {
			s.passed = true
			found, err := s.seek(s.off + 1)
			if err != nil {
				return Record{}, err
			}
			if !found {
				return Record{}, io.EOF
			}
			continue
		}
		b, err := s.view(s.off, recordHead+size)
		if err != nil {
			return Record{}, err
		}
		if len(b) < recordHead+size {
			return Record{}, io.EOF
		}
		s.off += int64(len(b))
		if rec.Payload = b[recordHead:]; crc32.Update(s.salt, castagnoli, rec.Payload) != sum {
			s.passed = true
			continue
		}
		if s.passed {
			s.passed = false
			s.skips++
		}
		s.good = s.off
		return rec, nil
	}
}

// parse reads a record's header.
func (s *scanner) parse(h []byte) (rec Record, size int, sum uint32, ok bool) {
	if string(h[:4]) != mark || binary.LittleEndian.Uint32(h[28:]) != crc32.Update(s.salt, castagnoli, h[:28]) {
		return rec, 0, 0, false
	}
	word := binary.LittleEndian.Uint32(h[4:])
	rec.Class, size = uint8(word>>24), int(word&0xffffff)
	rec.Seq, rec.Time = binary.LittleEndian.Uint64(h[8:]), int64(binary.LittleEndian.Uint64(h[16:]))
	return rec, size, binary.LittleEndian.Uint32(h[24:]), size <= MaxRecord && rec.Seq > 0 && rec.Seq < maxSeq
}

// seek moves to the next header from off on that is one.
func (s *scanner) seek(off int64) (bool, error) {
	for {
		b, err := s.view(off, scanChunk)
		if err != nil {
			return false, err
		}
		at := 0
		for {
			i := bytes.Index(b[at:], []byte(mark))
			if i < 0 || at+i+recordHead > len(b) {
				break
			}
			at += i
			if _, _, _, ok := s.parse(b[at : at+recordHead]); ok {
				s.off = off + int64(at)
				return true, nil
			}
			at++
		}
		if len(b) < scanChunk {
			return false, nil
		}
		off += int64(len(b) - recordHead + 1) // a header may begin in one piece and end in the next
	}
}
