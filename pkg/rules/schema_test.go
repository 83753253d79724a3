// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSchema(t *testing.T) {
	const inArray = "failed for <root>: Failed to validate item #0 in array."
	for _, tc := range []struct {
		text   string
		status SchemaStatus
		want   []string
	}{
		{"", SchemaNone, nil},
		{"- required_engine_version: 26\n", SchemaOK, nil},
		{"- macro: m\n  condition: evt.type=open\n", SchemaOK, nil},
		{"- list: l\n  items: [1, a]\n", SchemaOK, nil},
		{simple("a", "evt.type=open", "  tags: x\n"), SchemaFailed, []string{
			"failed for <root>[0][tags]: Value type not permitted by 'type' constraint.",
			"failed for <root>[0]: Failed to validate against schema associated with property name 'tags'.", inArray}},
		{"- foo: bar\n", SchemaFailed, []string{
			"failed for <root>[0]: Object contains a property that could not be validated using 'properties' or 'additionalProperties' constraints: 'foo'.", inArray}},
		{"- rule: a\n  priority: Info\n", SchemaFailed, []string{
			"failed for <root>[0][priority]: Failed to match against any enum values.",
			"failed for <root>[0]: Failed to validate against schema associated with property name 'priority'.", inArray}},
	} {
		_, r := load(t, Options{}, tc.text)
		if r.Schema != tc.status || !cmp.Equal(tc.want, r.SchemaWarnings) {
			t.Errorf("%q: %s\n%s", tc.text, r.Schema, cmp.Diff(tc.want, r.SchemaWarnings))
		}
	}
	_, r := load(t, Options{}, "- foo: bar\n")
	const want = `f1.yaml: Ok, with warnings
2 Schema warnings:
------
failed for <root>[0]: Object contains a property that could not be validated using 'properties' or 'additionalProperties' constraints: 'foo'.
------
failed for <root>: Failed to validate item #0 in array.
------

1 Warnings:
In rules content: (f1.yaml:0:0)
    rules content item: (f1.yaml:0:2)
------
- foo: bar
  ^
------
LOAD_UNKNOWN_ITEM (Unknown rules file item): Unknown top level item
`
	if diff := cmp.Diff(want, r.Text(true)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
