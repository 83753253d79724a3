// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/falco-go/falco/pkg/rules"
)

// Our files: what everybody loads, and what is loaded on top by those who want more.
const (
	incubating = "../../rules/falco-incubating_rules.yaml"
	sandbox    = "../../rules/falco-sandbox_rules.yaml"
	deprecated = "../../rules/falco-deprecated_rules.yaml"
)

// asleep is how rules begin to describe themselves that wait for a local file to fill their hook.
const asleep = "Asleep until "

// names are what a rule file defines.
type names struct{ rules, macros, lists map[string]bool }

func namesOf(t *testing.T, files ...string) names {
	t.Helper()
	n := names{map[string]bool{}, map[string]bool{}, map[string]bool{}}
	for _, f := range ruleFiles(t, files...) {
		var items []struct{ Rule, Macro, List string }
		if err := yaml.Unmarshal(f.Content, &items); err != nil {
			t.Fatal(err)
		}
		for _, item := range items {
			switch {
			case item.Rule != "":
				n.rules[item.Rule] = true
			case item.Macro != "":
				n.macros[item.Macro] = true
			case item.List != "":
				n.lists[item.List] = true
			}
		}
	}
	return n
}

// oldStock are the stock files whose names local files know.
var oldStock = []string{"falco_rules-0.26.2.yaml", "falco_rules-1.0.1.yaml", "falco_rules-5.1.0.yaml"}

// Every name of the stock files of other years is ours, and what local files append to it, in either way of saying so,
// finds it.
func TestConformanceOldNames(t *testing.T) {
	old := namesOf(t, oldStock...)
	if len(old.rules) < 80 || len(old.macros) < 320 || len(old.lists) < 120 {
		t.Fatalf("%d rules, %d macros, %d lists: too few to be all", len(old.rules), len(old.macros), len(old.lists))
	}
	for _, way := range []struct{ name, condition, items string }{
		{"append", "append: true", "append: true"},
		{"override", "override: {condition: append}", "override: {items: append}"},
	} {
		t.Run(way.name, func(t *testing.T) {
			var local strings.Builder
			for _, name := range slices.Sorted(maps.Keys(old.lists)) {
				fmt.Fprintf(&local, "- {list: %q, items: [], %s}\n", name, way.items)
			}
			for _, name := range slices.Sorted(maps.Keys(old.macros)) {
				fmt.Fprintf(&local, "- {macro: %q, condition: or (evt.num = 0), %s}\n", name, way.condition)
			}
			for _, name := range slices.Sorted(maps.Keys(old.rules)) {
				fmt.Fprintf(&local, "- {rule: %q, condition: and not (proc.name = appended), %s}\n", name, way.condition)
			}
			set, _ := load(t, rules.Options{}, ruleFile(t, stock), rules.File{Name: "local", Content: []byte(local.String())})
			for name := range old.rules {
				if got := findRule(t, set, name).Expr.String(); !strings.Contains(got, "not proc.name = appended") {
					t.Errorf("%s: nothing is appended to %s", name, got)
				}
			}
		})
	}
}

// Every macro of other years works: fill it, and a rule asks it. Lists likewise.
func TestConformanceOldHooks(t *testing.T) {
	old := namesOf(t, oldStock...)
	files := ruleFiles(t, stock, incubating, sandbox, deprecated)
	// What a rule asks of each, whichever field that is.
	var local strings.Builder
	for _, name := range slices.Sorted(maps.Keys(old.lists)) {
		fmt.Fprintf(&local, "- {list: %q, items: [%q], override: {items: append}}\n", name, "item_"+name)
	}
	numeric := map[string]bool{ // of ports, which want numbers, and of addresses
		"authorized_server_port": true, "expected_udp_ports": true, "l2tp_udp_ports": true, "miner_ports": true, "ntp_ports": true,
		"openvpn_udp_ports": true, "ssh_non_standard_ports": true, "statsd_ports": true, "test_connect_ports": true,
		"allowed_inbound_source_ipaddrs": true, "allowed_inbound_source_networks": true, "allowed_outbound_destination_ipaddrs": true,
		"allowed_outbound_destination_networks": true, "c2_server_ip_list": true, "rfc_1918_addresses": true,
	}
	text := local.String()
	for name := range numeric {
		value := "1.2.3.4"
		switch {
		case strings.HasSuffix(name, "_port"), strings.HasSuffix(name, "_ports"):
			value = "65001"
		case strings.HasSuffix(name, "_networks"), name == "rfc_1918_addresses":
			value = "1.2.3.0/24"
		}
		text = strings.Replace(text, fmt.Sprintf("%q", "item_"+name), fmt.Sprintf("%q", value), 1)
	}
	set, _ := load(t, rules.Options{}, append(files, rules.File{Name: "lists", Content: []byte(text)})...)
	asked := conditions(set)
	for name := range old.lists {
		if !numeric[name] && !strings.Contains(asked, "item_"+name) {
			t.Errorf("list %s: nothing asks it", name)
		}
	}
	// Of macros one level at a time: what is filled hides what it was made of.
	level := levels(t, files)
	for n := range slices.Max(slices.Collect(maps.Values(level))) + 1 {
		var hooks strings.Builder
		for name := range old.macros {
			if level[name] == n {
				fmt.Fprintf(&hooks, "- {macro: %q, condition: (proc.name = filled_%s)}\n", name, name)
			}
		}
		// With our other files on top, some rules that wait for a hook in the stock file wait no more.
		asked := ""
		for _, below := range [][]rules.File{files[:1], files} {
			set, _ := load(t, rules.Options{}, append(slices.Clone(below), rules.File{Name: "hooks", Content: []byte(hooks.String())})...)
			asked += conditions(set)
		}
		for name := range old.macros {
			if level[name] == n && !slices.ContainsFunc([]string{")", " ", "\n"}, func(end string) bool {
				return strings.Contains(asked, "filled_"+name+end)
			}) {
				t.Errorf("macro %s: no rule asks it", name)
			}
		}
	}
}

// levels says of each macro how many macros are between it and those that are made of none.
func levels(t *testing.T, files []rules.File) map[string]int {
	t.Helper()
	level := map[string]int{}
	for _, f := range files {
		var items []struct{ Macro, Condition string }
		if err := yaml.Unmarshal(f.Content, &items); err != nil {
			t.Fatal(err)
		}
		for _, item := range items {
			if item.Macro == "" {
				continue
			}
			n := 0
			for _, word := range strings.FieldsFunc(item.Condition, func(r rune) bool { return strings.ContainsRune(" \n()=,", r) }) {
				if below, found := level[word]; found {
					n = max(n, below+1)
				}
			}
			level[item.Macro] = n
		}
	}
	return level
}

// conditions is all that the rules of a set ask, but for those that never match.
func conditions(set *rules.Set) string {
	var all strings.Builder
	for _, r := range set.Rules {
		if !strings.HasPrefix(r.Desc, elsewhere) {
			all.WriteString(r.Expr.String())
			all.WriteByte('\n')
		}
	}
	return all.String()
}

// The local file that came with 0.26, whole stock files, and what the user has for on top of them, on top of all of ours.
func TestConformanceOnTopOfOurs(t *testing.T) {
	for _, name := range []string{"falco_rules.local-0.26.2.yaml", "falco_rules-0.26.2.yaml", "falco_rules-1.0.1.yaml", "falco_rules-5.1.0.yaml",
		"falco-incubating_rules.yaml", "falco-sandbox_rules.yaml", "cks.yaml", "macros-0.26.yaml", "tuning-local.yaml"} {
		load(t, rules.Options{}, ruleFiles(t, stock, incubating, sandbox, deprecated, name)...)
	}
}

// A rule of ours that goes by a name of theirs has its priority, its tags and its state, so that what people select by them
// stays selected. Those of our own are listed.
func TestConformanceStockNames(t *testing.T) {
	type mark struct {
		priority rules.Priority
		tags     string
		enabled  bool
	}
	sleeps := map[string]bool{}
	marks := func(names ...string) map[string]mark {
		all := map[string]mark{}
		set, _ := load(t, rules.Options{}, ruleFiles(t, names...)...)
		for _, r := range set.Rules {
			if !strings.HasPrefix(r.Desc, elsewhere) {
				all[r.Name] = mark{r.Priority, strings.Join(r.Tags, " "), r.Enabled}
			}
			sleeps[r.Name] = sleeps[r.Name] || strings.HasPrefix(r.Desc, asleep)
		}
		return all
	}
	given := func(name string, ours ...string) (own []string) {
		theirs, mine := marks(name), marks(ours...)
		for name, want := range theirs {
			got, found := mine[name]
			if sleeps[name] { // which is as good as not enabled, unless another of our files wakes it
				got.enabled = want.enabled
			}
			if !found || got != want {
				t.Errorf("%s: got %v, want %v", name, got, want)
			}
		}
		for name := range mine {
			if _, found := theirs[name]; !found && !sleeps[name] {
				own = append(own, name)
			}
		}
		slices.Sort(own)
		return own
	}
	own := given("falco_rules-5.1.0.yaml", stock)
	if want := []string{
		"Mount over system directory", "Redirect STDIN to Network Connection on Host", "Sensitive file moved away",
		"Unexpected use of io_uring", "User mgmt binaries",
	}; !slices.Equal(own, want) {
		t.Errorf("of our own are %q, want %q", own, want)
	}
	given("falco-incubating_rules.yaml", stock, incubating)
	given("falco-sandbox_rules.yaml", stock, sandbox)
}
