// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/rules"
	"github.com/falco-go/falco/pkg/schema"
)

// three rules: about files, about a call without an event type of its own, and
// one that is off.
const three = `
- {rule: Open file, desc: d, condition: "evt.type in (open, openat) and fd.name = /etc/x", output: o, priority: INFO, tags: [file]}
- {rule: Get pid, desc: d, condition: evt.type = getpid, output: o, priority: ERROR, tags: [proc, few]}
- {rule: Trace, desc: d, condition: evt.type = ptrace, output: o, priority: ERROR, enabled: false, tags: [proc]}
`

// logged returns what follows a text in the lines of a log that have it.
func logged(log, text string) (out []string) {
	for _, m := range regexp.MustCompile(`(?m): `+text+`(.*)$`).FindAllStringSubmatch(log, -1) {
		out = append(out, m[1])
	}
	return out
}

// TestSelection plays ways to say which rules run, and shows which do and what
// the kernel is then asked for on their behalf.
func TestSelection(t *testing.T) {
	for _, tc := range []struct {
		name, args string
		runs       string // rules
		calls      string // that they look at
		says       string
	}{
		{"all that are on", "", "Open file, Get pid", "getpid, open, openat", ""},
		{"-D", "-D file", "Get pid", "getpid", "Disabling rules matching substring: file"},
		{"-D knows case", "-D FILE", "Open file, Get pid", "getpid, open, openat", ""},
		{"-D everything", "-D ''", "", "", "Disabling rules matching substring: "},
		{"-T", "-T proc", "Open file", "open, openat", "Disabling rules with tag: proc"},
		{"-t turns on what is off", "-t proc", "Get pid, Trace", "getpid, ptrace", "Enabling rules with tag: proc"},
		{"-t twice", "-t few -t file", "Open file, Get pid", "getpid, open, openat", ""},
		{"rules: by name", "-o 'rules[].disable.rule=Open file'", "Get pid", "getpid", "Disabling rules with name: Open file"},
		{"rules: by pattern", "-o 'rules[].disable.rule=*e*'", "", "", "Disabling rules with name: *e*"},
		{"rules: in order", "-o 'rules[].disable.rule=*' -o 'rules[].enable.tag=proc'", "Get pid, Trace", "getpid, ptrace", "Enabling rules with tag: proc"},
		{"priority", "-o priority=error", "Get pid", "getpid", ""},
		{"priority over rules:", "-o priority=error -o 'rules[].enable.rule=*'", "Get pid, Trace", "getpid, ptrace", ""},
		{"priority over -t", "-o priority=critical -t proc", "", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, _, err := play(t, map[string]string{"r.yaml": three}, append(words(tc.args), "-r", "r.yaml", "-o", "log_level=debug", "--dry-run")...)
			if code != 0 || !strings.Contains(err, tc.says) {
				t.Fatalf("exit code %d, no %q in\n%s", code, tc.says, err)
			}
			_, list, _ := strings.Cut(err, ": Enabled rules:\n")
			list, _, _ = strings.Cut(list, "enabled rules in total")
			if got := strings.Join(logged(list, "   "), ", "); got != tc.runs {
				t.Errorf("%q run, want %q", got, tc.runs)
			}
			if got := strings.Join(logged(err, `\(\d+\) syscalls in rules: `), ""); got != tc.calls {
				t.Errorf("rules look at %q, want %q", got, tc.calls)
			}
		})
	}
}

// TestSelectionExcludes plays ways that exclude each other.
func TestSelectionExcludes(t *testing.T) {
	for args, want := range map[string]string{
		"-t a -T b": "You can not specify both disabled (-D/-T) and enabled (-t) rules",
		"-t a -D b": "You can not specify both disabled (-D/-T) and enabled (-t) rules",
		"-D a -o 'rules[].disable.rule=*'": `Specifying -D, -t, -T command line options together with "rules:" configuration ` +
			`or -o "rules..." is not supported.`,
		"-o rule_matching=some":         `Unknown rule matching strategy "some"--must be one of first, all`,
		"-o priority=high":              `Unknown priority "high"--must be one of emergency, alert, critical, error, warning, notice, informational, debug`,
		"-o 'rules[].disable.rules=*'":  "bad conversion",
		"-o 'rules[].rule.disable=*'":   "bad conversion",
		"-r nothing.yaml":               "Could not open file nothing.yaml for reading",
		"-o 'rules_files[]=none.yaml' ": "", // what the configuration names need not be there
	} {
		t.Run(args, func(t *testing.T) {
			code, _, err := play(t, map[string]string{"r.yaml": three}, append(words(args), "-r", "r.yaml", "--dry-run")...)
			if want == "" && code == 0 {
				return
			}
			if code != 1 || !strings.Contains(err, "Error: ") || !strings.Contains(err, want) {
				t.Errorf("exit code %d, no %q in\n%s", code, want, err)
			}
		})
	}
}

// TestQuietRules: what the module sends is what some rule that runs looks at and
// what the state needs, and no more; -A adds what comes by the thousand.
func TestQuietRules(t *testing.T) {
	set, results := rules.Load([]rules.File{{Name: "r.yaml", Content: []byte(three +
		"- {rule: Write, desc: d, condition: \"evt.type in (write, signaldeliver)\", output: o, priority: DEBUG}\n" +
		"- {rule: Beside, desc: d, condition: \"evt.type = mlock and evt.num = 0\", output: o, priority: DEBUG}\n")}},
		rules.Options{Priority: rules.Debug})
	if set == nil {
		t.Fatal(results[0].Text(true))
	}
	in := rulesCalls(set)
	if got := in.String(); got != "getpid, open, openat, signaldeliver, write" {
		t.Errorf("rules look at %s", got)
	}
	var state calls
	state.add(stateCalls...)
	for _, all := range []bool{false, true} {
		var stderr bytes.Buffer
		c := &config.Config{}
		c.BaseSyscalls.All = all
		got := selectCalls(newLogger(&stderr), &stderr, c, in)
		want := in
		want.union(&state)
		want[schema.ScWrite] = all
		if d1, d2 := difference(&got, &want), difference(&want, &got); d1.count() > 0 || d2.count() > 0 {
			t.Errorf("all %v: more than expected: %s; less: %s", all, d1, d2)
		}
		if warned := strings.Contains(stderr.String(), "(unsupported-evttype): write\n"); warned == all {
			t.Errorf("all %v: %s", all, &stderr)
		}
	}
}

// TestValidateJSON: the JSON report and the text one go to their places, for a
// good, an odd and a bad file at once.
func TestValidateJSON(t *testing.T) {
	files := map[string]string{
		"good.yaml": three,
		"odd.yaml":  "- {macro: m, condition: evt.type = open, extra: 1}\n",
		"bad.yaml":  "- {rule: b, desc: d, condition: evt.type = opne, output: o, priority: INFO}\n",
	}
	code, out, errs := play(t, files, "-V", "good.yaml", "-V", "odd.yaml", "-V", "bad.yaml", "-o", "json_output=true", "-L")
	var report struct {
		Results []struct {
			Name             string
			Successful       bool
			Errors, Warnings []struct {
				Code, Codedesc, Message string
				Context                 struct {
					Locations []struct {
						Type     string `json:"item_type"`
						Position struct{ Line, Column, Offset int }
					}
					Snippet string
				}
			}
		} `json:"falco_load_results"`
		Described json.RawMessage `json:"falco_describe_results"`
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || strings.Count(out, "\n") != 1 {
		t.Fatalf("%v\n%s", err, out)
	}
	if code != 1 || len(report.Results) != 3 || report.Described != nil {
		t.Fatalf("exit code %d: %s", code, out)
	}
	good, odd, bad := report.Results[0], report.Results[1], report.Results[2]
	if !good.Successful || len(good.Errors)+len(good.Warnings) > 0 || !odd.Successful || bad.Successful || len(bad.Errors) != 1 {
		t.Error(out)
	}
	var codes []string
	for _, w := range odd.Warnings {
		codes = append(codes, w.Code)
	}
	if !slices.Equal(codes, []string{"LOAD_UNKNOWN_KEY", "LOAD_UNUSED_MACRO"}) {
		t.Errorf("warnings of odd.yaml: %s", codes)
	}
	e := bad.Errors[0]
	if e.Code != "LOAD_ERR_COMPILE_CONDITION" || e.Codedesc != "Error compiling condition" || e.Message != "unknown event type opne" ||
		len(e.Context.Locations) < 3 || !strings.HasSuffix(e.Context.Snippet, "evt.type = opne\n              ^\n") {
		t.Errorf("%+v", e)
	}
	for _, want := range []string{"Error: good.yaml: Ok\n", "odd.yaml: Ok, with warnings\n", "LOAD_UNKNOWN_KEY", "bad.yaml: Invalid\n1 Errors:\n",
		"LOAD_ERR_COMPILE_CONDITION (Error compiling condition): unknown event type opne\n", `falco: hint: did you mean "open"?`} {
		if !strings.Contains(errs, want) {
			t.Errorf("stderr has no %q:\n%s", want, errs)
		}
	}
}

// TestRuleMatching: an event is told by the first rule that matches, or by all,
// in the order of the files.
func TestRuleMatching(t *testing.T) {
	capture, err := filepath.Abs(filepath.Join("..", "tests", "corpus", "shell.scap"))
	if err != nil {
		t.Fatal(err)
	}
	rule := func(name, priority string) string {
		return "- {rule: " + name + ", desc: d, condition: \"evt.type in (execve, close, open, openat)\", output: \"%evt.num\", priority: " + priority + "}\n"
	}
	for matching, each := range map[string]string{"first": "low ", "all": "low high ", "ALL": "low high "} {
		code, out, errs := play(t, map[string]string{"r.yaml": rule("low", "DEBUG") + rule("high", "EMERGENCY")},
			"-e", capture, "-r", "r.yaml", "-o", "rule_matching="+matching, "-o", "json_output=true", "-o", "buffered_outputs=true")
		if code != 0 {
			t.Fatalf("exit code %d\n%s", code, errs)
		}
		var names strings.Builder
		events := map[string]bool{}
		for line := range strings.Lines(out) {
			var a struct {
				Rule   string
				Fields map[string]any `json:"output_fields"`
			}
			if json.Unmarshal([]byte(line), &a) != nil || a.Rule == "" { // the statistics at the end
				continue
			}
			names.WriteString(a.Rule + " ")
			events[fmt.Sprint(a.Fields["evt.num"])] = true
		}
		if want := strings.Repeat(each, len(events)); names.String() != want || len(events) < 2 {
			t.Errorf("%s: %d events, %s", matching, len(events), names.String())
		}
	}
}
