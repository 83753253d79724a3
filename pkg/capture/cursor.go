// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"encoding/binary"
	"strings"
)

// cursor reads the body of a list block field by field, without ever having the
// whole of it in memory. Fields that are not there read as zero; ok tells.
type cursor struct {
	src   *source
	left  int // bytes of the body that are not used up
	floor int // what left is at the end of the entry at hand
	short bool
	err   error // of the file
}

// zeros stands in for fields of a fixed width that are not there.
var zeros [16]byte

// minEntry is what has to be left for one more entry; less is padding.
const minEntry = 4

// more reports whether there is another entry in the list.
func (c *cursor) more() bool {
	return c.err == nil && c.left >= minEntry
}

// begin starts an entry whose length is not told: it ends where it ends.
func (c *cursor) begin() { c.floor, c.short = 0, false }

// beginLength starts an entry that begins with its length, which counts itself
// or not. It reports false if the list has no room for it.
func (c *cursor) beginLength(countsItself bool) bool {
	c.begin()
	n := int(c.u32())
	if countsItself {
		n -= 4
	}
	if c.short || n < 0 || n > c.left {
		return false
	}
	c.floor = c.left - n
	return true
}

// end goes to the end of an entry whose length was told, and reports whether
// all its fields were there.
func (c *cursor) end() bool {
	if c.err == nil {
		c.err = c.src.skip(c.left - c.floor)
		c.left = c.floor
	}
	return !c.short && c.err == nil
}

// rest returns the bytes that the entry has left.
func (c *cursor) rest() int { return c.left - c.floor }

// take returns the next n bytes as a view that lives until the next take.
func (c *cursor) take(n int) []byte {
	if c.err == nil && !c.short {
		if n > c.rest() {
			c.short = true
		} else if b, err := c.src.need(n); err != nil {
			c.err = err
		} else {
			c.src.use(n)
			c.left -= n
			return b
		}
	}
	if n <= len(zeros) {
		return zeros[:n]
	}
	return nil
}

func (c *cursor) u8() uint8   { return c.take(1)[0] }
func (c *cursor) u16() uint16 { return binary.LittleEndian.Uint16(c.take(2)) }
func (c *cursor) u32() uint32 { return binary.LittleEndian.Uint32(c.take(4)) }
func (c *cursor) u64() uint64 { return binary.LittleEndian.Uint64(c.take(8)) }
func (c *cursor) i64() int64  { return int64(c.u64()) }

// str reads a length and a text. What is behind a NUL does not count.
func (c *cursor) str() string {
	s, _, _ := strings.Cut(string(c.take(int(c.u16()))), "\x00")
	return s
}

// strs reads a length and texts.
func (c *cursor) strs() []string { return split(string(c.take(int(c.u16())))) }

// lists returns the function that reads blocks of type typ, and returns how many
// entries it could not understand; nil if there is none.
func (r *Reader) lists(typ BlockType) func(*cursor) uint64 {
	if v := procVersion(typ); v > 0 {
		return func(c *cursor) uint64 { return r.procs(c, v) }
	}
	switch typ {
	case BlockMachine:
		return r.readMachine
	case BlockInterfaces1:
		return func(c *cursor) uint64 { return r.interfaces(c, false) }
	case BlockInterfaces:
		return func(c *cursor) uint64 { return r.interfaces(c, true) }
	case BlockUsers1:
		return func(c *cursor) uint64 { return r.users(c, false) }
	case BlockUsers:
		return func(c *cursor) uint64 { return r.users(c, true) }
	case BlockLongTexts:
		return r.longTexts
	case BlockFDs1:
		return func(c *cursor) uint64 { return r.fds(c, false) }
	case BlockFDs:
		return func(c *cursor) uint64 { return r.fds(c, true) }
	}
	return nil
}

// entries reads one entry after the other. Where each tells its length, one that
// does not add up is left out; where none does, it ends the list.
func (c *cursor) entries(told, countsItself bool, read func()) (bad uint64) {
	for c.more() {
		if !told {
			c.begin()
		} else if !c.beginLength(countsItself) {
			return bad + 1
		}
		read()
		if !told {
			if c.short {
				return bad + 1
			}
			continue
		}
		if !c.end() {
			bad++
		}
	}
	return bad
}
