// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// given reads a file of the given material, or skips the test.
func given(t testing.TB, parts ...string) File {
	t.Helper()
	shared := os.Getenv("FALCO_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "..", "shared")
	}
	name := filepath.Join(append([]string{shared, "data"}, parts...)...)
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("SKIP 1 case: FALCO_SHARED not found")
	}
	if err != nil {
		t.Fatal(err)
	}
	return File{name, text}
}

func mustLoad(t testing.TB, files ...File) (*Set, []Result) {
	t.Helper()
	set, results := Load(files, Options{Priority: Debug})
	if set == nil {
		r := &results[len(results)-1]
		t.Fatalf("%s%s", r.Text(true), strings.Join(r.Hints(), "\n"))
	}
	return set, results
}

// TestUserRules loads what users have, on top of what it needs.
func TestUserRules(t *testing.T) {
	stock := []string{"rules", "falco_rules-0.26.2.yaml"}
	for _, files := range [][][]string{
		{stock},
		{{"rules", "falco_rules-1.0.1.yaml"}},
		{{"rules", "falco_rules-5.1.0.yaml"}},
		{stock, {"user-rules", "macros-0.26.yaml"}, stock},
		{{"user-rules", "examples.yaml"}},
		{stock, {"user-rules", "cks.yaml"}},
		{stock, {"user-rules", "tuning-local.yaml"}},
		{{"user-rules", "layering", "known-binaries.yaml"}},
		{stock, {"user-rules", "layering", "disable-local.yaml"}},
		{stock, {"user-rules", "layering", "custom-network.yaml"}},
		{stock, {"user-rules", "layering", "privileged.yaml"}},
	} {
		last := files[len(files)-1]
		t.Run(last[len(last)-1], func(t *testing.T) {
			var in []File
			for _, f := range files {
				in = append(in, given(t, f...))
			}
			set, results := mustLoad(t, in...)
			count := map[string]int{}
			for _, w := range results[len(results)-1].Warnings {
				count[w.Code.Name]++
			}
			t.Logf("%d rules, warnings: %v", len(set.Rules), count)
		})
	}
}

// TestUserLayers loads each base with its local file.
func TestUserLayers(t *testing.T) {
	dir := filepath.Dir(given(t, "user-rules", "README.md").Name)
	bases, err := filepath.Glob(filepath.Join(dir, "layering", "*-base.yaml"))
	if err != nil || len(bases) == 0 {
		t.Fatalf("no bases: %v", err)
	}
	for _, base := range bases {
		name := filepath.Base(base)
		t.Run(name, func(t *testing.T) {
			in := []File{given(t, "user-rules", "layering", name)}
			local := strings.TrimSuffix(name, "-base.yaml") + "-local.yaml"
			if _, err := os.Stat(filepath.Join(dir, "layering", local)); err == nil {
				in = append(in, given(t, "user-rules", "layering", local))
			}
			set, _ := mustLoad(t, in...)
			for _, r := range set.Rules {
				t.Logf("%s: %s", r.Name, r.Expr)
			}
		})
	}
}
