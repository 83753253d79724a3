// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"strings"
	"testing"
)

// TestItemErrors has the messages that the conformance cases leave out.
func TestItemErrors(t *testing.T) {
	base := simple("a", "evt.type=open")
	exc := func(text string) string { return base + "  exceptions:\n  - " + text + "\n" }
	over := func(text string) string { return base + "- rule: a\n" + text }
	known := base + "  exceptions:\n  - {name: e, fields: [proc.name], values: [[x]]}\n- rule: a\n  override: {exceptions: append}\n  exceptions:\n  - "
	for text, want := range map[string]string{
		exc("e"):                     "LOAD_ERR_YAML_VALIDATE Rule exception must be a mapping",
		exc("{fields: [proc.name]}"): "LOAD_ERR_YAML_VALIDATE Item has no mapping for key 'name'",
		exc("{name: e}"):             "LOAD_ERR_YAML_VALIDATE Item has no mapping for key 'fields'",
		exc("{name: e, fields: []}"): "LOAD_ERR_VALIDATE Rule exception item must have fields property with a list of fields",
		exc("{name: e, fields: [proc.name], values: x}"):                                                       "LOAD_ERR_YAML_VALIDATE Rule exception values must be a sequence",
		exc("{name: e, fields: [proc.name], values: [[a, b]]}"):                                                "LOAD_ERR_VALIDATE Fields and values lists must have equal length",
		exc("{name: e, fields: [proc.name], values: [a]}"):                                                     "LOAD_ERR_VALIDATE Fields and values lists must have equal length",
		exc("{name: e, fields: [proc.name], comps: in}"):                                                       "LOAD_ERR_VALIDATE Fields and comps lists must have equal length",
		exc("{name: e, fields: proc.name, comps: [in]}"):                                                       "LOAD_ERR_VALIDATE Fields and comps must both be strings",
		exc("{name: e, fields: proc.name, comps: startswith}"):                                                 "LOAD_ERR_VALIDATE When fields is a single value, comps must be one of (in, pmatch, intersects) or a modifier operator (e.g. startswith oneof)",
		exc("{name: e, fields: proc.name, values: [[a]]}"):                                                     "LOAD_ERR_VALIDATE Expected values array to contain a list of strings",
		exc("{name: e, fields: proc.name, values: [~]}"):                                                       "LOAD_ERR_YAML_VALIDATE Can't decode YAML sequence value",
		known + "{name: n, values: [[x]]}\n":                                                                   "LOAD_ERR_VALIDATE Rule exception must have fields property with a list of fields",
		known + "{name: n, fields: [proc.name]}\n":                                                             "LOAD_ERR_VALIDATE Rule exception must have values property with a list of values",
		known + "{name: e, comps: [in], values: [[x]]}\n":                                                      "LOAD_ERR_VALIDATE Can not append exception comps to existing exception, only values",
		over("  override: {tags: append}\n  tags: [x]\n  source: other\n"):                                     "LOAD_ERR_YAML_VALIDATE Unexpected key 'source': no corresponding entry under 'override' is defined.",
		over("  append: true\n  condition: and x\n  source: other\n"):                                          "LOAD_ERR_VALIDATE Rule has been re-defined with a different source",
		over("  override: {priority: set}\n  priority: INFO\n"):                                                "LOAD_ERR_YAML_VALIDATE Invalid override operation for key 'priority': 'set'. Allowed values are: replace ",
		"- rule: zz\n  override: {desc: replace}\n  desc: x\n":                                                 "LOAD_ERR_VALIDATE An 'override.<key>: replace' to a rule was requested but no rule by that name already exists",
		"- required_plugin_versions: [x]\n":                                                                    "LOAD_ERR_YAML_VALIDATE Plugin version must be a mapping",
		"- required_plugin_versions: [{name: a, version: 1.0.0, alternatives: x}]\n":                           "LOAD_ERR_YAML_VALIDATE Value of plugin version alternatives must be a sequence",
		"- required_plugin_versions: [{name: a, version: 1.0.0, alternatives: [x]}]\n":                         "LOAD_ERR_YAML_VALIDATE Plugin version alternative must be a mapping",
		"- required_plugin_versions: [{name: a, version: 1.0.0, alternatives: [{name: a, version: 1.0.0}]}]\n": "LOAD_ERR_VALIDATE Defined multiple alternative version requirements for plugin 'a'",
		strings.Replace(base, "desc: d", "desc: [d]", 1):                                                       "LOAD_ERR_YAML_VALIDATE Value is not a scalar value",
		base + "  enabled: maybe\n":                                                                            "LOAD_ERR_YAML_VALIDATE Can't decode YAML scalar value",
		base + "  enabled: yEs\n":                                                                              "LOAD_ERR_YAML_VALIDATE Can't decode YAML scalar value",
		base + "  capture_duration: 4294967296\n":                                                              "LOAD_ERR_YAML_VALIDATE Can't decode YAML scalar value",
		base + "  source:\n":                                                                                   "LOAD_ERR_YAML_VALIDATE Mapping for key 'source' is empty",
		strings.Replace(base, "o %proc.name", "100%", 1):                                                       "LOAD_ERR_COMPILE_OUTPUT invalid formatting syntax: formatting cannot end with a %",
	} {
		_, r := load(t, Options{}, text)
		got := ""
		if len(r.Errors) == 1 {
			got = r.Errors[0].Code.Name + " " + r.Errors[0].Message
		}
		if got != want {
			t.Errorf("%s\ngot  %s\nwant %s", text, got, want)
		}
	}
}

func TestExceptionTexts(t *testing.T) {
	for exc, want := range map[string]string{
		`{name: e, fields: [proc.name, fd.name], comps: [in, =], values: [[l, "a b"], [[x, "y z"], '"q"']]}`: `(evt.type=open) and not ((proc.name in (l) and fd.name = "a b") or (proc.name in (x, "y z") and fd.name = "q"))`,
		`{name: e, fields: [fd.name], comps: [startswith anyof], values: [["(/a, /b)"], [/c]]}`:              `(evt.type=open) and not ((fd.name startswith anyof (/a, /b)) or (fd.name startswith anyof (/c)))`,
		`{name: e, fields: fd.name, values: [/a, "b c"]}`:                                                    `(evt.type=open) and not (fd.name in (/a, "b c"))`,
		`{name: e, fields: fd.name}`: `(evt.type=open)`,
	} {
		s := needSet(t, Options{}, simple("a", "evt.type=open", "  exceptions:\n  - "+exc+"\n"))
		if got := s.Rules[0].info.withExceptions(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	// replaced exceptions are checked and completed as defined ones are (QUIRK 2)
	s := needSet(t, Options{}, simple("a", "evt.type=open")+"- rule: a\n  override: {exceptions: replace}\n  exceptions:\n  - {name: e, fields: proc.name, values: [x]}\n")
	if got := s.Rules[0].Expr.String(); got != "(evt.type = open and not proc.name in (x))" {
		t.Error(got)
	}
	// the same name twice
	_, r := load(t, Options{}, simple("a", "evt.type=open", "  exceptions:\n  - {name: e, fields: [proc.name]}\n  - {name: e, fields: [fd.name]}\n"))
	if len(r.Warnings) != 1 || r.Warnings[0].Message != "Multiple definitions of exception 'e' in the same rule" {
		t.Error(r.Text(true))
	}
}

// TestAliasBomb: a few lines of aliases must not become a million values.
func TestAliasBomb(t *testing.T) {
	list := "[" + strings.TrimSuffix(strings.Repeat("x,", 2000), ",") + "]"
	tuple := "[&l " + list + "," + strings.TrimSuffix(strings.Repeat("*l,", 1999), ",") + "]"
	_, r := load(t, Options{}, simple("a", "evt.type=open", "  exceptions:\n  - {name: e, fields: [proc.name], values: [&t "+tuple+", *t, *t]}\n"))
	if r.Successful() || !strings.Contains(r.Errors[0].Message, "more than") {
		t.Error(r.Errors)
	}
}
