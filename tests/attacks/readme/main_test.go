// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const rulesDir = "../../../rules"

// The README says what the rule files and the notes say.
func TestFresh(t *testing.T) {
	if err := run(rulesDir, true); err != nil {
		t.Error(err)
	}
}

// A rule that changes, and a note too few or too many, are noticed.
func TestStale(t *testing.T) {
	for _, c := range []struct{ name, file, old, new, want string }{
		{"rule", stockFile, "A log was emptied,", "A log was wiped,", "not those of the rule files"},
		{"tag", stockFile, "mitre_impact, T1485", "mitre_impact, T1486", "not those of the rule files"},
		{"note", notesFile, "`cat /etc/shadow`", "`tac /etc/shadow`", "not those of the rule files"},
		{"no note", notesFile, "- rule: User mgmt binaries", "- rule: Nobody", `nothing on "User mgmt binaries"`},
		{"more", "falco-sandbox_rules.yaml", "A miner of coins ran", "A miner of gold ran", "not those of the rule files"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "rules")
			for _, folder := range []string{dir, filepath.Dir(filepath.Join(dir, notesFile))} {
				if err := os.MkdirAll(folder, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			for _, name := range append([]string{"README.md", notesFile, stockFile}, moreFiles...) {
				text, err := os.ReadFile(filepath.Join(rulesDir, name))
				if err != nil {
					t.Fatal(err)
				}
				if name == c.file {
					if !strings.Contains(string(text), c.old) {
						t.Fatalf("%s does not say %q", name, c.old)
					}
					text = []byte(strings.Replace(string(text), c.old, c.new, 1))
				}
				if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := run(dir, true); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
