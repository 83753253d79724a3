// SPDX-License-Identifier: Apache-2.0

package cases

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestComplete compares the scenarios here with those of the specification: none
// is left out, none is made up, none is there twice.
func TestComplete(t *testing.T) {
	dir := os.Getenv("FALCO_SHARED")
	if dir == "" {
		dir = "../../../../shared"
	}
	text, err := os.ReadFile(filepath.Join(dir, "spec/state-cases.md"))
	if err != nil {
		t.Skip("FALCO_SHARED not found")
	}
	want := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\| (C-\d{3}) \|`).FindAllSubmatch(text, -1) {
		want[string(m[1])] = true
	}
	if len(want) < 150 {
		t.Fatalf("the specification has %d scenarios: is it read rightly?", len(want))
	}
	seen := map[string]bool{}
	for _, table := range tables {
		for _, c := range table {
			if seen[c.id] {
				t.Errorf("%s is played twice", c.id)
			}
			if !want[c.id] {
				t.Errorf("%s is not in the specification", c.id)
			}
			seen[c.id] = true
		}
	}
	for id := range want {
		if !seen[id] {
			t.Errorf("%s is not played", id)
		}
	}
	t.Logf("%d scenarios", len(seen))
}
