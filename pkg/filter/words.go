// SPDX-License-Identifier: Apache-2.0

package filter

import "math/bits"

// words finds the atom of a text among those that a table compares with. It is
// made once, when all of them are known, and most texts that are asked for are
// none of them: those are told by their length, or by a hash that reads no more
// than sixteen bytes, without a look at any word.
type words struct {
	lengths uint64 // bit n: there is a word of n bytes; 63 stands for all longer ones
	shift   uint8
	slots   []wordSlot // open addressing, a power of two of them
	other   map[string]int32
}

type wordSlot struct {
	text string
	hash uint32
	atom int32 // -1: free
}

// maxRun is how many slots in a row may be in use: words that differ only where
// the hash does not look would make long rows. Such ones get a map.
const maxRun = 16

func newWords(atoms map[string]int32) *words {
	size := bits.Len(uint(len(atoms)*2 + 1))
	w := &words{shift: uint8(32 - size), slots: make([]wordSlot, 1<<size)}
	for i := range w.slots {
		w.slots[i].atom = -1
	}
	mask := uint32(len(w.slots) - 1)
	for text, a := range atoms {
		w.lengths |= 1 << min(len(text), 63)
		h := hashWord(text)
		i, run := h>>w.shift, 0
		for w.slots[i&mask].atom >= 0 {
			i++
			run++
		}
		if run > maxRun {
			return &words{lengths: ^uint64(0), other: atoms}
		}
		w.slots[i&mask] = wordSlot{text, h, a}
	}
	return w
}

// find returns the atom of s, -1 if it is none of the words.
func (w *words) find(s string) int32 {
	if w.lengths>>min(uint(len(s)), 63)&1 == 0 {
		return -1
	}
	if w.other != nil {
		if a, ok := w.other[s]; ok {
			return a
		}
		return -1
	}
	h, mask := hashWord(s), uint32(len(w.slots)-1)
	for i := h >> w.shift; ; i++ {
		slot := &w.slots[i&mask]
		if slot.atom < 0 || slot.hash == h && slot.text == s {
			return slot.atom
		}
	}
}

// hashWord mixes the length of s, its first eight bytes and its last.
func hashWord(s string) uint32 {
	var first, last uint64
	switch n := len(s); {
	case n >= 8:
		first, last = eightBytes(s[:8]), eightBytes(s[n-8:])
	case n >= 4:
		first, last = uint64(gramOf(s, 0)), uint64(gramOf(s, n-4))
	case n > 0:
		first, last = uint64(s[0])|uint64(s[n/2])<<8, uint64(s[n-1])
	}
	hi, lo := bits.Mul64(first^0x9e3779b97f4a7c15, last^uint64(len(s))^0xd1b54a32d192ed03)
	return uint32((hi ^ lo) * 0xff51afd7ed558ccd >> 32)
}

// eightBytes is one load.
func eightBytes(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// numbers finds the atom of a number: one after the other where there are few.
type numbers struct {
	few   []numSlot
	other map[uint64]int32
}

type numSlot struct {
	num  uint64
	atom int32
}

const fewNumbers = 8

func newNumbers(atoms map[uint64]int32) numbers {
	if len(atoms) > fewNumbers {
		return numbers{other: atoms}
	}
	n := numbers{few: make([]numSlot, 0, len(atoms))}
	for num, a := range atoms {
		n.few = append(n.few, numSlot{num, a})
	}
	return n
}

// find returns the atom of num, -1 if there is none.
func (n *numbers) find(num uint64) int32 {
	for i := range n.few {
		if n.few[i].num == num {
			return n.few[i].atom
		}
	}
	if n.other != nil {
		if a, ok := n.other[num]; ok {
			return a
		}
	}
	return -1
}
