// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"fmt"
	"testing"
)

// Words are found, and nothing else is, whatever they look like; also where the
// hash cannot tell them apart.
func TestWords(t *testing.T) {
	for name, word := range map[string]func(i int) string{
		"numbered": func(i int) string { return fmt.Sprint(i) },
		"long":     func(i int) string { return fmt.Sprintf("/usr/share/%d/", i) },
		"middle":   func(i int) string { return fmt.Sprintf("/usr/lib/python/%06d/python.so", i) },
		"lengths":  func(i int) string { return string(make([]byte, i%200)) },
	} {
		for _, n := range []int{0, 1, 3, 9, 1000} {
			atoms := map[string]int32{}
			for i := range n {
				atoms[word(i)] = int32(i)
			}
			w := newWords(atoms)
			if mapped := w.other != nil; mapped != (name == "middle" && n > maxRun) {
				t.Errorf("%s: %d words in a map: %v", name, n, mapped)
			}
			for i := range 2*n + 300 {
				want, ok := atoms[word(i)]
				if !ok {
					want = -1
				}
				if got := w.find(word(i)); got != want {
					t.Errorf("%s: %d words, %q: atom %d, want %d", name, n, word(i), got, want)
				}
				if text := word(i) + "x"; w.find(text) != -1 {
					t.Errorf("%s: %d words: %q is found", name, n, text)
				}
			}
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, n := range []int{0, 1, fewNumbers, fewNumbers + 1, 1000} {
		atoms := map[uint64]int32{}
		for i := range n {
			atoms[uint64(i)*7919] = int32(i)
		}
		found := newNumbers(atoms)
		for i := range n + 100 {
			num := uint64(i) * 7919
			want, ok := atoms[num]
			if !ok {
				want = -1
			}
			if got := found.find(num); got != want {
				t.Errorf("%d numbers, %d: atom %d, want %d", n, num, got, want)
			}
		}
	}
}
