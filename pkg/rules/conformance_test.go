// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/falco-go/falco/pkg/filter"
)

// The conformance cases of the rules language are data that is not part of this
// repository: one subtest a case, in strict mode.
type conformance struct {
	Fixtures map[string]map[string]any `yaml:"fixtures"`
	Parse    []struct {
		ID, Cond string
		AST      *string `yaml:"ast"`
		Error    string
		At       int
	}
	Eval []struct {
		ID, Ev, Cond string
		Match        *bool
		Error        string
		Warnings     []string
	}
	EventSets []struct {
		ID, Cond string
		Events   yaml.Node
	} `yaml:"event_sets"`
	Load []struct {
		ID, What         string
		Files            []string
		OK               bool
		Errors, Warnings [][]string
		Compiled         map[string]string
		Tags             map[string][]string
		Output, Desc     map[string]string
		EnabledRules     *int `yaml:"enabled_rules"`
	}
	Selection struct {
		Rules string
		Cases []struct {
			ID       string
			Priority string
			Rules    []selectionCase
			Run      []string
		}
	}
	Engine []struct {
		ID, What, Ev, Priority string
		Files                  []string
		RuleMatching           string `yaml:"rule_matching"`
		Rules                  []selectionCase
		Fired                  []string
	}
	Format []struct {
		ID, Ev, Fmt, Out string
		JSON             bool             `yaml:"json"`
		ISO8601          bool             `yaml:"iso8601"`
		Output           *bool            `yaml:"include_output"`
		Tags             *bool            `yaml:"include_tags"`
		Message          *bool            `yaml:"include_message"`
		Fields           *bool            `yaml:"include_output_fields"`
		Extra            map[string][]any `yaml:"extra_fields"`
		Options          map[string]any   `yaml:"options"`
	}
	CLI struct {
		Files map[string]string
		Cases []struct {
			ID, Args string
			RC       int
			Out, Err []string
		}
	} `yaml:"cli"`
	Legacy []struct {
		ID, Flags         string
		RC                int
		Err               string
		Run               []string
		Output, Formatted string
		Condition         string
		SameAs            string `yaml:"same_as"`
	}
}

type selectionCase struct {
	Enable, Disable *struct{ Rule, Tag *string }
}

func loadConformance(t *testing.T) *conformance {
	t.Helper()
	name := os.Getenv("RULES_CONFORMANCE")
	if name == "" {
		shared := os.Getenv("FALCO_SHARED")
		if shared == "" {
			shared = filepath.Join("..", "..", "..", "shared")
		}
		name = filepath.Join(shared, "spec", "rules-conformance.yaml")
	}
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("SKIP all cases: FALCO_SHARED not found")
	}
	if err != nil {
		t.Fatal(err)
	}
	c := new(conformance)
	if err := yaml.Unmarshal(text, c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConformanceParse(t *testing.T) {
	c := loadConformance(t)
	if len(c.Parse) == 0 {
		t.Fatal("no cases")
	}
	for _, tc := range c.Parse {
		t.Run(tc.ID, func(t *testing.T) {
			e, err := filter.Syntax{Strict: true, Depth: filter.RulesDepth}.Parse(&filter.Source{Text: tc.Cond})
			if tc.AST != nil {
				if err != nil {
					t.Fatalf("%q: %v", tc.Cond, err)
				}
				if got := e.String(); got != *tc.AST {
					t.Errorf("%q\ngot  %s\nwant %s", tc.Cond, got, *tc.AST)
				}
				return
			}
			var fe *filter.Error
			if !errors.As(err, &fe) {
				t.Fatalf("%q: got %v, want an error", tc.Cond, e)
			}
			if fe.Msg != tc.Error || fe.Pos.Offset != tc.At {
				t.Errorf("%q\ngot  %d: %s\nwant %d: %s", tc.Cond, fe.Pos.Offset, fe.Msg, tc.At, tc.Error)
			}
		})
	}
}
