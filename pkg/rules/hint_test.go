// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// TestHints writes conditions as people do that come from other languages, or
// are in a hurry.
func TestHints(t *testing.T) {
	for cond, want := range map[string]string{
		`proc.nmae = bash`:                                           `did you mean "proc.name"? ("proc.nmae" stands at f1.yaml:3:14)`,
		`proc.aname[x] = bash`:                                       `what proc.aname has in brackets is a number: proc.aname[2] ("proc.aname[x]" stands at f1.yaml:3:14)`,
		`proc.name[1] = bash`:                                        `proc.name has nothing in brackets ("proc.name[1]" stands at f1.yaml:3:14)`,
		`evt.type in (exceve, open)`:                                 `did you mean "execve"? ("exceve" stands at f1.yaml:3:27)`,
		`evt.type = opne`:                                            `did you mean "open"? ("opne" stands at f1.yaml:3:25)`,
		`spawned_proces and proc.pid > 0`:                            `did you mean "spawned_process"?`,
		`shell_binaries and proc.pid > 0`:                            `"shell_binaries" is a list: compare a field with it, as in "proc.name in (shell_binaries)"`,
		`proc.name = "bash`:                                          `a quote is missing`,
		`proc.pid => 3`:                                              `write ">=" for "=>"`,
		`fd.name =>/etc and proc.pid =< 3`:                           `write "<=" for "=<"`,
		`proc.pid => 3 && proc.name = bash`:                          `write ">=" for "=>"`,
		`evt.type = open && proc.name = bash`:                        `write "and" for "&&"`,
		`evt.type = open || proc.name = bash`:                        `write "or" for "||"`,
		`evt.type = open and !proc.name exists`:                      `write "not" for "!"`,
		`evt.type = open AND proc.name = bash`:                       `keywords and operators are written in lower case: "and"`,
		`proc.name IN (a, b)`:                                        `keywords and operators are written in lower case: "in"`,
		`(proc.name = bash`:                                          `a parenthesis is not closed`,
		`proc.name = bash)`:                                          `this parenthesis closes nothing`,
		`proc.name ==`:                                               `nothing follows "=="`,
		`proc.name startswith`:                                       `nothing follows "startswith"`,
		`proc.name startswith and proc.pid = 1`:                      `nothing follows "startswith"`,
		`proc.name startwith ba`:                                     `did you mean "startswith"?`,
		`proc.name like ba`:                                          `write "glob" for "like"`,
		`proc.name =~ ba.*`:                                          `write "regex" for "=~"`,
		`proc.pid <> 3`:                                              `write "!=" for "<>"`,
		`proc.name not in (a, b)`:                                    `"not" stands in front of the check: not proc.name in …`,
		`proc.name in (bash sh)`:                                     `a comma or a quote is missing: (…, bash, sh …) or "bash sh"`,
		`proc.name contains (a, b)`:                                  `a list needs a word that says how many of it: "contains anyof (…)"`,
		`proc.name = (a, b)`:                                         `a list needs "in"`,
		`evt.type = open and not proc.name`:                          `a field alone is no check: "proc.name exists"`,
		`evt.type = open or and proc.name = a`:                       `there is no check in front of "and"`,
		`evt.type = open or`:                                         `nothing follows "or"`,
		`proc.cmdline contains foo bar`:                              `a text with blanks has quotes around it: "foo bar"`,
		`evt.type = open # of course`:                                `a condition has no comments`,
		`fd.sip = 10.0.0.0/8`:                                        `networks are compared with fd.net`,
		`fd.net = 10.0.0.1`:                                          `a network has a length, as in 10.0.0.0/8`,
		`fd.sip = example`:                                           `names of hosts are compared with fd.sip.name`,
		`proc.name regex "ba(sh"`:                                    `patterns are POSIX extended ones`,
		`proc.pid = 0x10`:                                            `numbers are decimal`,
		`proc.name = "ba\sh"`:                                        `write \\ for a backslash, or leave the quotes away`,
		`evt.type = open and proc.name in (sh_names, shell_binarys)`: `"shell_binarys" is compared as a word (f1.yaml:3); the list is called "shell_binaries"`,
	} {
		text, err := yaml.Marshal(cond)
		if err != nil {
			t.Fatal(err)
		}
		_, results := Load(named("- rule: r\n  desc: d\n  condition: "+string(text)+"  output: o\n  priority: INFO\n"+
			"- list: shell_binaries\n  items: [bash, sh]\n- macro: spawned_process\n  condition: evt.type = execve\n"), Options{Priority: Debug})
		if got := strings.Join(results[0].Hints(), "\n"); !strings.HasPrefix(got, want) {
			t.Errorf("%s\ngot  %s\nwant %s\n%s", cond, got, want, results[0].Text(false))
		}
	}
}

// TestItemHints is the same for items.
func TestItemHints(t *testing.T) {
	base := simple("a", "evt.type=open")
	for text, want := range map[string]string{
		"rule: a\n": `a rules file is a list: each item begins with "- "`,
		"- a\n":     `each item begins with its kind: "- rule: …", "- macro: …", "- list: …"`,
		"- rule: a\n  condition: x\n  output: o\n  priority: INFO\n":                `a rule needs condition, output, desc and priority`,
		"- rule: a\n  condition: x\n  ouput: o\n  desc: d\n  priority: INFO\n":      `did you mean "output"?`,
		"- rule: a\n  condition: x\n  output: o\n  desc: d\n  priority: WARN\n":     `priorities are emergency, alert, `,
		base + "- rule: A\n  append: true\n  condition: and x\n":                    `did you mean "a"?`,
		base + "- rule: other\n  append: true\n  condition: and x\n":                `files are read in the order of -r or rules_files: the one that defines "other" comes first`,
		base + "- macro: other\n  append: true\n  condition: and x\n":               `files are read in the order of -r`,
		"- list: abc\n  items: [a]\n- list: acb\n  append: true\n  items: [b]\n":    `did you mean "abc"?`,
		base + "- rule: a\n  desc: d\n  output: o\n  override: {output: replace}\n": `under "override" stands what happens to each key`,
		"- required_engine_version: v1\n":                                           `the version that the rules were written for has three numbers`,
		"- rule: a\n\tdesc: d\n":                                                    `see the indentation of the line`,
		"- list: l\n  items: a\n":                                                   `write [a, b], or an element a line`,
		simple("a", "evt.type=open", "  enabled: maybe\n"):                          `write true or false, or a number, as the key asks`,
	} {
		_, r := load(t, Options{}, text)
		if got := strings.Join(r.Hints(), "\n"); !strings.HasPrefix(got, want) || r.Successful() {
			t.Errorf("%s\ngot  %s\nwant %s\n%s", text, got, want, r.Text(false))
		}
	}
}
