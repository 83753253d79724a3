// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/field"
	"github.com/falco-go/falco/pkg/filter/filtertest"
)

var codes = []*Code{
	ErrYAMLParse, ErrYAMLValidate, ErrCompileCondition, ErrCompileOutput, ErrValidate,
	WarnUnknownSource, WarnUnsafeNA, WarnNoEventType, WarnUnknownFilter, WarnUnusedMacro, WarnUnusedList, WarnUnknownItem, WarnDeprecated,
	WarnNoValues, WarnExceptionName, WarnMacroName, WarnListName, WarnCondition, WarnUnknownKey,
}

// neverRaised are codes that the original has and does not use either.
var neverRaised = map[string]bool{"LOAD_ERR_FILE_READ": true, "LOAD_ERR_EXTENSION": true, "LOAD_WARNING_EXTENSION": true}

// TestCodes holds names and texts against the page that they are written on.
func TestCodes(t *testing.T) {
	shared := os.Getenv("FALCO_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "..", "shared")
	}
	text, err := os.ReadFile(filepath.Join(shared, "spec", "rules-language.md"))
	if err != nil {
		t.Skip("SKIP 1 case: FALCO_SHARED not found")
	}
	ours := map[string]*Code{}
	for _, c := range codes {
		ours[c.Name] = c
	}
	found := 0
	for _, m := range regexp.MustCompile("(?m)^\\| \\d+ \\| `(LOAD_\\w+)` \\| (.*?) \\| (.*) \\|$").FindAllStringSubmatch(string(text), -1) {
		c := ours[m[1]]
		if c == nil {
			if !neverRaised[m[1]] {
				t.Errorf("there is no %s", m[1])
			}
			continue
		}
		found++
		if short := strings.ReplaceAll(m[2], `\<`, "<"); c.Short != short {
			t.Errorf("%s: %q, want %q", c.Name, c.Short, short)
		}
		if c.Long != "" && c.Long != strings.ReplaceAll(m[3], `\<`, "<") {
			t.Errorf("%s: %q, want %q", c.Name, c.Long, m[3])
		}
	}
	if found != len(codes) {
		t.Errorf("%d of %d codes are written down", found, len(codes))
	}
}

// audit has a field of a source that is not built in.
type audit struct{ filtertest.Fields }

func (a *audit) Parse(token string) (*field.Ref, error) {
	if token == "ka.verb" {
		token = "proc.name"
	}
	return a.Fields.Parse(token)
}

// TestEachCodeIsRaised makes one mistake a code.
func TestEachCodeIsRaised(t *testing.T) {
	one := simple("a", "evt.type=open")
	for code, text := range map[*Code]string{
		ErrYAMLParse:        "- rule: [\n",
		ErrYAMLValidate:     "- rule: a\n",
		ErrCompileCondition: simple("a", "evt.type=open and"),
		ErrCompileOutput:    strings.Replace(one, "o %proc.name", "o %proc.nmae", 1),
		ErrValidate:         simple("a", "nomacro"),
		WarnUnknownSource:   simple("a", "evt.type=open", "  source: k8s_audit\n"),
		WarnUnsafeNA:        simple("a", "evt.type=open and ka.verb = <NA>"),
		WarnNoEventType:     simple("a", "proc.name=x"),
		WarnUnknownFilter:   simple("a", "evt.type=open and proc.nmae=x", "  skip-if-unknown-filter: true\n"),
		WarnUnusedMacro:     "- macro: m\n  condition: evt.type=open\n",
		WarnUnusedList:      "- list: l\n  items: [a]\n",
		WarnUnknownItem:     "- thing: a\n",
		WarnDeprecated:      simple("a", "evt.type=open and evt.dir=<"),
		WarnNoValues:        one + "- rule: a\n  append: true\n  exceptions:\n  - {name: e, fields: [proc.name]}\n",
		WarnExceptionName:   simple("a", "evt.type=open", "  exceptions:\n  - {name: e, fields: [proc.name]}\n  - {name: e, fields: [proc.name]}\n"),
		WarnMacroName:       "- macro: a-b\n  condition: evt.type=open\n",
		WarnListName:        "- list: a=b\n  items: [a]\n",
		WarnCondition:       simple("a", "evt.type=open and proc.name=fd.name"),
		WarnUnknownKey:      simple("a", "evt.type=open", "  color: red\n"),
	} {
		_, r := load(t, Options{Fields: new(audit)}, text)
		raised := false
		for _, i := range append(r.Errors, r.Warnings...) {
			raised = raised || i.Code == code
		}
		if !raised {
			t.Errorf("%s is not raised by\n%s%s", code.Name, text, r.Text(true))
		}
	}
}
