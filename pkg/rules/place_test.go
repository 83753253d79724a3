// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falco-go/falco/pkg/filter"
)

const placed = `- list: shells
  items: [bash, zsh]
- macro: opens
  condition: >
    evt.type in (open, openat)
    and fd.num >= 0
    and
    proc.name in (shells)
- rule: r
  desc: d
  condition: |
    opens and
    not proc.name = cat
    and proc.pname = "a b"
  exceptions:
  - {name: e, fields: [proc.exe], values: [[x]]}
  output: o
  priority: INFO
`

const placedMore = `# more
- rule: r
  override: {condition: append}
  condition: and
    user.name = root
- macro: opens
  override: {condition: append}
  condition: or fd.num = 7
`

// TestPlaces finds every check of a condition in the files that it came from.
func TestPlaces(t *testing.T) {
	set := needSet(t, Options{}, placed, placedMore)
	got := map[string]string{}
	filter.Walk(set.Rules[0].Expr, func(e filter.Expr) {
		if c, ok := e.(*filter.Check); ok {
			got[c.String()] = c.At().Where()
		}
	})
	want := map[string]string{
		"evt.type in (open, openat)": "f1.yaml:5, macro opens",
		"fd.num >= 0":                "f1.yaml:6, macro opens",
		"proc.name in (bash, zsh)":   "f1.yaml:8, macro opens",
		"fd.num = 7":                 "f2.yaml:8, macro opens",
		"proc.name = cat":            "f1.yaml:13",
		`proc.pname = "a b"`:         "f1.yaml:14",
		"user.name = root":           "f2.yaml:5",
		"proc.exe = x":               "f1.yaml:9",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestExplain(t *testing.T) {
	set := needSet(t, Options{}, placed+simple("s", "fd.num >= 0 and proc.name = cat"))
	text := set.Explain(set.Rules[0]).String()
	for _, want := range []string{"and  (f1.yaml:12)\n", "\n  test fd.num >= 0  (f1.yaml:6, macro opens)\n",
		"\n  look-up evt.type in (open, openat)  (f1.yaml:5, macro opens)\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	one, other := set.Explain(set.Rules[0]), set.Explain(set.Rules[1])
	shared := 0
	for _, p := range one.Parts {
		for _, q := range other.Parts {
			if p.ID == q.ID {
				shared++
				if len(p.From) != 2 {
					t.Errorf("%s stands in %d places", p.From[0], len(p.From))
				}
			}
		}
	}
	if shared != 1 {
		t.Errorf("%d parts are shared:\n%s%s", shared, one, other)
	}
}
