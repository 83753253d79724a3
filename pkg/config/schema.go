// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding/json"
	"slices"
	"strings"
)

// Schema returns the JSON schema of falco.yaml, made of the table of keys: each
// group of keys is a definition.
func Schema() []byte {
	s := schema{definitions: sharedShapes()}
	root := s.object("")
	root["$schema"], root["title"], root["definitions"] = "http://json-schema.org/draft-06/schema#", "falco.yaml", s.definitions
	text, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic("config: " + err.Error()) // maps of texts
	}
	return append(text, '\n')
}

type schema struct{ definitions map[string]any }

func ref(name string) map[string]any { return map[string]any{"$ref": "#/definitions/" + name} }

// object describes the map at path, "" for the whole file.
func (s *schema) object(path string) map[string]any {
	properties, required := map[string]any{}, []string{}
	for _, name := range children(path) {
		full := strings.TrimPrefix(path+"."+name, ".")
		properties[name] = s.value(full)
		if requiredKeys[full] {
			required = append(required, name)
		}
	}
	out := map[string]any{"type": []string{"object", "null"}, "additionalProperties": false, "properties": properties}
	if filledMaps[path] {
		out["minProperties"] = 1
	}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

// requiredKeys are those that their map makes no sense without.
var requiredKeys = map[string]bool{
	"engine.kind": true, "engine.replay.capture_file": true, "program_output.program": true, "config_files[].path": true,
}

// children lists the names of the keys right below path, in their order.
func children(path string) (names []string) {
	for i := range keys {
		rest := keys[i].path
		if path != "" {
			var inside bool
			if rest, inside = strings.CutPrefix(rest, path+"."); !inside {
				continue
			}
		}
		if keys[i].old != "" {
			continue // later versions do not know it
		}
		name := rest[:len(rest)-len(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyz0123456789_"))]
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// value describes what may stand at path.
func (s *schema) value(path string) map[string]any {
	switch {
	case whole[path]:
		return keyAt(path).is.schema()
	case len(children(path+"[]")) > 0:
		name := strings.ReplaceAll(strings.ReplaceAll(path, "[]", "_item"), ".", "_") + "_item"
		s.definitions[name] = s.object(path + "[]")
		items := map[string]any{"type": "array", "items": ref(name)}
		if path == "config_files" { // an item may be a path alone
			items["items"] = map[string]any{"anyOf": []any{ref("text"), ref(name)}}
		}
		return map[string]any{"anyOf": []any{items, ref("text")}}
	case len(children(path)) > 0:
		name := strings.ReplaceAll(strings.ReplaceAll(path, "[]", "_item"), ".", "_")
		s.definitions[name] = s.object(path)
		return ref(name)
	}
	return keyAt(path).is.schema()
}

// keyAt returns the row of a key.
func keyAt(path string) *key {
	i := slices.IndexFunc(keys, func(k key) bool { return k.path == path })
	if i < 0 {
		return &key{}
	}
	return &keys[i]
}

// filledMaps are maps that nobody writes without anything in them.
var filledMaps = func() map[string]bool {
	m := map[string]bool{}
	for _, name := range strings.Fields("base_syscalls engine.kmod falco_libs file_output stdout_output syslog_output http_output " +
		"libs_logger metrics outputs_queue rules[] rules[].enable rules[].disable syscall_event_drops syscall_event_timeouts webserver") {
		m[name] = true
	}
	return m
}()

// Flow returns a merged configuration as YAML on one line, every text quoted.
func Flow(opt Options) (string, error) {
	l := loader{opt: opt, cfg: defaults(), tree: &node{at: Pos{File: opt.Path}}}
	if err := l.merge(); err != nil {
		return "", err
	}
	var b strings.Builder
	l.tree.flow(&b)
	return b.String(), nil
}

func (n *node) flow(b *strings.Builder) {
	quote := func(s string) {
		text, err := json.Marshal(s) // JSON is YAML
		if err != nil {
			text = []byte(`""`)
		}
		b.Write(text)
	}
	switch n.kind {
	case null:
		b.WriteString("~")
	case scalar:
		quote(n.text)
	case list:
		b.WriteByte('[')
		for i, v := range n.items {
			if i > 0 {
				b.WriteString(", ")
			}
			v.flow(b)
		}
		b.WriteByte(']')
	case dict:
		b.WriteByte('{')
		for i, k := range n.keys {
			if i > 0 {
				b.WriteString(", ")
			}
			quote(k)
			b.WriteString(": ")
			n.items[i].flow(b)
		}
		b.WriteByte('}')
	}
}
