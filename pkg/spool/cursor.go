// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// cursor is what a reader is done with: all up to seq, and the ranges beyond,
// which are in order and do not touch.
type cursor struct {
	seq  uint64
	done []span
}

type span struct{ from, to uint64 }

// top is the last record that is done.
func (c *cursor) top() uint64 {
	if n := len(c.done); n > 0 {
		return c.done[n-1].to
	}
	return c.seq
}

func (c *cursor) has(seq uint64) bool {
	if seq <= c.seq {
		return true
	}
	i, _ := slices.BinarySearchFunc(c.done, seq, func(s span, q uint64) int {
		if s.to < q {
			return -1
		}
		return 1
	})
	return i < len(c.done) && c.done[i].from <= seq
}

// add marks what is between from and to, both included, as done.
func (c *cursor) add(from, to uint64) {
	if from = max(from, c.seq+1); from > to {
		return
	}
	i := len(c.done)
	for i > 0 && c.done[i-1].to+1 >= from { // nearly always at the end or at the beginning
		i--
	}
	j := i
	for j < len(c.done) && c.done[j].from <= to+1 {
		from, to = min(from, c.done[j].from), max(to, c.done[j].to)
		j++
	}
	c.done = slices.Replace(c.done, i, j, span{from, to})
	if c.done[0].from == c.seq+1 {
		c.seq = c.done[0].to
		c.done = slices.Delete(c.done, 0, 1)
	}
}

// A cursor's file has two slots that are written in turn, so that one of them is
// always whole; its length never changes, so that a full disk is no matter.
//
//	slot   magic[8]  crc u32  spans u32  turn u64  seq u64   {from u64  to u64} ...
//
// Spans that do not fit are left out: those records are given out once more.
const (
	cursorPrefix = "cursor-"
	cursorMagic  = "falcocur"
	slotSize     = 4096
	slotHead     = 32
	slotSpans    = (slotSize - slotHead) / 16
)

func (s *Spool) cursorPath(name string) string { return filepath.Join(s.dir, cursorPrefix+name) }

func (c *cursor) appendSlot(b []byte, turn uint64) []byte {
	n := min(len(c.done), slotSpans)
	b = append(b, cursorMagic...)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(n))
	b = binary.LittleEndian.AppendUint64(b, turn)
	b = binary.LittleEndian.AppendUint64(b, c.seq)
	for _, d := range c.done[:n] {
		b = binary.LittleEndian.AppendUint64(b, d.from)
		b = binary.LittleEndian.AppendUint64(b, d.to)
	}
	b = append(b, make([]byte, slotSize-len(b))...)
	sum(b)
	return b
}

// sum puts the sum of a slot into its place.
func sum(b []byte) { binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b[12:], castagnoli)) }

func parseSlot(b []byte) (c cursor, turn uint64, ok bool) {
	if len(b) < slotSize || string(b[:8]) != cursorMagic || binary.LittleEndian.Uint32(b[8:]) != crc32.Checksum(b[12:slotSize], castagnoli) {
		return c, 0, false
	}
	n := int(binary.LittleEndian.Uint32(b[12:]))
	if n > slotSpans {
		return c, 0, false
	}
	turn, c.seq = binary.LittleEndian.Uint64(b[16:]), binary.LittleEndian.Uint64(b[24:])
	if turn >= maxSeq || c.seq >= maxSeq { // one more of either would be none
		return cursor{}, 0, false
	}
	for at := slotHead; n > 0; n, at = n-1, at+16 {
		from, to := binary.LittleEndian.Uint64(b[at:]), binary.LittleEndian.Uint64(b[at+8:])
		if from <= c.top()+1 || from > to || to >= maxSeq {
			return cursor{}, 0, false
		}
		c.done = append(c.done, span{from, to})
	}
	return c, turn, true
}

// readCursor returns the newer one of the slots.
func readCursor(path string) (c cursor, turn uint64, err error) {
	f, err := openFile(path, os.O_RDONLY)
	if err != nil {
		return c, 0, err
	}
	defer f.Close()
	b := make([]byte, 2*slotSize)
	n, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return c, 0, err
	}
	found := n == 0 // we ended while it was made
	for at := 0; at+slotSize <= n; at += slotSize {
		if one, t, ok := parseSlot(b[at:]); ok && (!found || t > turn) {
			c, turn, found = one, t, true
		}
	}
	if !found {
		return c, 0, fmt.Errorf("%s is damaged", path)
	}
	return c, turn, nil
}

// save writes the cursor down if it has moved.
func (r *Reader) save() error {
	r.saving.Lock()
	defer r.saving.Unlock()
	s := r.s
	s.mu.Lock()
	if !r.moved {
		s.mu.Unlock()
		return nil
	}
	r.moved = false
	r.turn++
	turn := r.turn
	b := r.appendSlot(make([]byte, 0, slotSize), turn)
	s.mu.Unlock()
	err := r.write(b, int64(turn%2)*slotSize)
	if err != nil {
		s.mu.Lock()
		r.moved = true
		s.mu.Unlock()
	}
	return err
}

func (r *Reader) write(b []byte, at int64) error {
	path := r.s.cursorPath(r.name)
	f, err := openFile(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return err
	} else if info.Size() < 2*slotSize { // room for both, now
		if _, err := f.WriteAt(make([]byte, slotSize), slotSize-at); err != nil {
			return err
		}
	}
	if _, err := f.WriteAt(b, at); err != nil {
		return err
	}
	return f.Sync()
}
