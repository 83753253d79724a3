// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"math/rand"
	"strings"
	"testing"
)

// TestListsAtOnce compares looking for the names that are there with trying all
// lists in order, which is what the language says.
func TestListsAtOnce(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	names := []string{"a", "b", "ab", "a b", "x,y", "c.d", "e-f", "(g", "h", ""}
	pick := func() string { return names[rng.Intn(len(names))] }
	for range 20_000 {
		var s lists
		for range rng.Intn(6) {
			if name := pick(); s.find(name) == nil {
				l := &listItem{name: name}
				for range rng.Intn(4) {
					l.expanded = append(l.expanded, pick())
				}
				s.add(name, l)
			}
		}
		var words []string
		for range 1 + rng.Intn(8) {
			words = append(words, pick(), []string{" ", ",", ", ", "=", "(", ")", "\n"}[rng.Intn(7)])
		}
		cond := strings.Join(words, "")
		want, used := cond, ""
		for _, l := range s.all {
			next, ok := l.put(want)
			if want = next; ok {
				used += l.name + ";"
			}
		}
		told := ""
		if got := s.put(cond, func(l *listItem) { told += l.name + ";" }); got != want || told != used {
			t.Fatalf("%q: got %q with %q, want %q with %q", cond, got, told, want, used)
		}
	}
}
