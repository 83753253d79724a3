// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// load writes main (and other files, given as name, text pairs) into a
// directory, goes there and loads it.
func load(t *testing.T, main string, overrides []string, files ...string) (*Config, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	for i := 0; i+1 < len(files); i += 2 {
		os.MkdirAll(filepath.Dir(files[i]), 0o755)
		if err := os.WriteFile(files[i], []byte(files[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile("m.yaml", []byte(main), 0o644); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"A": "vA", "KIND": "nodriver", "LOOP": "${LOOP}x"}
	return Load(Options{Path: "m.yaml", Overrides: overrides,
		Env: func(k string) (string, bool) { v, ok := env[k]; return v, ok }})
}

func TestDefaults(t *testing.T) {
	c, err := Load(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(defaults(), c); diff != "" {
		t.Error(diff)
	}
	if c.Engine.Kind != KindKmod || c.Log.Level != Info || !c.Log.Syslog || c.Stdout || c.OutputTimeout != 2*time.Second {
		t.Errorf("%+v", c)
	}
}

func TestLoad(t *testing.T) {
	c, err := load(t, `
engine: {kind: "${KIND}", kmod: {buf_size_preset: 0x3, drop_failed_exit: Yes}}
json_output: ON
rules_files: /r/one.yaml
rules:
  - disable: {rule: "*"}
  - enable: {rule: a, tag: b}
priority: Info
rule_matching: ALL
output_timeout: 500
append_output:
  - match: {source: syscall, tags: [x, y]}
    extra_output: "pid=%proc.pid"
    extra_fields: [evt.type, {nn: "P%proc.pid"}]
  - suggested_output: true
base_syscalls: {custom_set: ["!open", close], repair: true}
log_level: debug
outputs_queue: {capacity: -1}
`, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := defaults()
	want.Files = []File{{"m.yaml", "failed for <root>[outputs_queue][capacity]: Value type not permitted by 'type' constraint."}}
	want.Warnings = []string{`m.yaml:18:27: "-1" is not a number; 0 is used`}
	want.Engine.Kind, want.Engine.BufSizePreset, want.Engine.DropFailed = KindNone, 3, true
	want.JSON, want.MatchAll, want.Severity, want.OutputTimeout = true, true, 6, 500*time.Millisecond
	want.RulesFiles = []string{"/r/one.yaml"}
	want.Rules = []Selection{{Rule: "*", HasRule: true}, {Enable: true, Rule: "a", Tag: "b", HasRule: true, HasTag: true}}
	want.Append = []Append{
		{Source: "syscall", Tags: []string{"x", "y"}, Output: "pid=%proc.pid", Fields: []AppendField{{"evt.type", ""}, {"nn", "P%proc.pid"}}},
		{Suggested: true}}
	want.BaseSyscalls.Custom, want.BaseSyscalls.Repair = []string{"!open", "close"}, true
	want.Log.Level = Debug
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
}

// Each error has the text that scripts look for, and says where it comes from.
func TestErrors(t *testing.T) {
	for _, tc := range []struct{ main, override, text, at string }{
		{"foo: [bar\n", "", "Cannot read config file (m.yaml): error at line 2: did not find expected ',' or ']'", "m.yaml:2"},
		{"engine: {kind: bogus}", "", "Error reading config file (m.yaml): engine.kind 'bogus' is not a valid kind.", "m.yaml:1:16"},
		{"\nfalco_libs: 512", "", `Config error at key "falco_libs.thread_table_size": operator[] call on a scalar ("512")`, "m.yaml:2:13"},
		{"rules_file: x\nrules_files: y", "", "Error reading config file (m.yaml): both 'rules_files' and 'rules_file' keys set", "m.yaml:1:13"},
		{"priority: zz", "", `Unknown priority "zz"--must be one of emergency, alert, critical, error, warning, notice, informational, debug`, "m.yaml:1:11"},
		{"", "priority=${A}", `Unknown priority "${A}"--must be one of emergency, alert, critical, error, warning, notice, informational, debug`, "-o priority=${A}"},
		{"rule_matching: some", "", `Unknown rule matching strategy "some"--must be one of first, all`, "m.yaml:1:16"},
		{"log_level: INFO", "", "Unknown log level INFO", "m.yaml:1:12"},
		{"config_files: [m.yaml]", "", "Config error: 'config_files' directive tried to recursively include main config file: m.yaml.", "m.yaml:1:16"},
		{"load_plugins: [json]", "", "plugins are not supported in this build: json", "m.yaml:1:15"},
		{"rules: [{enable: {name: x}}]", "", "bad conversion", "m.yaml:1:9"},
		{"append_output: [{extra_fields: [a.b, {a.b: x}]}]", "", "bad conversion", "m.yaml:1:38"},
		{"engine: {kind: replay}", "", "Error reading config file (m.yaml): engine.kind is 'replay' but no engine.replay.capture_file specified.", "m.yaml:1:16"},
		{"engine: {kind: replay, replay: {capture_file: []}}", "", "Error reading config file (m.yaml): engine.kind is 'replay' but no engine.replay.capture_file specified.", "m.yaml:1:16"},
		{"", "foo", `Error parsing config option "foo". Must be of the form key=val or key.subkey=val`, ""},
		{"", `a\=1`, `Config error at key "a\\": Parsing error: trailing backslash at pos 1`, ""},
		{"", `a\q=1`, `Config error at key "a\\q": Parsing error: invalid escape sequence '\q' at pos 1`, ""},
		{"", ".a=1", `Config error at key ".a": Parsing error: unexpected character at pos 0`, ""},
		{"", "a..b=1", `Config error at key "a..b": Parsing error: unexpected character at pos 2`, ""},
		{"", "[0]=1", `Config error at key "[0]": Parsing error: unexpected character at pos 0`, ""},
		{"", "a[=1", `Config error at key "a[": Parsing error: missing ']' at pos 2`, ""},
		{"", "a[1=1", `Config error at key "a[1": Parsing error: missing ']' at pos 3`, ""},
		{"", "a[x]=1", `Config error at key "a[x]": Parsing error: expected a numeric index, found 'x'`, ""},
		{"", "a[0]b=1", `Config error at key "a[0]b": Parsing error: expected '.' character at pos 3`, ""},
		{"", "a[]b=1", `Config error at key "a[]b": Parsing error: expected '.' character at pos 2`, ""},
		{"", "=x", `Config error at key "log_level": operator[] call on a scalar ("x")`, "-o =x"},
		{"", "rules[].foo=1", "bad conversion", "-o rules[].foo=1"},
	} {
		t.Run(tc.main+tc.override, func(t *testing.T) {
			var overrides []string
			if tc.override != "" {
				overrides = []string{tc.override}
			}
			_, err := load(t, tc.main, overrides)
			e, ok := err.(*Error)
			if !ok {
				t.Fatalf("error %v", err)
			}
			if e.Text != tc.text || e.At.String() != tc.at {
				t.Errorf("got  %s (%s)\nwant %s (%s)", e.Text, e.At, tc.text, tc.at)
			}
		})
	}
}

func TestOverride(t *testing.T) {
	for _, tc := range []struct {
		main      string
		overrides []string
		get       func(*Config) any
		want      any
	}{
		{"", []string{"rules_files[0]=/a", "rules_files[]=/b"}, func(c *Config) any { return c.RulesFiles }, []string{"/a", "/b"}},
		{"rules_files: [/x]", []string{"rules_files[0]=/a"}, func(c *Config) any { return c.RulesFiles }, []string{"/a"}},
		{"rules_files: [/x]", []string{"rules_files[5]=/a"}, func(c *Config) any { return len(c.RulesFiles) }, 0},
		{"rules_files: ['${A}']", []string{"rules_files[]=${A}"}, func(c *Config) any { return c.RulesFiles }, []string{"vA", "${A}"}},
		{"", []string{"rules[].disable.rule=*", "rules[].enable.tag=network"}, func(c *Config) any { return c.Rules }, []Selection{{Rule: "*", HasRule: true}, {Enable: true, Tag: "network", HasTag: true}}},
		{"append_output: [{suggested_output: true}]", []string{"append_output.suggested_output=false"}, func(c *Config) any { return len(c.Append) }, 0},
		{"", []string{`append_output[]={"match": {"source": "syscall"}, "extra_output": "pid=%proc.pid"}`}, func(c *Config) any { return c.Append },
			[]Append{{Source: "syscall", Output: "pid=%proc.pid"}}},
		{"log_level: debug", []string{"log_level.x=1"}, func(c *Config) any { return c.Log.Level }, Info},
		{"", []string{"json_output=1"}, func(c *Config) any { return c.JSON }, false},
		{"", []string{"json_output=tRue"}, func(c *Config) any { return c.JSON }, false},
		{"", []string{"json_output=Yes"}, func(c *Config) any { return c.JSON }, true},
		{"engine: {kind: kmod}", []string{"engine.kind=replay", "engine.replay.capture_file=x.scap"},
			func(c *Config) any { return c.Engine.Kind + " " + c.Engine.CaptureFile }, "replay x.scap"},
		{"engine: {kind: kmod}", []string{"engine.kmod.buf_size_preset.=7"}, func(c *Config) any { return c.Engine.BufSizePreset }, 7},
		{"syscall_buf_size_preset: 6", nil, func(c *Config) any { return c.Engine.BufSizePreset }, 6},
		{"syscall_buf_size_preset: 6\nengine: {kmod: {buf_size_preset: 2}}", nil, func(c *Config) any { return c.Engine.BufSizePreset }, 2},
		{"rules_file: [a, b]", nil, func(c *Config) any { return c.RulesFiles }, []string{"a", "b"}},
	} {
		t.Run(tc.main+strings.Join(tc.overrides, " "), func(t *testing.T) {
			c, err := load(t, tc.main, tc.overrides)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, tc.get(c)); diff != "" {
				t.Error(diff)
			}
		})
	}
	// Parts of a path can contain what separates them.
	n := &node{}
	if err := n.override(`a.b\.c[1]\[=x`); err == nil {
		t.Error("text after an index was accepted")
	}
	if err := n.override(`a.b\.c\]\\=x`); err != nil || n.get("a").textOf(`b.c]\`) != "x" {
		t.Errorf("%v, %+v", err, n.get("a"))
	}
}

func TestIncludes(t *testing.T) {
	c, err := load(t, "rules_files: [one]\npriority: debug\nconfig_files: [i1, missing, {path: d, strategy: add-only}, {path: i2, strategy: override}]\n",
		[]string{"config_files[]=i3", "rules_files[]=last"},
		"i1", "rules_files: [two]\npriority: error\nengine: {kind: nodriver}",
		"i2", "rules_files: [three]",
		"i3", "json_output: true",
		"d/20", "rule_matching: first\npriority: critical",
		"d/10", "rule_matching: all")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"three", "last"}; !slices.Equal(c.RulesFiles, want) {
		t.Errorf("rules_files %q, want %q", c.RulesFiles, want)
	}
	if !c.JSON || !c.MatchAll || c.Severity != 3 || c.Engine.Kind != KindNone {
		t.Errorf("%+v", c)
	}
	var names []string
	for _, f := range c.Files {
		names = append(names, f.Path)
	}
	if want := []string{"d/10", "d/20", "i1", "i2", "i3", "m.yaml"}; !slices.Equal(names, want) {
		t.Errorf("files %q, want %q", names, want)
	}
	if _, err := load(t, "config_files: i", nil, "i", "config_files: [j]"); err == nil || err.Error() != "Config error: 'config_files' directive in included config file i." {
		t.Errorf("error %v", err)
	}
}

func TestWarnings(t *testing.T) {
	for _, tc := range []struct{ main, schema, warning string }{
		{"jsonoutput: true", "failed for <root>: Object contains a property that could not be validated using 'properties' or 'additionalProperties' constraints: 'jsonoutput'.",
			"m.yaml:1:1: unknown key 'jsonoutput' is ignored; did you mean 'json_output'?"},
		{"engine:\n  kmod:\n    buf_size: 3", "failed for <root>[engine][kmod]: Object contains a property that could not be validated using 'properties' or 'additionalProperties' constraints: 'buf_size'.",
			"m.yaml:3:5: unknown key 'engine.kmod.buf_size' is ignored; did you mean 'engine.kmod.buf_size_preset'?"},
		{"rules: [{enable: {name: x, rule: y}}]", "failed for <root>[rules][0][enable]: Object contains a property that could not be validated using 'properties' or 'additionalProperties' constraints: 'name'.",
			"m.yaml:1:19: unknown key 'rules[].enable.name' is ignored; did you mean 'rules[].enable.rule'?"},
		{"completely_else: 1", "failed for <root>: Object contains a property that could not be validated using 'properties' or 'additionalProperties' constraints: 'completely_else'.",
			"m.yaml:1:1: unknown key 'completely_else' is ignored"},
		{"grpc: {enabled: false}", "failed for <root>: Object contains a property that could not be validated using 'properties' or 'additionalProperties' constraints: 'grpc'.",
			"m.yaml:1:1: config key 'grpc' is deprecated: ignored, the gRPC server is gone"},
		{"", "failed for <root>: Value type not permitted by 'type' constraint.", ""},
		{"webserver: {enabled: false, listen_port: 1}", "ok", ""},
		{"engine: {kind: modern_ebpf}", "ok", "engine.kind modern_ebpf is not available in this build, using kmod"},
		{"static_fields: {anything: goes}", "ok", ""},
		{"json_output: ${X}\nhttp_output:\nlog_level:", "ok", `m.yaml:1:14: "" is not a boolean (yes, no, true, false, on, off); false is used`},
		{"webserver: {}", "failed for <root>[webserver]: Object should have no fewer than 1 properties.", ""},
		{"engine: {kmod: {buf_size_preset: 4}}", "failed for <root>[engine]: Missing required property 'kind'.", ""},
		{"capture: {max_file_size_mb: 1048577}", "failed for <root>[capture][max_file_size_mb]: Value type not permitted by 'type' constraint.",
			"m.yaml:1:29: capture.max_file_size_mb is at most 1048576, which is used"},
		{"webserver: {listen_port: 70000}", "failed for <root>[webserver][listen_port]: Value type not permitted by 'type' constraint.", "m.yaml:1:26: 70000 is not a port; 8765 is used"},
	} {
		t.Run(tc.main, func(t *testing.T) {
			c, err := load(t, tc.main, nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.Files[0].Schema != tc.schema {
				t.Errorf("schema: got  %s\nwant %s", c.Files[0].Schema, tc.schema)
			}
			if got := strings.Join(c.Warnings, "\n"); got != tc.warning {
				t.Errorf("got  %s\nwant %s", got, tc.warning)
			}
		})
	}
}

// A file of another kind is told of in a few lines, and at once.
func TestManyStrangers(t *testing.T) {
	var b strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&b, "some_key_%d: x\n", i)
	}
	c, err := load(t, b.String(), nil)
	if err != nil || len(c.Warnings) != maxStrange+1 || c.Warnings[maxStrange] != "m.yaml:1:1: 99980 more unknown keys are ignored" {
		t.Errorf("%d warnings, the last %q, %v", len(c.Warnings), c.Warnings[len(c.Warnings)-1], err)
	}
}

// What is given with -o is looked at, too, wherever it stands.
func TestOverrideWarnings(t *testing.T) {
	for option, want := range map[string]string{
		"jsn_output=true":                             "-o jsn_output=true: unknown key 'jsn_output' is ignored; did you mean 'json_output'?",
		"webserver.listen_prot=1":                     "-o webserver.listen_prot=1: unknown key 'webserver.listen_prot' is ignored; did you mean 'webserver.listen_port'?",
		"append_output[]={\"sugested_output\": true}": "-o append_output[]={\"sugested_output\": true}:1:2: unknown key 'append_output[].sugested_output' is ignored; did you mean 'append_output[].suggested_output'?",
		"rules_files[0]=a":                            "", "rules[].disable.tag=x": "", "static_fields.a\\.b=1": "", "plugins[0].init_config.x=1": "",
		"engine.kind=nodriver": "", "append_output.suggested_output=false": "", "log_level=debug": "",
	} {
		c, err := Load(Options{Overrides: []string{option}, Env: os.LookupEnv})
		if err != nil {
			t.Errorf("%s: %v", option, err)
			continue
		}
		if got := strings.Join(c.Warnings, "\n"); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", option, got, want)
		}
	}
}

func TestExpand(t *testing.T) {
	env := func(k string) (string, bool) {
		v, ok := map[string]string{"A": "v", "B": "<${A}>", "LOOP": "${LOOP}", "GROW": "x${GROW}${GROW}"}[k]
		return v, ok
	}
	for in, want := range map[string]string{
		"":              "",
		"plain":         "plain",
		"${A}":          "v",
		"x${NONE}y":     "xy",
		"${B}":          "<v>",
		"$${A}":         "${A}",
		"$${${A}}":      "${v}",
		"$A ${A}":       "$A ${A}",
		"${A} $ ${A}":   "v $ ${A}",
		"${A":           "${A",
		"a${A}b${A}c":   "avbvc",
		"${ A }":        "",
		"$${A} and ${A": "${A} and ${A",
	} {
		if got := expand(in, env); got != want {
			t.Errorf("expand(%q) = %q, want %q", in, got, want)
		}
	}
	for _, in := range []string{"${LOOP}", "${GROW}"} { // they end
		if got := expand(in, env); len(got) > maxExpanded+100 {
			t.Errorf("expand(%q) has %d bytes", in, len(got))
		}
	}
}

func TestFind(t *testing.T) {
	t.Chdir(t.TempDir())
	os.WriteFile("x", nil, 0o644)
	if p, err := Find("x"); p != "x" || err != nil {
		t.Error(p, err)
	}
	if _, err := Find("nope"); err == nil || err.Error() != "Could not find configuration file at nope" {
		t.Error(err)
	}
}

// The table is the documentation of what can be configured: no key twice.
func TestKeys(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range keys {
		if seen[k.path] {
			t.Errorf("%s stands twice", k.path)
		}
		seen[k.path] = true
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("rules_files: [a]\nengine: {kind: kmod}\nappend_output: [{extra_fields: [a, {b: c}]}]", "rules[].enable.tag=x")
	f.Add("a: &a [*a]", `a[0].b\.c={x: y}`)
	f.Add("a: &a {b: 1}\nc: [*a, *a]\nd: {<<: *a}\n---\nx", "=")
	f.Fuzz(func(t *testing.T, text, option string) {
		l := loader{cfg: defaults()}
		n, err := parse(strings.NewReader(text), "f")
		if err != nil {
			return
		}
		n.expand(func(string) (string, bool) { return "${x", true })
		l.validate(n)
		if l.tree = n; n.override(option) == nil {
			l.read()
		}
	})
}

func TestCapture(t *testing.T) {
	read := func(overrides ...string) (Capture, error) {
		t.Helper()
		c, err := Load(Options{Overrides: overrides, Env: os.LookupEnv})
		if err != nil {
			return Capture{}, err
		}
		return c.Capture, nil
	}
	want := Capture{PathPrefix: "/tmp/falco", Duration: 5 * time.Second}
	if c, err := read(); err != nil || c != want {
		t.Errorf("%+v, %v", c, err)
	}
	// What is no number leaves the default, and the size has a bound.
	if c, err := read("capture.default_duration=-1", "capture.max_events=x"); err != nil || c != want {
		t.Errorf("%+v, %v", c, err)
	}
	want = Capture{Enabled: true, All: true, PathPrefix: "/x", Duration: 7 * time.Millisecond, MaxBytes: 1 << 40, MaxEvents: 3}
	if c, err := read("capture.enabled=true", "capture.mode=all_rules", "capture.path_prefix=/x", "capture.default_duration=7",
		"capture.max_file_size_mb=2000000", "capture.max_events=3"); err != nil || c != want {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := read("capture.mode=zz"); err == nil || !strings.HasSuffix(err.Error(), "capture.mode 'zz' is not a valid mode.") {
		t.Error(err)
	}
}

// The shipped falco.yaml tells the truth: its values are the defaults, but for
// those where it says otherwise, and nothing in it is unknown.
func TestShipped(t *testing.T) {
	c, err := Load(Options{Path: filepath.Join("..", "..", "falco.yaml"), Env: os.LookupEnv})
	if err != nil {
		t.Fatal(err)
	}
	want := defaults()
	want.Files = []File{{filepath.Join("..", "..", "falco.yaml"), "ok"}}
	want.Includes = []string{"/etc/falco/config.d"}
	want.RulesFiles = []string{"/etc/falco/falco_rules.yaml", "/etc/falco/falco_rules.local.yaml", "/etc/falco/rules.d"}
	want.Append = []Append{{Suggested: true}}
	want.Stdout, want.Log.Stderr = true, true
	want.Drops.Log, want.Drops.Alert = true, true
	want.Capture.PathPrefix = "/var/lib/falco/captures/falco"
	want.Engine.Snaplen = 80 // what 0 means
	want.Web.Address, want.Metrics.Interval = "127.0.0.1", "1h"
	want.BaseSyscalls.Custom = []string{}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
}
