// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

// published is the schema as somebody else reads it.
func published(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("falco.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("falco.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Whoever checks a file against the published schema hears the same as from the log.
func TestSchemaAgrees(t *testing.T) {
	s := published(t)
	good := []string{
		"json_output: true", "json_output: yes", "json_output: '${JSON}'", "json_output:", "outputs_queue: {capacity: 0x10}",
		"engine: {kind: kmod, kmod: {buf_size_preset: 4}}", "rules_files: a.yaml", "rules_files: [a, b]", "http_output: {user_agent: 5}",
		"config_files: [a, {path: b, strategy: override}]", "rules: [{enable: {rule: a}}, {disable: {tag: b}}]",
		"syscall_event_drops: {threshold: .1, actions: [log]}", "containers: {engines: {cri: {enabled: off, sockets: [/a]}}}",
		"append_output: [{match: {tags: [a]}, extra_fields: [a, {b: c}]}]", "static_fields: {a: b}", "plugins: [{name: container, library_path: x}]",
	}
	bad := []string{
		"json_output: 5", "json_output: tRue", "jsonoutput: true", "engine: {kmod: {buf_size_preset: 4}}", "engine: {kind: ebpf}",
		"engine: {kind: kmod, kmod: {buf_size_preset: 11}}", "outputs_queue: {capacity: -1}", "outputs_queue: {capacity: [1]}",
		"webserver: {}", "webserver: {listen_port: 70000}", "log_level: INFO", "rules: [{enable: {name: a}}]", "capture: {mode: x}",
		"syscall_event_drops: {threshold: 2}", "containers: {engines: 5}", "http_output: {url: [a]}", "capture: {max_file_size_mb: 1048577}",
		"rules_files: [[a]]",
	}
	for _, list := range []struct {
		texts []string
		fine  bool
	}{{good, true}, {bad, false}} {
		for _, text := range list.texts {
			check(t, s, text, list.fine)
		}
	}
	shipped, err := os.ReadFile(filepath.Join("..", "..", "falco.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	check(t, s, string(shipped), true)
}

// check wants both the schema and the loader to find text right, or wrong.
func check(t *testing.T, s *jsonschema.Schema, text string, fine bool) {
	t.Helper()
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(value); (err == nil) != fine {
		t.Errorf("schema, %.60s: %v", text, err)
	}
	n, err := parse(strings.NewReader(text), "f")
	if err != nil {
		t.Fatal(err)
	}
	l := loader{cfg: defaults()}
	n.expand(func(string) (string, bool) { return "true", true })
	if status := l.validate(n); (status == "ok") != fine {
		t.Errorf("loader, %.60s: %s", text, status)
	}
}

// Each key says what may stand there, or has a reason not to.
func TestKeysHaveShapes(t *testing.T) {
	inside := map[string]string{
		"rules": "its items are keys", "append_output": "its items are keys", "append_output[].extra_fields": "fields, or names with texts",
		"plugins": "there are none here, and their settings are their own",
	}
	for i := range keys {
		k := &keys[i]
		if k.old == "" && k.is.kind == anything && inside[k.path] == "" {
			t.Errorf("%s has no shape", k.path)
		}
	}
}

// falco.yaml names every key, but for those that have a reason not to be there.
func TestShippedIsComplete(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "falco.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[string]string{
		"libs_logger": "the log has no part of libraries", "engine.modern_ebpf": "there is no such engine", "engine.replay": "falco -e",
		"falco_libs.thread_table_auto_purging": "the tables are bounded in bytes", "rule_files": "does nothing", "plugins": "there are none",
		"load_plugins": "there are none", "plugins_hostinfo": "there are none", "metrics.kernel_iter_event_counters_enabled": "of another engine",
		"metrics.libbpf_stats_enabled": "of another engine", "metrics.plugins_metrics_enabled": "there are none", "metrics.jemalloc_stats_enabled": "of another allocator",
	}
	// What is commented out shows how it is written, too.
	shown := regexp.MustCompile(`(?m)^#( )`).ReplaceAllString(string(text), "$1")
	for i := range keys {
		k := &keys[i]
		if k.old != "" {
			continue
		}
		if because(reasons, k.path) {
			continue
		}
		name := k.path[strings.LastIndexAny(k.path, ".]")+1:]
		if !regexp.MustCompile(`(?m)[ {,\[^]` + name + `:|^` + name + `:|` + name + `: ?\{|\b` + name + `:`).MatchString(shown) {
			t.Errorf("falco.yaml does not show %s, and there is no reason", k.path)
		}
	}
}

func because(reasons map[string]string, path string) bool {
	for p := range reasons {
		if strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}
