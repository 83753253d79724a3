// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/falco-go/falco/pkg/alert"
	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/filter"
	"github.com/falco-go/falco/pkg/filter/filtertest"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

// The conformance cases of the rules language are data that is not part of this
// repository: one subtest a case, in strict mode. Those of the command line are
// played by the daemon; tests/conformance holds the union against the data.
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
	}
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

// fixture makes the scene and the facts of a case.
func (c *conformance) fixture(t *testing.T, name string) (filtertest.Facts, *state.Scene) {
	t.Helper()
	facts := filtertest.Facts{}
	for k, v := range c.Fixtures["common"] {
		facts[k] = v
	}
	if c.Fixtures[name] == nil {
		t.Fatalf("no fixture %q", name)
	}
	for k, v := range c.Fixtures[name] {
		facts[k] = v
	}
	typ := schema.GenericX
	for i := range schema.Events {
		e := &schema.Events[i]
		if e.Name == facts["evt.type"] && !e.Type.IsEnter() {
			typ = e.Type
		}
	}
	e := &event.Event{Num: uint64(facts["evt.num"].(int)), TS: uint64(facts["evt.rawtime"].(int)), Type: typ, Info: typ.Info()}
	return facts, &state.Scene{Event: e, FDNum: -1}
}

func messages(issues []filter.Warning) []string {
	var out []string
	for _, w := range issues {
		out = append(out, w.Msg)
	}
	return out
}

func TestConformanceEval(t *testing.T) {
	c := loadConformance(t)
	for _, tc := range c.Eval {
		t.Run(tc.ID, func(t *testing.T) {
			facts, scene := c.fixture(t, tc.Ev)
			f := new(filtertest.Real)
			f.Set(facts)
			comp := &filter.Compiler{Fields: f, Strict: true}
			e, err := filter.Syntax{Strict: true, Depth: filter.RulesDepth}.Parse(&filter.Source{Text: tc.Cond})
			if err != nil {
				t.Fatalf("%q: %v", tc.Cond, err)
			}
			p, err := comp.Compile(e)
			if tc.Match == nil {
				if err == nil || err.Error() != tc.Error {
					t.Fatalf("%q\ngot  %v\nwant %s", tc.Cond, err, tc.Error)
				}
				return
			}
			if err != nil {
				t.Fatalf("%q: %v", tc.Cond, err)
			}
			env := comp.NewEnv()
			env.Begin(scene)
			if got := p.Match(env); got != *tc.Match {
				t.Errorf("%q: got %v", tc.Cond, got)
			}
			if diff := cmp.Diff(tc.Warnings, messages(comp.Warnings)); diff != "" {
				t.Errorf("%q: warnings (-want +got)\n%s", tc.Cond, diff)
			}
		})
	}
}

func TestConformanceEventSets(t *testing.T) {
	c := loadConformance(t)
	for _, tc := range c.EventSets {
		t.Run(tc.ID, func(t *testing.T) {
			e, err := filter.Syntax{Strict: true}.Parse(&filter.Source{Text: tc.Cond})
			if err != nil {
				t.Fatal(err)
			}
			set := filter.Events(e)
			all := filter.AllEvents
			names := set.Names()
			switch tc.Events.Kind {
			case yaml.ScalarNode:
				if set != all {
					t.Errorf("%q: got %v, want all", tc.Cond, names)
				}
				return
			case yaml.MappingNode:
				names = nil
				rest := set.Complement()
				names = append(names, rest.Names()...)
				tc.Events = *tc.Events.Content[1]
			}
			var want []string
			if err := tc.Events.Decode(&want); err != nil {
				t.Fatal(err)
			}
			if len(want) == 0 {
				want = []string{}
			}
			if diff := cmp.Diff(want, names); diff != "" {
				t.Errorf("%q (-want +got)\n%s", tc.Cond, diff)
			}
		})
	}
}

func named(texts ...string) []File {
	var out []File
	for i, s := range texts {
		out = append(out, File{fmt.Sprintf("f%d.yaml", i+1), []byte(s)})
	}
	return out
}

func pairs(issues []*Issue) [][]string {
	var out [][]string
	for _, i := range issues {
		out = append(out, []string{i.Code.Name, i.Message})
	}
	return out
}

func TestConformanceLoad(t *testing.T) {
	c := loadConformance(t)
	for _, tc := range c.Load {
		t.Run(tc.ID, func(t *testing.T) {
			set, results := Load(named(tc.Files...), Options{Fields: new(filtertest.Real), StrictUpstream: true, Priority: Debug})
			last := results[len(results)-1]
			if last.Successful() != tc.OK {
				t.Fatalf("ok: got %v\n%s", last.Successful(), last.Text(true))
			}
			if diff := cmp.Diff(tc.Errors, pairs(last.Errors)); diff != "" {
				t.Errorf("errors (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(tc.Warnings, pairs(last.Warnings)); diff != "" {
				t.Errorf("warnings (-want +got)\n%s", diff)
			}
			if !tc.OK {
				return
			}
			if tc.Compiled != nil {
				got := map[string]string{}
				for _, r := range set.Rules {
					got[r.Name] = r.Expr.String()
				}
				if diff := cmp.Diff(tc.Compiled, got); diff != "" {
					t.Errorf("compiled (-want +got)\n%s", diff)
				}
			}
			enabled := 0
			for _, r := range set.Rules {
				if r.Enabled {
					enabled++
				}
				if want, ok := tc.Tags[r.Name]; ok && !cmp.Equal(want, append([]string{}, r.Tags...)) {
					t.Errorf("tags of %s: %v, want %v", r.Name, r.Tags, want)
				}
				if want, ok := tc.Output[r.Name]; ok && want != r.Output.Text {
					t.Errorf("output of %s: %q, want %q", r.Name, r.Output.Text, want)
				}
				if want, ok := tc.Desc[r.Name]; ok && want != r.Desc {
					t.Errorf("desc of %s: %q, want %q", r.Name, r.Desc, want)
				}
			}
			if tc.EnabledRules != nil && enabled != *tc.EnabledRules {
				t.Errorf("%d rules enabled, want %d", enabled, *tc.EnabledRules)
			}
		})
	}
}

func selection(in []selectionCase) (out []Selection) {
	for _, c := range in {
		s := Selection{Enable: c.Enable != nil}
		e := c.Disable
		if s.Enable {
			e = c.Enable
		}
		if e.Rule != nil {
			s.Rule, s.HasRule = *e.Rule, true
		}
		if e.Tag != nil {
			s.Tag, s.HasTag = *e.Tag, true
		}
		out = append(out, s)
	}
	return out
}

func priorityOf(t *testing.T, name string) Priority {
	t.Helper()
	if name == "" {
		return Debug
	}
	p, err := ParsePriority(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func running(s *Set) []string {
	out := []string{}
	for _, r := range s.Rules {
		if s.Runs(r) {
			out = append(out, r.Name)
		}
	}
	return out
}

func TestConformanceSelection(t *testing.T) {
	c := loadConformance(t)
	for _, tc := range c.Selection.Cases {
		t.Run(tc.ID, func(t *testing.T) {
			set, results := Load(named(c.Selection.Rules), Options{Fields: new(filtertest.Real), StrictUpstream: true,
				Priority: priorityOf(t, tc.Priority), Selection: selection(tc.Rules)})
			if set == nil {
				t.Fatal(results[0].Text(true))
			}
			if diff := cmp.Diff(tc.Run, running(set)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestConformanceEngine(t *testing.T) {
	c := loadConformance(t)
	for _, tc := range c.Engine {
		t.Run(tc.ID, func(t *testing.T) {
			facts, scene := c.fixture(t, tc.Ev)
			f := new(filtertest.Real)
			f.Set(facts)
			set, results := Load(named(tc.Files...), Options{Fields: f, StrictUpstream: true,
				Priority: priorityOf(t, tc.Priority), Selection: selection(tc.Rules), All: tc.RuleMatching == "all"})
			if set == nil {
				t.Fatal(results[len(results)-1].Text(true))
			}
			got := []string{}
			for _, r := range set.Match(scene, nil) {
				got = append(got, r.Name)
			}
			if diff := cmp.Diff(tc.Fired, got); diff != "" {
				t.Errorf("%s (-want +got)\n%s", tc.What, diff)
			}
		})
	}
}

func orTrue(b *bool) bool { return b == nil || *b }

func TestConformanceFormat(t *testing.T) {
	c := loadConformance(t)
	for _, tc := range c.Format {
		t.Run(tc.ID, func(t *testing.T) {
			facts, scene := c.fixture(t, tc.Ev)
			stamp := time.Unix(0, int64(scene.Event.TS)).UTC()
			facts["evt.time.s"] = stamp.Format("15:04:05")
			facts["evt.datetime"] = stamp.Format("2006-01-02 15:04:05.000000000")
			f := new(filtertest.Real)
			f.Set(facts)
			rule, err := yaml.Marshal([]map[string]any{{"rule": "R1", "desc": "d", "condition": "evt.num > 0", "output": tc.Fmt, "priority": "WARNING"}})
			if err != nil {
				t.Fatal(err)
			}
			var extra []ExtraField
			for k, v := range tc.Extra {
				e := ExtraField{Key: k, Format: v[0].(string), Raw: v[1].(bool)}
				if e.Raw {
					e.Format = e.Format[1:]
				}
				extra = append(extra, e)
			}
			set, results := Load(named(string(rule)), Options{Fields: f, StrictUpstream: true, Priority: Debug, Append: []AppendOutput{{Fields: extra}}})
			if set == nil {
				t.Fatal(results[0].Text(true))
			}
			matched := set.Match(scene, nil)
			if len(matched) != 1 {
				t.Fatal("the rule does not match")
			}
			r := matched[0]
			a := alert.Alert{TimeNs: scene.Event.TS, Rule: r.Name, Source: r.Source, Severity: alert.Severity(r.Priority),
				Message: string(set.Text(r, nil)), Tags: r.Tags}
			for _, f := range set.Fields(r, nil) {
				a.Fields = append(a.Fields, alert.Field(f))
			}
			style := alert.Style{JSON: tc.JSON, ISO8601: tc.ISO8601, Output: orTrue(tc.Output), Message: tc.Message != nil && *tc.Message,
				Fields: orTrue(tc.Fields), Tags: orTrue(tc.Tags), Hostname: "host1", Location: time.UTC}
			if got := string(style.Append(nil, &a)); got != tc.Out {
				t.Errorf("%q\ngot  %s\nwant %s", tc.Fmt, got, tc.Out)
			}
		})
	}
}

func TestConformanceLegacy(t *testing.T) {
	c := loadConformance(t)
	for _, tc := range c.Legacy {
		t.Run(tc.ID, func(t *testing.T) {
			o := Options{Fields: new(filtertest.Real), Priority: Debug}
			switch {
			case tc.SameAs != "":
				a, err := filter.Syntax{}.Parse(&filter.Source{Text: tc.Condition})
				if err != nil {
					t.Fatal(err)
				}
				b, err := filter.Syntax{}.Parse(&filter.Source{Text: tc.SameAs})
				if err != nil {
					t.Fatal(err)
				}
				if filter.Events(a) != filter.Events(b) {
					t.Errorf("%q and %q see different events", tc.Condition, tc.SameAs)
				}
				for num := 0; num < 3; num++ {
					f := new(filtertest.Real)
					f.Set(filtertest.Facts{"evt.num": num})
					comp := &filter.Compiler{Fields: f}
					pa, err := comp.Compile(a)
					if err != nil {
						t.Fatal(err)
					}
					pb, err := comp.Compile(b)
					if err != nil {
						t.Fatal(err)
					}
					env := comp.NewEnv()
					env.Begin(nil)
					if pa.Match(env) != pb.Match(env) {
						t.Errorf("%q and %q differ for %d", tc.Condition, tc.SameAs, num)
					}
				}
			case tc.Formatted != "":
				// what the flags become is the daemon's business: here, that the text gets in
				info := strings.TrimSuffix(strings.TrimPrefix(tc.Formatted, "x "), " y")
				if tc.ID == "G017" {
					info = "%container.name (id=%container.id)"
					o.Append = []AppendOutput{{Output: "pid=%proc.pid"}}
				}
				o.ContainerInfo = info
				set, results := Load(named("- {rule: r, desc: d, condition: evt.type=open, priority: INFO, output: '"+tc.Output+"'}"), o)
				if set == nil {
					t.Fatal(results[0].Text(true))
				}
				if got := set.Rules[0].Output.Text; got != tc.Formatted {
					t.Errorf("got  %s\nwant %s", got, tc.Formatted)
				}
			default:
				words := strings.Fields(tc.Flags)
				for i := 0; i+1 < len(words); i += 2 {
					v := strings.Trim(words[i+1], "'")
					switch words[i] {
					case "-D":
						o.Legacy.DisabledSubstrings = append(o.Legacy.DisabledSubstrings, v)
					case "-T":
						o.Legacy.DisabledTags = append(o.Legacy.DisabledTags, v)
					case "-t":
						o.Legacy.EnabledTags = append(o.Legacy.EnabledTags, v)
					}
				}
				if err := o.CheckSelection(); err != nil || tc.Err != "" {
					if err == nil || err.Error() != tc.Err {
						t.Errorf("got %v, want %s", err, tc.Err)
					}
					return
				}
				set, results := Load(named(c.Selection.Rules), o)
				if set == nil {
					t.Fatal(results[0].Text(true))
				}
				if diff := cmp.Diff(tc.Run, running(set)); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			}
		})
	}
}
