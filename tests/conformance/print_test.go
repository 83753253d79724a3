// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"gopkg.in/yaml.v3"

	"github.com/falco-go/falco/pkg/filter"
	"github.com/falco-go/falco/pkg/rules"
)

// allRuleFiles returns the rule files of the given material, and ours.
func allRuleFiles(t *testing.T) (out []string) {
	t.Helper()
	out = append(out, stock)
	for _, dir := range []string{"data/rules", "data/user-rules"} {
		err := filepath.WalkDir(shared(t, dir), func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && strings.HasSuffix(path, ".yaml") {
				out = append(out, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// allRules returns the texts of these files. A chart's values hold files themselves.
func allRules(t *testing.T) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, path := range allRuleFiles(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var values map[string]map[string]string
		if yaml.Unmarshal(text, &values) != nil {
			out[path] = text
			continue
		}
		for _, files := range values {
			for name, text := range files {
				out[path+"/"+name] = []byte(text)
			}
		}
	}
	return out
}

// same reads what a condition prints, which must be the condition.
func same(t *testing.T, e filter.Expr) {
	t.Helper()
	printed := filter.Print(e)
	again, err := filter.Syntax{Depth: filter.RulesDepth}.Parse(&filter.Source{Text: printed})
	if err != nil {
		t.Errorf("%s: %v", printed, err)
		return
	}
	if diff := cmp.Diff(e, again, cmpopts.IgnoreTypes(filter.Pos{})); diff != "" {
		t.Errorf("%s (-printed +read)\n%s", printed, diff)
	}
}

// Every condition of every rule file is what it prints: as it was written, and
// with lists, macros and exceptions put in.
func TestConditionsPrintAndParse(t *testing.T) {
	written, whole := 0, 0
	for path, text := range allRules(t) {
		var items []map[string]yaml.Node
		if err := yaml.Unmarshal(text, &items); err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		for _, item := range items {
			cond, ok := item["condition"]
			if !ok {
				continue
			}
			e, err := filter.Syntax{Depth: filter.RulesDepth}.Parse(&filter.Source{Text: cond.Value})
			if err != nil {
				if item["append"].Value == "" && item["override"].Kind == 0 { // a part of a condition need not be one
					t.Errorf("%s:%d: %v", path, cond.Line, err)
				}
				continue
			}
			written++
			same(t, e)
		}
		set, results := rules.Load([]rules.File{{Name: path, Content: text}}, rules.Options{Priority: rules.Debug})
		if set == nil { // a file that others build upon, or that is wrong on purpose
			t.Logf("%s: %s", path, results[0].Errors[0].Message)
			continue
		}
		for _, r := range set.Rules {
			whole++
			same(t, r.Expr)
		}
	}
	if written < 1000 || whole < 250 {
		t.Errorf("only %d conditions were read, %d with macros", written, whole)
	}
	t.Logf("%d conditions as written, %d with all put in", written, whole)
}
