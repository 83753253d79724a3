// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// SchemaStatus is what the schema of rule files says about a file. It never
// fails a load.
type SchemaStatus string

// Values of SchemaStatus.
const (
	SchemaNone   SchemaStatus = "none" // there was no document
	SchemaOK     SchemaStatus = "ok"
	SchemaFailed SchemaStatus = "failed"
)

// maxSchemaWarnings bounds what is said about one file.
const maxSchemaWarnings = 1000

// shape is a part of the schema. Scalars are judged by their text: 26 is a
// string as well as a number.
type shape struct {
	kind     string            // "array", "object", "string", "integer", "boolean", "either", "enum", "any"
	items    *shape            // of an array
	props    map[string]*shape // of an object; others are not allowed
	required []string
	least    int // properties of an object
	words    string
}

var (
	anyShape     = &shape{kind: "any"}
	stringShape  = &shape{kind: "string"}
	booleanShape = &shape{kind: "boolean"}

	versionShape = &shape{kind: "object", required: []string{"name", "version"}, props: map[string]*shape{
		"name": stringShape, "version": stringShape}}

	fileShape = &shape{kind: "array", items: &shape{kind: "object", props: map[string]*shape{
		"required_engine_version": stringShape,
		"required_plugin_versions": {kind: "array", items: &shape{kind: "object", required: versionShape.required, props: map[string]*shape{
			"name": stringShape, "version": stringShape, "alternatives": {kind: "array", items: versionShape}}}},
		"macro": stringShape, "list": stringShape, "rule": stringShape,
		"condition": stringShape, "desc": stringShape, "output": stringShape, "source": stringShape,
		"items":   {kind: "array", items: &shape{kind: "either"}},
		"enabled": booleanShape, "append": booleanShape, "capture": booleanShape,
		"warn_evttypes": booleanShape, "skip-if-unknown-filter": booleanShape,
		"capture_duration": {kind: "integer"},
		"tags":             {kind: "array", items: stringShape},
		"priority":         {kind: "enum", words: "EMERGENCY ALERT CRITICAL ERROR WARNING NOTICE INFO INFORMATIONAL DEBUG"},
		"exceptions": {kind: "array", items: &shape{kind: "object", required: []string{"name"}, props: map[string]*shape{
			"name": stringShape, "fields": anyShape, "comps": anyShape, "values": anyShape}}},
		"override": overrideShape("items", "desc", "condition", "output", "priority", "enabled", "exceptions", "capture",
			"capture_duration", "tags", "warn_evttypes", "skip-if-unknown-filter"),
	}}}
)

func overrideShape(keys ...string) *shape {
	s := &shape{kind: "object", least: 1, props: map[string]*shape{}}
	for _, k := range keys {
		s.props[k] = &shape{kind: "enum", words: "append replace"}
	}
	return s
}

// validate checks a document against the schema.
func (r *reader) validate(root *yaml.Node) {
	if r.res.Schema == SchemaNone {
		r.res.Schema = SchemaOK
	}
	v := validator{out: r.res.SchemaWarnings}
	if !v.check(root, fileShape, "<root>") {
		r.res.Schema = SchemaFailed
	}
	r.res.SchemaWarnings = v.out
}

type validator struct{ out []string }

func (v *validator) fail(path, format string, args ...any) bool {
	if len(v.out) < maxSchemaWarnings {
		v.out = append(v.out, "failed for "+path+": "+fmt.Sprintf(format, args...))
	}
	return false
}

// check validates n. What is wrong inside is said first, then that it is inside.
func (v *validator) check(n *yaml.Node, s *shape, path string) bool {
	n = resolve(n)
	switch s.kind {
	case "any":
		return true
	case "array":
		if n.Kind != yaml.SequenceNode {
			return v.fail(path, "Value type not permitted by 'type' constraint.")
		}
		ok := true
		for i, c := range n.Content {
			if len(v.out) < maxSchemaWarnings && !v.check(c, s.items, path+"["+strconv.Itoa(i)+"]") {
				ok = v.fail(path, "Failed to validate item #%d in array.", i)
			}
		}
		return ok
	case "object":
		return v.object(n, s, path)
	case "enum":
		if n.Kind == yaml.ScalarNode && hasWord(s.words, n.Value) {
			return true
		}
		return v.fail(path, "Failed to match against any enum values.")
	}
	ok := n.Kind == yaml.ScalarNode && !isNull(n)
	switch s.kind {
	case "integer":
		_, err := strconv.ParseInt(n.Value, 0, 64)
		ok = ok && err == nil
	case "boolean":
		ok = ok && hasWord("true false yes no on off y n", strings.ToLower(n.Value))
	}
	if !ok {
		return v.fail(path, "Value type not permitted by 'type' constraint.")
	}
	return true
}

func (v *validator) object(n *yaml.Node, s *shape, path string) bool {
	if n.Kind != yaml.MappingNode {
		return v.fail(path, "Value type not permitted by 'type' constraint.")
	}
	ok := true
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i].Value
		if seen[key] {
			continue
		}
		seen[key] = true
		p := s.props[key]
		if p == nil {
			ok = v.fail(path, "Object contains a property that could not be validated using 'properties' or "+
				"'additionalProperties' constraints: '%s'.", key)
		} else if !v.check(n.Content[i+1], p, path+"["+key+"]") {
			ok = v.fail(path, "Failed to validate against schema associated with property name '%s'.", key)
		}
	}
	for _, k := range s.required {
		if !seen[k] {
			ok = v.fail(path, "Missing required property '%s'.", k)
		}
	}
	if len(seen) < s.least {
		ok = v.fail(path, "Object should have no fewer than %d properties.", s.least)
	}
	return ok
}
