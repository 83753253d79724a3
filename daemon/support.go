// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"os"
	"strings"

	"github.com/falco-go/falco/pkg/config"
)

// support is --support: what whoever helps will ask for, as one line of JSON. It
// holds the configuration and the rules as they are.
func (d *daemon) support() error {
	if !d.opt.support {
		return nil
	}
	flow, err := config.Flow(config.Options{Path: d.path, Overrides: d.opt.override, Strict: d.opt.strict, Env: os.LookupEnv})
	if err != nil {
		return err
	}
	files, err := d.ruleFiles()
	if err != nil {
		return err
	}
	type variant struct {
		Content string `json:"content"`
	}
	type file struct {
		Name     string    `json:"name"`
		Variants []variant `json:"variants"`
	}
	list := []file{}
	for _, f := range files {
		list = append(list, file{f.Name, []variant{{string(f.Content)}}})
	}
	host, _ := os.Hostname()
	d.stdout.Write(oneLine(map[string]any{
		"version": version, "cmdline": strings.Join(d.opt.argv, " "), "config": flow, "engine_info": versions(), "rules_files": list,
		"system_info": map[string]string{"machine": machine(), "nodename": host, "release": kernelRelease(),
			"sysname": firstLine("/proc/sys/kernel/ostype"), "version": firstLine("/proc/sys/kernel/version")},
	}))
	return errDone
}

// ruleSchema is the JSON schema of rules files.
func ruleSchema() []byte {
	type object = map[string]any
	text, flag := object{"type": "string"}, object{"type": "boolean"}
	texts := object{"type": "array", "items": object{"type": []string{"string", "number", "boolean"}}}
	anything := object{}
	override := func(keys ...string) object {
		p := object{}
		for _, k := range keys {
			p[k] = object{"enum": []string{"append", "replace"}}
		}
		return object{"type": "object", "additionalProperties": false, "properties": p}
	}
	item := func(properties object, required ...string) object {
		return object{"type": "object", "additionalProperties": false, "properties": properties, "required": required}
	}
	exception := item(object{"name": text, "fields": anything, "comps": anything, "values": anything}, "name")
	requirement := object{"name": text, "version": text}
	plugin := item(object{"name": text, "version": text,
		"alternatives": object{"type": "array", "items": item(requirement, "name", "version")}}, "name", "version")
	out := object{
		"$schema": "http://json-schema.org/draft-06/schema#", "title": "Rules file", "type": "array",
		"items": object{"anyOf": []any{
			object{"$ref": "#/definitions/rule"}, object{"$ref": "#/definitions/macro"}, object{"$ref": "#/definitions/list"},
			object{"$ref": "#/definitions/engine_version"}, object{"$ref": "#/definitions/plugin_versions"},
		}},
		"definitions": object{
			"rule": item(object{
				"rule": text, "desc": text, "condition": text, "output": text, "source": text,
				"priority": object{"type": "string", "pattern": "^(?i:emergency|alert|critical|error|warning|notice|info|informational|debug)$"},
				"enabled":  flag, "append": flag, "warn_evttypes": flag, "skip-if-unknown-filter": flag, "capture": flag,
				"capture_duration": object{"type": "integer", "minimum": 0}, "tags": texts,
				"exceptions": object{"type": "array", "items": object{"$ref": "#/definitions/exception"}},
				"override": override("append", "capture", "capture_duration", "condition", "desc", "enabled", "exceptions", "output",
					"priority", "tags", "warn_evttypes", "skip-if-unknown-filter"),
			}, "rule"),
			"exception":       exception,
			"macro":           item(object{"macro": text, "condition": text, "append": flag, "override": override("condition")}, "macro"),
			"list":            item(object{"list": text, "items": texts, "append": flag, "override": override("items")}, "list"),
			"engine_version":  item(object{"required_engine_version": object{"type": []string{"integer", "string", "number"}}}, "required_engine_version"),
			"plugin_versions": item(object{"required_plugin_versions": object{"type": "array", "items": plugin}}, "required_plugin_versions"),
		},
	}
	page, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		panic("falco: " + err.Error()) // maps of texts
	}
	return append(page, '\n')
}
