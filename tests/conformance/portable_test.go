// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/filter"
	"github.com/falco-go/falco/pkg/rules"
)

// specFields are the fields that the original has: the first column of names in the tables of fields.md.
func specFields(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(shared(t, "spec/fields.md"))
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| P[0-9] \\| (`[^|]*) \\|").FindAllStringSubmatch(string(text), -1) {
		for _, name := range regexp.MustCompile("`([a-z_0-9.]+)").FindAllStringSubmatch(row[1], -1) {
			fields[name[1]] = true
		}
	}
	return fields
}

// Our files are in the original's grammar and with its fields, so that people can take them along: strict mode, which has
// none of what we add, reads them without a warning, and each field is one of the original's. The extended file is the proof
// that this test sees more.
func TestConformancePortable(t *testing.T) {
	fields := specFields(t)
	if len(fields) < 340 {
		t.Fatalf("%d fields in the specification", len(fields))
	}
	for _, c := range []struct {
		name     string
		portable bool
	}{{stock, true}, {incubating, true}, {sandbox, true}, {deprecated, true}, {"../../rules/falco_rules.extended.yaml", false}} {
		t.Run(c.name[len("../../rules/"):], func(t *testing.T) {
			files := ruleFiles(t, stock, c.name)
			if c.name == stock {
				files = files[:1]
			}
			set, results := load(t, rules.Options{StrictUpstream: true}, files...)
			for _, r := range results {
				if len(r.Warnings) > 0 || r.Schema == rules.SchemaFailed {
					t.Error(r.Text(true))
				}
			}
			foreign := 0
			for _, r := range set.Rules {
				filter.Walk(r.Expr, func(e filter.Expr) {
					check, is := e.(*filter.Check)
					if !is {
						return
					}
					filter.EachField(check, func(f *filter.Field) {
						name, _, _ := strings.Cut(f.Token(), "[")
						if !fields[name] && !fields[name[:max(strings.LastIndexByte(name, '.'), 0)]] {
							foreign++
							if c.portable {
								t.Errorf("%s: the original has no field %s", r.Name, f.Token())
							}
						}
					})
				})
			}
			if !c.portable && foreign == 0 {
				t.Error("no field of our own")
			}
		})
	}
}

// What other readers of YAML refuse, ours lets pass: a colon and a blank within a plain word.
func TestConformancePlainYAML(t *testing.T) {
	plain := regexp.MustCompile(`(?m)^ {2}[a-z_]+: [^>|'"\[{ ].*(: | #).*$`)
	for _, name := range []string{stock, incubating, sandbox, deprecated, "../../rules/falco_rules.extended.yaml", "../../rules/falco_rules.local.yaml"} {
		if line := plain.Find(ruleFile(t, name).Content); line != nil {
			t.Errorf("%s: %s", name, line)
		}
	}
	if !plain.MatchString("  desc: a word: another") {
		t.Error("this test sees nothing")
	}
}
