// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const described = `- required_engine_version: 0.40.0
- required_engine_version: 26
- list: shells
  items: [bash, sh]
- list: programs
  items: [shells, vi]
- macro: opened
  condition: evt.type in (open, openat)
- macro: shell
  condition: opened and proc.name in (programs)
- rule: Shell
  desc: a shell has opened something
  condition: shell and fd.num > 0
  output: "%proc.name opened %fd.name"
  priority: error
  tags: [b, a]
  exceptions:
  - {name: e, fields: [fd.name], comps: [startswith], values: [[/etc]]}
`

func TestJSON(t *testing.T) {
	s := needSet(t, Options{}, described)
	text, err := json.Marshal(s.JSON())
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	const want = `{"lists":[
 {"info":{"name":"shells","items":["bash","sh"]},"details":{"items_compiled":["bash","sh"],"lists":[],"plugins":[],"used":true}},
 {"info":{"name":"programs","items":["vi"]},"details":{"items_compiled":["bash","sh","vi"],"lists":["shells"],"plugins":[],"used":true}}],
"macros":[
 {"info":{"name":"opened","condition":"evt.type in (open, openat)"},"details":{"condition_compiled":"evt.type in (open, openat)",
  "condition_fields":["evt.type"],"condition_operators":["in"],"events":["asyncevent","open","openat"],"macros":[],"lists":[],"plugins":[],"used":true}},
 {"info":{"name":"shell","condition":"opened and proc.name in (programs)"},"details":{
  "condition_compiled":"(evt.type in (open, openat) and proc.name in (bash, sh, vi))","condition_fields":["evt.type","proc.name"],
  "condition_operators":["in"],"events":["asyncevent","open","openat"],"macros":["opened"],"lists":["programs"],"plugins":[],"used":true}}],
"required_engine_version":"0.40.0","required_plugin_versions":[],
"rules":[{"info":{"name":"Shell","condition":"shell and fd.num > 0","output":"%proc.name opened %fd.name","description":"a shell has opened something",
  "priority":"Error","source":"syscall","enabled":true,"tags":["a","b"],"capture":false,"capture_duration":0},
 "details":{"condition_compiled":"(((evt.type in (open, openat) and proc.name in (bash, sh, vi)) and fd.num > 0) and not fd.name startswith /etc)",
  "condition_fields":["evt.type","fd.name","fd.num","proc.name"],"condition_operators":[">","in","startswith"],
  "events":["asyncevent","open","openat"],"macros":["shell"],"lists":[],"exception_names":["e"],"exception_fields":["fd.name"],
  "exception_operators":["startswith"],"output_compiled":"%proc.name opened %fd.name","output_fields":["fd.name","proc.name"],"plugins":[]}}]}`
	var exp map[string]any
	if err := json.Unmarshal([]byte(want), &exp); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(exp, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestDescribe(t *testing.T) {
	s := needSet(t, Options{}, strings.Replace(simple("a", "evt.type=open"), "desc: d", "desc: "+strings.Repeat("word ", 30), 1))
	got := strings.Split(Describe(s.Rules), "\n")
	if n := len(got[2]); n > 110 || n < 100 {
		t.Errorf("line 2 has %d bytes: %q", n, got[2])
	}
	if !strings.HasPrefix(got[3], strings.Repeat(" ", 51)+"word ") {
		t.Errorf("line 3: %q", got[3])
	}
}

func TestPlugins(t *testing.T) {
	s := needSet(t, Options{}, "- required_plugin_versions:\n  - {name: a, version: 1.2.0, alternatives: [{name: b, version: 2.0.0}]}\n")
	for _, tc := range []struct {
		loaded map[string]string
		want   string
	}{
		{nil, "Plugin requirement not satisfied, must load one of: a (>= 1.2.0), b (>= 2.0.0)"},
		{map[string]string{"a": "1.2.3"}, ""},
		{map[string]string{"b": "2.1.0"}, ""},
		{map[string]string{"a": "1.1.9"}, "Plugin 'a' version '1.1.9' is not compatible with required plugin version '1.2.0'"},
		{map[string]string{"a": "2.0.0"}, "Plugin 'a' version '2.0.0' is not compatible with required plugin version '1.2.0'"},
		{map[string]string{"a": "x"}, "Plugin 'a' has invalid version string 'x'"},
	} {
		got := ""
		if err := s.CheckPlugins(tc.loaded); err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%v: got %q, want %q", tc.loaded, got, tc.want)
		}
	}
}
