// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// load looks at everything that the folder holds. The folder's names give the order.
func (s *Spool) load() error {
	entries, err := os.ReadDir(s.dir) // sorted
	if err != nil {
		return err
	}
	seen := uint64(0) // number of the last record
	var names []string
	for _, e := range entries {
		name := filepath.Join(s.dir, e.Name())
		switch {
		case strings.HasSuffix(name, ".tmp"): // we ended while it was written
			if err := os.Remove(name); err != nil {
				return err
			}
		case strings.HasSuffix(name, ".seg"):
			names = append(names, name)
		}
	}
	for i, name := range names {
		seg, err := s.inspect(name, seen, i == len(names)-1)
		if err != nil {
			return err
		}
		if seg == nil {
			continue
		}
		s.segs, seen = append(s.segs, seg), seg.last
	}
	s.next = seen + 1
	// What a reader has acknowledged has been given out, whether it is there or not.
	for _, e := range entries {
		if name, ok := strings.CutPrefix(e.Name(), cursorPrefix); ok {
			if c, _, err := readCursor(s.cursorPath(name)); err == nil {
				s.next = max(s.next, c.top()+1)
			}
		}
	}
	if n := len(s.segs); n > 0 && s.segs[n-1].last+1 == s.next && s.segs[n-1].size < s.opt.Segment && !s.segs[n-1].sparse {
		s.f, err = openFile(s.segs[n-1].path, os.O_RDWR)
	}
	return err
}

// inspect reads a segment to its end and returns what it holds, nil if that is
// nothing. What stands behind the last whole record of the last segment is what
// a crash has torn, and is cut off; anywhere else it is damage.
func (s *Spool) inspect(name string, seen uint64, last bool) (*segment, error) {
	f, err := openFile(name, os.O_RDWR)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	head := make([]byte, segmentHead)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	salt, first, ok := parseHeader(head[:n])
	if !ok {
		if last && info.Size() <= segmentHead { // we ended while it was made
			s.stats.Torn += info.Size()
			return nil, os.Remove(name)
		}
		s.stats.Damaged++
		s.opt.Report(fmt.Errorf("spool: %s does not begin as a segment, and is put aside", name))
		return nil, os.Rename(name, filepath.Join(s.dir, "damaged"))
	}
	seg := &segment{path: name, salt: salt, first: max(first, seen+1), size: info.Size()}
	sc := scanner{from: f, salt: salt, off: segmentHead, good: segmentHead, end: seg.size}
	for seen = seg.first - 1; ; {
		rec, err := sc.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if rec.Seq <= seen { // is in an earlier segment too: we ended while it was moved there
			seg.sparse = true
			continue
		}
		if rec.Seq != max(seg.last+1, seg.first) {
			seg.sparse = true
		}
		seen, seg.last, seg.newest = rec.Seq, rec.Seq, rec.Time
		if seg.n == 0 {
			seg.oldest = rec.Time
		}
		seg.n++
		if rec.Class > s.opt.Keep {
			seg.ordinary++
			seg.light += int64(recordHead + len(rec.Payload))
		}
	}
	if tail := seg.size - sc.good; tail > 0 && last {
		if err := f.Truncate(sc.good); err != nil {
			return nil, err
		}
		s.stats.Torn += tail
		seg.size = sc.good
	} else if tail > 0 {
		sc.skips++
	}
	if sc.skips > 0 {
		s.stats.Damaged += sc.skips
		seg.damaged, seg.sparse = true, true
		s.opt.Report(fmt.Errorf("spool: %s is damaged in %d places; whole records are read", name, sc.skips))
	}
	if seg.n == 0 {
		return nil, os.Remove(name)
	}
	return seg, nil
}

// count reads how many records there are for r. Segments that are whole need no
// reading: their numbers say it.
func (s *Spool) count(r *Reader) (n uint64, err error) {
	for _, seg := range s.segs {
		if seg.n == 0 || r.past(seg) {
			continue
		}
		if err := s.each(seg, r, func(Record) { n++ }); err != nil {
			return 0, err
		}
	}
	return n + uint64(len(r.orphans)), nil
}

// each calls f for every record of seg that r is not done with. What f gets is
// lent, and has nothing but its number where seg is whole.
func (s *Spool) each(seg *segment, r *Reader, f func(Record)) error {
	if seg.sparse {
		return s.walk(seg, func(rec Record) {
			if !r.has(rec.Seq) {
				f(rec)
			}
		})
	}
	for seq := max(seg.first, r.seq+1); seq <= seg.last; seq++ {
		if !r.has(seq) {
			f(Record{Seq: seq})
		}
	}
	return nil
}

// walk reads all records of seg.
func (s *Spool) walk(seg *segment, f func(Record)) error {
	file, err := openFile(seg.path, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer file.Close()
	sc := scanner{from: file, salt: seg.salt, off: segmentHead, end: seg.size}
	for seen := seg.first - 1; ; {
		rec, err := sc.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if rec.Seq > seen {
			seen = rec.Seq
			f(rec)
		}
	}
}
