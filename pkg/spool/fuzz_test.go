// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// FuzzSegment: whatever a segment holds, reading it ends, what comes out carries the
// sums that were asked for, and a spool that finds it works.
func FuzzSegment(f *testing.F) {
	whole := appendHeader(nil, 7, 1)
	for i, text := range []string{"one", "", mark, "four"} {
		whole = appendRecord(whole, 7, &Record{Seq: uint64(i + 1), Time: 5, Class: uint8(i), Payload: []byte(text)})
	}
	for _, mended := range []bool{false, true} {
		f.Add(whole, mended)
		f.Add(whole[:len(whole)-2], mended)
		f.Add(append(whole[:segmentHead:segmentHead], mark...), mended)
	}
	f.Fuzz(func(t *testing.T, b []byte, mended bool) {
		if mended { // what is read must not be believed because its sums are good
			mend(b)
		}
		sc := scanner{from: bytes.NewReader(b), salt: 7, end: int64(len(b))}
		for {
			rec, err := sc.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(b, appendRecord(nil, 7, &rec)) {
				t.Fatalf("%+v is not there", rec)
			}
		}
		dir := fast(t)
		if err := os.WriteFile(filepath.Join(dir, "0000000000000001.seg"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(dir, Options{Readers: []string{"x"}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		x, _ := s.Reader("x")
		pending := x.Stats().Pending
		if list := rest(t, x); uint64(len(list)) != pending {
			t.Fatalf("%d records, %d were counted", len(list), pending)
		}
		add(t, s, "more")
		if list := rest(t, x); texts(list) != "more" {
			t.Fatalf("got %q", texts(list))
		}
	})
}

// mend gives everything that looks like a header the sums that it should have.
func mend(b []byte) {
	if len(b) >= segmentHead {
		copy(b, appendHeader(nil, 7, binary.LittleEndian.Uint64(b[24:])))
	}
	for i := segmentHead; i+recordHead <= len(b); i++ {
		if h := b[i:]; string(h[:4]) == mark {
			if size := int(binary.LittleEndian.Uint32(h[4:]) & 0xffffff); recordHead+size <= len(h) {
				binary.LittleEndian.PutUint32(h[24:], crc32.Update(7, castagnoli, h[recordHead:recordHead+size]))
			}
			binary.LittleEndian.PutUint32(h[28:], crc32.Update(7, castagnoli, h[:28]))
		}
	}
}

// FuzzCursor: what is read of a cursor's file can be written, and is the same.
func FuzzCursor(f *testing.F) {
	c := cursor{seq: 5, done: []span{{7, 8}, {10, 10}}}
	f.Add(c.appendSlot(nil, 3)[:slotHead+32])
	last := cursor{seq: math.MaxUint64, done: []span{{6, 7}}}
	f.Add(last.appendSlot(nil, math.MaxUint64)[:slotHead+16])
	f.Fuzz(func(t *testing.T, b []byte) {
		slot := make([]byte, slotSize)
		copy(slot, b)
		copy(slot, cursorMagic)
		sum(slot)
		c, turn, ok := parseSlot(slot)
		if !ok {
			return
		}
		again, turn2, ok := parseSlot(c.appendSlot(nil, turn))
		if !ok || turn != turn2 || again.seq != c.seq || len(again.done) != len(c.done) {
			t.Fatalf("%+v became %+v", c, again)
		}
		for i, d := range c.done {
			if d.from > d.to || d.from <= c.seq || i > 0 && d.from <= c.done[i-1].to+1 {
				t.Fatalf("%+v", c)
			}
		}
	})
}
