// SPDX-License-Identifier: Apache-2.0

package filter

import "strings"

// grams finds which of many words a text contains, in one pass over the text.
// Of each word it knows the four bytes in a row that the fewest other words
// have; where these stand in the text, the rest of the word is compared. Words
// of less than four bytes are searched one by one.
type grams struct {
	filter [1 << 10]uint64     // a bit for each hash of a gram that is there
	words  map[uint32][]gramAt // by gram
	short  []gramAt
}

type gramAt struct {
	word string
	at   int // where in the word the gram stands
	atom int32
}

const gramSize = 4

func gramOf(s string, i int) uint32 {
	return uint32(s[i]) | uint32(s[i+1])<<8 | uint32(s[i+2])<<16 | uint32(s[i+3])<<24
}

func gramHash(g uint32) uint32 { return g * 0x9e3779b1 >> 16 }

// newGrams makes the search for words; the index of a word is its atom.
func newGrams(words []string) *grams {
	g := &grams{words: map[uint32][]gramAt{}}
	common := map[uint32]int{}
	for _, w := range words {
		for i := 0; i+gramSize <= len(w); i++ {
			common[gramOf(w, i)]++
		}
	}
	for a, w := range words {
		if len(w) < gramSize {
			g.short = append(g.short, gramAt{w, 0, int32(a)})
			continue
		}
		best := 0
		for i := 1; i+gramSize <= len(w); i++ {
			if common[gramOf(w, i)] < common[gramOf(w, best)] {
				best = i
			}
		}
		k := gramOf(w, best)
		g.words[k] = append(g.words[k], gramAt{w, best, int32(a)})
		h := gramHash(k)
		g.filter[h>>6] |= 1 << (h & 63)
	}
	return g
}

// match appends the atoms of the words in s, each once.
func (g *grams) match(s string, out []int32) []int32 {
	for i := range g.short {
		if strings.Contains(s, g.short[i].word) {
			out = append(out, g.short[i].atom)
		}
	}
	if len(s) < gramSize {
		return out
	}
	start := len(out)
	k := gramOf(s, 0) << 8
	for i := 0; i+gramSize <= len(s); i++ {
		k = k>>8 | uint32(s[i+gramSize-1])<<24
		if h := gramHash(k); g.filter[h>>6]&(1<<(h&63)) == 0 {
			continue
		}
		for _, w := range g.words[k] {
			if i >= w.at && strings.HasPrefix(s[i-w.at:], w.word) && !has(out[start:], w.atom) {
				out = append(out, w.atom)
			}
		}
	}
	return out
}

func has(atoms []int32, a int32) bool {
	for _, x := range atoms {
		if x == a {
			return true
		}
	}
	return false
}
