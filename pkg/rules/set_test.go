// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/filter"
	"github.com/falco-go/falco/pkg/filter/filtertest"
	"github.com/falco-go/falco/pkg/schema"
	"github.com/falco-go/falco/pkg/state"
)

func load(t testing.TB, o Options, texts ...string) (*Set, *Result) {
	t.Helper()
	if o.Priority == 0 {
		o.Priority = Debug
	}
	if o.Fields == nil {
		o.Fields = new(filtertest.Fields)
	}
	set, results := Load(named(texts...), o)
	return set, &results[len(results)-1]
}

func needSet(t testing.TB, o Options, texts ...string) *Set {
	t.Helper()
	set, r := load(t, o, texts...)
	if set == nil {
		t.Fatal(r.Text(true))
	}
	return set
}

// simple is a rule with the least that it needs.
func simple(name, cond string, more ...string) string {
	return "- rule: " + name + "\n  desc: d\n  condition: " + cond + "\n  output: o %proc.name\n  priority: INFO\n" + strings.Join(more, "")
}

func sceneOf(typ schema.EventType, raw []byte) *state.Scene {
	e := &event.Event{Type: typ, Info: typ.Info()}
	if raw != nil {
		if _, err := e.Decode(raw); err != nil {
			panic(err)
		}
	}
	return &state.Scene{Event: e, FDNum: -1}
}

// generic is the record of a system call without an event of its own.
func generic(code schema.SyscallCode) []byte {
	raw := make([]byte, schema.HeaderSize, 64)
	raw[20], raw[22] = byte(schema.GenericX), 1
	raw = append(raw, 2, 0, byte(code), byte(code>>8))
	raw[16] = byte(len(raw))
	return raw
}

// TestIndex counts which rules are tried at all.
func TestIndex(t *testing.T) {
	s := needSet(t, Options{All: true}, simple("a", "evt.type=open")+simple("b", "evt.type in (times, open)")+
		simple("c", "evt.type=sysinfo")+simple("d", "not evt.type=times")+simple("e", "evt.num=0"))
	names := func(c *filter.Choice) (out []string) {
		for _, i := range c.Ranks() {
			out = append(out, s.Rules[i].Name)
		}
		return out
	}
	times, _ := schema.SyscallByName("times")
	sysinfo, _ := schema.SyscallByName("sysinfo")
	for _, tc := range []struct {
		got  *filter.Choice
		want []string
	}{
		{s.byType[schema.OpenX], []string{"a", "b", "d"}},
		{s.byType[schema.CloseX], []string{"d"}},
		{s.byCall[times.Code], []string{"b"}},
		{s.byCall[sysinfo.Code], []string{"c", "d"}},
		{s.byType[schema.AsynceventE], []string{"a", "b", "c", "d", "e"}},
	} {
		if diff := cmp.Diff(tc.want, names(tc.got)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
}

func TestMatchGeneric(t *testing.T) {
	f := new(filtertest.Fields)
	f.Set(filtertest.Facts{"evt.type": "times"})
	s := needSet(t, Options{Fields: f}, simple("a", "evt.type=times"))
	times, _ := schema.SyscallByName("times")
	sysinfo, _ := schema.SyscallByName("sysinfo")
	if got := s.Match(sceneOf(0, generic(times.Code)), nil); len(got) != 1 {
		t.Errorf("times: %v", got)
	}
	if got := s.Match(sceneOf(0, generic(sysinfo.Code)), nil); len(got) != 0 {
		t.Errorf("sysinfo is tried against a rule for times: %v", got)
	}
}

// TestOverrideAllOrNothing: an override that fails changes nothing (QUIRK 13).
func TestOverrideAllOrNothing(t *testing.T) {
	base := simple("a", "evt.type=open")
	bad := "- rule: a\n  desc: other\n  priority: warn\n  override: {desc: replace, priority: replace}\n"
	o := Options{Fields: new(filtertest.Fields), Priority: Debug, Continue: true}
	set, results := Load(named(base, bad, simple("b", "evt.type=close")), o)
	if set == nil || results[1].Successful() || !results[2].Successful() {
		t.Fatal(results[1].Text(true))
	}
	if set.Rules[0].Desc != "d" {
		t.Errorf("desc is %q", set.Rules[0].Desc)
	}
}

// TestWildcard: patterns of rule names go back, those of the original do not.
func TestWildcard(t *testing.T) {
	for _, tc := range []struct {
		pattern, name string
		ours, strict  bool
	}{
		{"*ab", "abab", true, false}, {"a*b*c", "axbxc", true, true}, {"a*a", "a", false, false}, {"a", "a", true, true},
		{"*", "", true, true}, {"a*", "ab", true, true}, {"a*", "ba", false, false}, {"**", "x", true, true},
	} {
		if wildcard(tc.pattern, tc.name, false) != tc.ours || wildcard(tc.pattern, tc.name, true) != tc.strict {
			t.Errorf("%s and %s", tc.pattern, tc.name)
		}
	}
}

// TestMacroWarnings: what is odd in a macro is told where it is written, used or not.
func TestMacroWarnings(t *testing.T) {
	_, r := load(t, Options{}, "- macro: always_true\n  condition: (evt.num=>0)\n"+simple("a", "evt.type=open and always_true"))
	if len(r.Warnings) != 1 || r.Warnings[0].Code != WarnCondition || len(r.Errors) != 0 {
		t.Error(r.Text(true))
	}
}

// TestOldWord: scripts look for the name that a warning had once.
func TestOldWord(t *testing.T) {
	_, r := load(t, Options{}, simple("a", "proc.name=x"))
	if text := r.Text(true); !strings.Contains(text, "performance penalty. (no-evttype)\n") {
		t.Error(text)
	}
	if strings.Contains(r.Warnings[0].Message, "no-evttype") {
		t.Error(r.Warnings[0].Message)
	}
}

func TestNoFiles(t *testing.T) {
	set, results := Load(nil, Options{Priority: Debug})
	if set == nil || len(results) != 0 || len(set.Match(sceneOf(schema.OpenX, nil), nil)) != 0 {
		t.Error("no files make an empty set")
	}
}

func TestRefs(t *testing.T) {
	s := needSet(t, Options{}, simple("a", "evt.type=open and tolower(fd.name)=x"))
	var got []string
	for _, r := range s.Rules[0].Refs() {
		got = append(got, r.Token)
	}
	if diff := cmp.Diff([]string{"evt.type", "fd.name", "proc.name"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestMacroBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("- macro: m0\n  condition: evt.type=open\n")
	for i := 1; i < 60; i++ {
		m, n := string(rune('a'+i/10))+string(rune('0'+i%10)), string(rune('a'+(i-1)/10))+string(rune('0'+(i-1)%10))
		if i == 1 {
			n = "m0"
		}
		b.WriteString("- macro: " + m + "\n  condition: " + n + " and " + n + "\n")
	}
	_, r := load(t, Options{}, b.String()+simple("r", "f9"))
	if r.Successful() || !strings.Contains(r.Errors[0].Message, "too large") {
		t.Error(r.Text(true))
	}
}

func TestYAML(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"- rule: a\n  desc: *x\n", "LOAD_ERR_YAML_PARSE"},
		{"- a: [\n", "LOAD_ERR_YAML_PARSE"},
		{"x", "LOAD_ERR_YAML_VALIDATE"},
		{"- &a [*a]\n", "LOAD_ERR_YAML_VALIDATE"},
		{"- rule: a\n  rule: b\n", "LOAD_ERR_YAML_VALIDATE"},
		{"---\n~\n---\n- foo\n", ""}, // a null document ends the file
		{"- macro: &n m\n  condition: &c evt.type=open\n- macro: k\n  condition: *c\n", ""},
		{"- macro: m\n  condition: evt.type=open\n  condition: '('\n", ""}, // the first key counts
	} {
		_, r := load(t, Options{}, tc.text)
		got := ""
		if !r.Successful() {
			got = r.Errors[0].Code.Name
		}
		if got != tc.want {
			t.Errorf("%q: got %q, want %q\n%s", tc.text, got, tc.want, r.Text(true))
		}
	}
}

func TestNoAllocations(t *testing.T) {
	f := new(filtertest.Fields)
	f.Set(filtertest.Facts{"evt.type": "open", "proc.name": "bash"})
	s := needSet(t, Options{Fields: f, All: true}, simple("a", "evt.type=open and proc.name=x")+simple("b", "evt.type=open and proc.name=bash"))
	scene := sceneOf(schema.OpenX, nil)
	matched := make([]*Rule, 0, 4)
	run := func() { matched = s.Match(scene, matched[:0]) }
	run()
	if n := testing.AllocsPerRun(100, run); n != 0 || len(matched) != 1 {
		t.Errorf("%v allocations, %d rules", n, len(matched))
	}
	if got := string(s.Text(matched[0], nil)); got != "o bash" {
		t.Errorf("got %q", got)
	}
}

// given reads a file of the given material, or skips the test.
func given(t testing.TB, parts ...string) File {
	t.Helper()
	shared := os.Getenv("FALCO_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "..", "shared")
	}
	name := filepath.Join(append([]string{shared, "data"}, parts...)...)
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("SKIP 1 case: FALCO_SHARED not found")
	}
	if err != nil {
		t.Fatal(err)
	}
	return File{name, text}
}

func mustLoad(t testing.TB, files ...File) (*Set, []Result) {
	t.Helper()
	set, results := Load(files, Options{Priority: Debug})
	if set == nil {
		r := &results[len(results)-1]
		t.Fatalf("%s%s", r.Text(true), strings.Join(r.Hints(), "\n"))
	}
	return set, results
}

// BenchmarkMatch tries the rules of the original on an open(2) of which little
// is known.
func BenchmarkMatch(b *testing.B) {
	set, _ := mustLoad(b, given(b, "rules", "falco_rules-1.0.1.yaml"))
	scene := sceneOf(schema.OpenX, nil)
	scene.Thread = &state.Thread{Comm: "cat", Exe: "cat", ExePath: "/bin/cat", Tid: 7, Pid: 7}
	scene.State = new(state.State)
	matched := make([]*Rule, 0, 4)
	b.ReportAllocs()
	for b.Loop() {
		matched = set.Match(scene, matched[:0])
	}
}

func BenchmarkLoad(b *testing.B) {
	f := given(b, "rules", "falco_rules-0.26.2.yaml")
	b.ReportAllocs()
	for b.Loop() {
		mustLoad(b, f)
	}
}

// FuzzLoad loads anything without a panic.
func FuzzLoad(f *testing.F) {
	f.Add(simple("a", "evt.type=open and m", "  exceptions:\n  - {name: e, fields: [proc.name], values: [[a], [b]]}\n") +
		"- list: l\n  items: [a, l]\n- macro: m\n  condition: proc.name in (l)\n")
	f.Add("- rule: a\n  append: true\n  condition: and x\n---\n- required_engine_version: 0.26.0\n- required_plugin_versions: [{name: a, version: 1.0.0}]\n")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<13 {
			return
		}
		_, results := Load([]File{{"f.yaml", []byte(text)}}, Options{Fields: new(filtertest.Fields), Priority: Debug})
		_ = results[0].Text(true)
		results[0].JSON()
	})
}
