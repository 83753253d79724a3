// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"strings"
	"testing"
)

func TestGlob(t *testing.T) {
	for _, tc := range []struct {
		pattern, s string
		fold, want bool
	}{
		{"", "", false, true},
		{"*", "", false, true},
		{"*", ".x/y", false, true},
		{"a*b*c", "aXbXXbc", false, true},
		{"a*b*c", "aXbXXb", false, false},
		{"?", "", false, false},
		{"a?c", "a/c", false, true},
		{"[!a]b", "cb", false, true},
		{"[^a]b", "ab", false, false},
		{"[]a]x", "]x", false, true},
		{"[a-c]", "b", false, true},
		{"[a-]", "-", false, true},
		{"[[:digit:]]x", "7x", false, true},
		{"[[:upper:]]", "a", true, true},
		{"[a", "[a", false, true},
		{`\*`, "*", false, true},
		{`\*`, "x", false, false},
		{`a\`, `a\`, false, true},
		{"ABC", "abc", true, true},
		{"[A-C]", "b", true, true},
		{"*.txt", "a.TXT", true, true},
		{"**a**", "xxaxx", false, true},
	} {
		if got := glob(tc.pattern, tc.s, tc.fold); got != tc.want {
			t.Errorf("glob(%q, %q, %v) = %v", tc.pattern, tc.s, tc.fold, got)
		}
	}
	// many stars must not take exponential time
	if glob(strings.Repeat("*a", 40), strings.Repeat("a", 39)+strings.Repeat("b", 2000), false) {
		t.Error("matched")
	}
}
