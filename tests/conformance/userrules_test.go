// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/falco-go/falco/pkg/rules"
)

// stock is what people put their own files on top of.
const stock = "../../rules/falco_rules.yaml"

// ruleFile reads a file: ours by its path, one of the given material by its
// name below user-rules or, for stock files of old, below rules.
func ruleFile(t *testing.T, name string) rules.File {
	t.Helper()
	from := name
	switch {
	case strings.HasPrefix(name, "../../rules/"):
	case strings.HasPrefix(name, "falco_"), strings.HasPrefix(name, "falco-"):
		from = shared(t, path.Join("data/rules", name))
	default:
		from = shared(t, path.Join("data/user-rules", name))
	}
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	return rules.File{Name: name, Content: text}
}

func ruleFiles(t *testing.T, names ...string) (files []rules.File) {
	t.Helper()
	for _, name := range names {
		files = append(files, ruleFile(t, name))
	}
	return files
}

// load loads files, which must succeed.
func load(t *testing.T, opts rules.Options, files ...rules.File) (*rules.Set, []rules.Result) {
	t.Helper()
	opts.Priority = rules.Debug
	set, results := rules.Load(files, opts)
	for i := range results {
		if !results[i].Successful() {
			t.Fatal(results[i].Text(true))
		}
	}
	return set, results
}

// warnings counts a result's warnings by code, without the common beginning.
func warnings(r rules.Result) map[string]int {
	counts := map[string]int{}
	for _, w := range r.Warnings {
		counts[strings.TrimPrefix(w.Code.Name, "LOAD_")]++
	}
	return counts
}

func findRule(t *testing.T, set *rules.Set, name string) *rules.Rule {
	t.Helper()
	for _, r := range set.Rules {
		if r.Name == name {
			return r
		}
	}
	t.Fatalf("rule %q is not loaded", name)
	return nil
}

// elsewhere is how rules begin to describe themselves that are in another of our files, and here by name alone.
const elsewhere = "In falco-"

// Our own file loads without a warning, and the local one adds nothing to it.
func TestStockRules(t *testing.T) {
	local, err := os.ReadFile("../../rules/falco_rules.local.yaml")
	if err != nil {
		t.Fatal(err)
	}
	set, results := load(t, rules.Options{}, ruleFile(t, stock), rules.File{Name: "local", Content: local})
	for _, r := range results {
		if len(r.Warnings) > 0 || r.Schema == rules.SchemaFailed {
			t.Error(r.Text(true))
		}
	}
	for _, r := range set.Rules {
		if r.Enabled == strings.HasPrefix(r.Desc, elsewhere) || len(r.Tags) == 0 || r.Desc == "" {
			t.Errorf("%s: enabled %v, tags %v, description %q", r.Name, r.Enabled, r.Tags, r.Desc)
		}
	}
}

// Every file that the user handed in loads as its README says, with the
// warnings that it deserves and no other.
func TestConformanceUserRules(t *testing.T) {
	none := map[string]int{}
	for _, tc := range []struct {
		name  string
		files []string
		want  []map[string]int // warnings, a file each
	}{
		{"macros", []string{stock, "macros-0.26.yaml", stock}, []map[string]int{
			none,
			{"COMPILE_CONDITION": 1, "DEPRECATED_ITEM": 32, "NO_EVTTYPE": 1, "UNUSED_LIST": 2},
			none,
		}},
		{"macros before", []string{"macros-0.26.yaml", stock}, []map[string]int{
			{"COMPILE_CONDITION": 1, "UNUSED_MACRO": 22},
			none,
		}},
		{"examples", []string{"examples.yaml"}, []map[string]int{
			{"DEPRECATED_ITEM": 3, "NO_EVTTYPE": 1},
		}},
		{"cks", []string{stock, "cks.yaml"}, []map[string]int{none, {"DEPRECATED_ITEM": 1, "NO_EVTTYPE": 1}}},
		{"tuning", []string{stock, "tuning-local.yaml"}, []map[string]int{none, none}},
		{"list", []string{"layering/list-base.yaml", "layering/list-local.yaml"}, []map[string]int{
			none, {"DEPRECATED_ITEM": 1},
		}},
		{"macro", []string{"layering/macro-base.yaml", "layering/macro-local.yaml"}, []map[string]int{
			none, {"DEPRECATED_ITEM": 1},
		}},
		{"rule", []string{"layering/rule-base.yaml", "layering/rule-local.yaml"}, []map[string]int{
			none, {"DEPRECATED_ITEM": 1},
		}},
		{"operators", []string{"layering/operators-base.yaml"}, []map[string]int{
			{"DEPRECATED_ITEM": 1, "NO_EVTTYPE": 1},
		}},
		{"disable", []string{stock, "layering/disable-local.yaml"}, []map[string]int{none, {"DEPRECATED_ITEM": 2}}},
		{"known binaries", []string{"layering/known-binaries.yaml"}, []map[string]int{
			{"NO_EVTTYPE": 1, "UNUSED_MACRO": 1},
		}},
		{"network", []string{stock, "layering/custom-network.yaml"}, []map[string]int{none, {"DEPRECATED_ITEM": 1}}},
		{"privileged", []string{stock, "layering/privileged.yaml"}, []map[string]int{
			none, {"DEPRECATED_ITEM": 1, "NO_EVTTYPE": 2},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, results := load(t, rules.Options{}, ruleFiles(t, tc.files...)...)
			for i, r := range results {
				if got := warnings(r); !maps.Equal(got, tc.want[i]) {
					t.Errorf("%s: got %v, want %v\n%s", tc.files[i], got, tc.want[i], r.Text(true))
				}
			}
		})
	}
}

// No file was forgotten: each one in the folder is loaded by one of the tests.
func TestConformanceUserRulesAll(t *testing.T) {
	covered := map[string]bool{
		"README.md": true, "layering": true, "falcoCustomRule.yaml": true, // see TestConformanceUserHelmValues
		"cks.yaml": true, "examples.yaml": true, "macros-0.26.yaml": true, "tuning-local.yaml": true,
		"layering/custom-network.yaml": true, "layering/disable-local.yaml": true, "layering/known-binaries.yaml": true,
		"layering/list-base.yaml": true, "layering/list-local.yaml": true, "layering/macro-base.yaml": true,
		"layering/macro-local.yaml": true, "layering/operators-base.yaml": true, "layering/privileged.yaml": true,
		"layering/rule-base.yaml": true, "layering/rule-local.yaml": true,
	}
	for _, folder := range []string{"", "layering"} {
		entries, err := os.ReadDir(shared(t, path.Join("data/user-rules", folder)))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if name := path.Join(folder, e.Name()); !covered[name] {
				t.Errorf("%s is in no test", name)
			}
		}
	}
}

// Each of the 27 macros can be used, on top of the stock lists.
func TestConformanceUserMacros(t *testing.T) {
	file := ruleFile(t, "macros-0.26.yaml")
	var items []struct{ Macro string }
	if err := yaml.Unmarshal(file.Content, &items); err != nil {
		t.Fatal(err)
	}
	if len(items) != 27 {
		t.Errorf("%d macros, want 27", len(items))
	}
	for _, item := range items {
		t.Run(item.Macro, func(t *testing.T) {
			probe := "- rule: probe\n  desc: d\n  condition: evt.type in (open, connect) and (" + item.Macro + ")\n  output: o\n  priority: INFO\n"
			set, results := load(t, rules.Options{}, ruleFile(t, stock), file, rules.File{Name: "probe", Content: []byte(probe)})
			var about []string
			for _, w := range results[2].Warnings {
				if slices.ContainsFunc(w.Locations, func(l rules.Location) bool { return l.Name == "probe" || l.Name == item.Macro }) &&
					w.Code != rules.WarnUnusedMacro {
					about = append(about, w.Code.Name+w.DeprecatedField)
				}
			}
			var want []string
			switch item.Macro {
			case "always_true":
				want = []string{"LOAD_COMPILE_CONDITION"} // evt.num=>0
			case "spawned_process", "inbound", "outbound", "inbound_outbound":
				want = []string{"LOAD_DEPRECATED_ITEMevt.dir"}
			}
			if !slices.Equal(about, want) {
				t.Errorf("warnings %v, want %v", about, want)
			}
			expr := findRule(t, set, "probe").Expr.String()
			for list, word := range map[string]string{"shell_procs": "bash", "sensitive_files": "/etc/shadow"} {
				if item.Macro == list && !strings.Contains(expr, word) {
					t.Errorf("the stock list is not in %s", expr)
				}
			}
		})
	}
}

// What local files do to those before them.
func TestConformanceUserLayers(t *testing.T) {
	expr := func(t *testing.T, rule string, names ...string) string {
		t.Helper()
		set, _ := load(t, rules.Options{}, ruleFiles(t, names...)...)
		return findRule(t, set, rule).Expr.String()
	}
	for _, tc := range []struct{ name, rule, want string }{
		{"list", "my_programs_opened_file", "(proc.name in (ls, cat, pwd, cp) and evt.type = open)"},
		{"macro", "program_accesses_file", "(proc.name in (cat, ls) and (evt.type = open or evt.type = openat))"},
		{"rule", "program_accesses_file", "(proc.name in (cat, ls) and evt.type = open and not user.name = root)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			base, local := "layering/"+tc.name+"-base.yaml", "layering/"+tc.name+"-local.yaml"
			if got := expr(t, tc.rule, base, local); got != tc.want {
				t.Errorf("got %s\nwant %s", got, tc.want)
			}
			_, results := rules.Load(ruleFiles(t, local, base), rules.Options{Priority: rules.Debug})
			if results[0].Successful() || !strings.Contains(results[0].Text(true), "already exists") {
				t.Errorf("appending to what comes later: %s", results[0].Text(true))
			}
		})
	}
	t.Run("operators", func(t *testing.T) {
		want := "((evt.type = open and proc.name = apache) or proc.name = nginx)"
		if got := expr(t, "my_rule", "layering/operators-base.yaml"); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	})
	t.Run("quotes", func(t *testing.T) {
		for rule, want := range map[string]string{
			"Any Open Activity by Systemd":          "(evt.type = open and proc.name in (systemd, (systemd)))",
			"Any Open Activity by Systemd (quoted)": "((evt.type = open and proc.name = (systemd)) or proc.name = systemd)",
		} {
			if got := expr(t, rule, "layering/known-binaries.yaml"); got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
		}
	})
	t.Run("hook", func(t *testing.T) {
		got := expr(t, "Read sensitive file untrusted", stock, "tuning-local.yaml")
		if !strings.Contains(got, "not proc.name = awsagent") {
			t.Errorf("the hook is not filled: %s", got)
		}
	})
	t.Run("disable", func(t *testing.T) {
		set, _ := load(t, rules.Options{}, ruleFiles(t, stock, "layering/disable-local.yaml")...)
		r := findRule(t, set, "User mgmt binaries")
		if r.Enabled || set.Runs(r) || !strings.HasSuffix(r.Expr.String(), "and evt.num = 0)") {
			t.Errorf("enabled %v, runs %v, %s", r.Enabled, set.Runs(r), r.Expr)
		}
	})
}

// Tags choose, on top of everything else that is loaded.
func TestConformanceUserTags(t *testing.T) {
	runs := func(opts rules.Options) map[string]bool {
		set, _ := load(t, opts, ruleFiles(t, stock, "layering/privileged.yaml")...)
		names := map[string]bool{}
		for _, r := range set.Rules {
			if set.Runs(r) {
				names[r.Name] = true
			}
		}
		return names
	}
	const rule = "File Open by Privileged Container"
	tagged := map[string]bool{}
	set, _ := load(t, rules.Options{}, ruleFiles(t, stock, "layering/privileged.yaml")...)
	for _, r := range set.Rules {
		if slices.Contains(r.Tags, "cis") {
			tagged[r.Name] = true
		}
	}
	all := runs(rules.Options{})
	only := runs(rules.Options{Legacy: rules.Legacy{EnabledTags: []string{"cis"}}})
	without := runs(rules.Options{Legacy: rules.Legacy{DisabledTags: []string{"cis"}}})
	if !tagged[rule] || !maps.Equal(only, tagged) {
		t.Errorf("-t cis runs %v, tagged are %v", only, tagged)
	}
	for name := range all {
		if without[name] == tagged[name] {
			t.Errorf("-T cis: %s runs: %v", name, without[name])
		}
	}
	if !all[rule] || len(without) >= len(all) {
		t.Errorf("%d rules run, %d with -T cis", len(all), len(without))
	}
}

// The files that a chart makes of customRules load, in the order of their names.
func TestConformanceUserHelmValues(t *testing.T) {
	var values struct {
		CustomRules map[string]string `yaml:"customRules"`
	}
	if err := yaml.Unmarshal(ruleFile(t, "falcoCustomRule.yaml").Content, &values); err != nil {
		t.Fatal(err)
	}
	files := []rules.File{ruleFile(t, stock)}
	for _, name := range slices.Sorted(maps.Keys(values.CustomRules)) {
		files = append(files, rules.File{Name: name, Content: []byte(values.CustomRules[name])})
	}
	set, results := load(t, rules.Options{}, files...)
	r := findRule(t, set, "Connection to test or release")
	if !strings.Contains(r.Expr.String(), "fd.sip in (197.255.20.45)") {
		t.Errorf("the address is not in %s", r.Expr)
	}
	if len(results) != 2 || !maps.Equal(warnings(results[1]), map[string]int{"DEPRECATED_ITEM": 1}) {
		t.Errorf("%d files, %v", len(results), warnings(results[len(results)-1]))
	}
}

// The stock files of other versions load, alone and together, and every rule of
// theirs is there. The newest ones earn no warning, nor do they from the original;
// old ones earn those for what has been given up since.
func TestConformanceOtherStockRules(t *testing.T) {
	none := map[string]int{}
	old := map[string]int{"DEPRECATED_ITEM": 58, "UNUSED_MACRO": 13, "UNUSED_LIST": 7, "NO_EVTTYPE": 3}
	for _, tc := range []struct {
		names []string
		want  map[string]int // warnings after the last file; nil: not looked at
	}{
		{[]string{"falco_rules-0.26.2.yaml"}, old},
		{[]string{"falco_rules-0.26.2.yaml", "falco_rules.local-0.26.2.yaml"}, old},
		{[]string{"falco_rules-1.0.1.yaml"}, map[string]int{"DEPRECATED_ITEM": 82}},
		{[]string{"falco_rules-5.1.0.yaml"}, none},
		{[]string{"falco-incubating_rules.yaml"}, none},
		{[]string{"falco-sandbox_rules.yaml"}, none},
		{[]string{"falco_rules-5.1.0.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml"}, none},
		{[]string{stock, "falco_rules-0.26.2.yaml"}, nil},
		{[]string{stock, "falco_rules-5.1.0.yaml"}, nil},
	} {
		names := tc.names
		t.Run(strings.Join(names, "+"), func(t *testing.T) {
			files := ruleFiles(t, names...)
			set, results := load(t, rules.Options{}, files...)
			last := results[len(results)-1]
			if got := warnings(last); tc.want != nil && (!maps.Equal(got, tc.want) || last.Schema == rules.SchemaFailed) {
				t.Errorf("warnings %v, want %v; schema %s", got, tc.want, last.Schema)
			}
			want := map[string]bool{}
			for _, f := range files {
				var items []struct{ Rule string }
				if err := yaml.Unmarshal(f.Content, &items); err != nil {
					t.Fatal(err)
				}
				for _, item := range items {
					if item.Rule != "" {
						want[item.Rule] = true
					}
				}
			}
			for _, r := range set.Rules {
				delete(want, r.Name)
			}
			if len(want) > 0 {
				t.Errorf("not loaded: %v", slices.Sorted(maps.Keys(want)))
			}
		})
	}
}
