// SPDX-License-Identifier: Apache-2.0

package format_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falco-go/falco/pkg/event"
	"github.com/falco-go/falco/pkg/filter"
	"github.com/falco-go/falco/pkg/filter/filtertest"
	"github.com/falco-go/falco/pkg/format"
	"github.com/falco-go/falco/pkg/state"
)

var facts = filtertest.Facts{
	"proc.name": "bash", "proc.pname": "sshd", "proc.pid": 40, "user.loginuid": -1, "user.uid": 0, "evt.failed": true,
	"evt.buffer": "hi...", "fd.sip": "2001:db8::1", "fd.cip": "10.0.0.5", "fd.types": []any{"ipv4", "file"}, "fd.sport": 443,
	"evt.rawarg.flags": "1A7", "evt.rawarg.mode": "755", "fd.dev": 255, "proc.aname[1]": "sshd", "proc.aname[2]": "init",
	"evt.time": "12:00:00.000000000", "evt.num": 9,
}

func prepare(t testing.TB, text string, o format.Options) (*format.Template, *filter.Env) {
	t.Helper()
	f := new(filtertest.Fields)
	f.Set(facts)
	c := &filter.Compiler{Fields: f}
	tmpl, err := format.Parse(text, c, o)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	env := c.NewEnv()
	env.Begin(&state.Scene{Event: &event.Event{TS: 1234}})
	return tmpl, env
}

func TestWhole(t *testing.T) {
	for text, want := range map[string]bool{
		"plain": true, "%proc.name ran %evt.num": true, "%proc.name %fd.name": false, "%fd.cnet": true, "%fd.net": false,
		"%concat(proc.name,fd.name)": false, "%len(proc.name)": true, "%proc.aname[7]": false,
	} {
		tmpl, env := prepare(t, text, format.Options{})
		if got := tmpl.Whole(env); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"plain":                              "plain",
		"*%proc.name":                        "bash",
		"%proc.name%proc.namexyz":            "bashbashxyz",
		"%6proc.name|%2proc.name|%0proc.pid": "bash  |ba|40",
		"%fd.name %fd.num":                   "<NA> <NA>",
		"%proc.aname[2] %proc.aname[7] %proc.aname": "init <NA> sshd init",
		"%proc.aname[2":                              "sshd init[2",
		"%fd.types %fd.sip %fd.sport":                "(ipv4,file) 2001:db8::1 443",
		"%fd.ip %fd.cnet":                            "<NA> <IPNET>",
		"%evt.rawarg.flags %evt.rawarg.mode %fd.dev": "1A7 755 FF",
		"%user.loginuid %evt.failed":                 "-1 true",
		"%evt.buffer":                                "hi...",
		"%toupper(proc.name) %len(proc.name) %join(\"-\",(proc.name,proc.pid))": "BASH 4 bash-40",
		"%concat(proc.name,fd.name)": "<NA>",
	} {
		tmpl, env := prepare(t, text, format.Options{})
		if got := string(tmpl.Append(nil, env)); got != want {
			t.Errorf("%q\ngot  %s\nwant %s", text, got, want)
		}
	}
	tmpl, env := prepare(t, "%evt.buffer", format.Options{Base64: true})
	if got := string(tmpl.Append(nil, env)); got != "aGkAAf8=" {
		t.Errorf("got %s", got)
	}
	tmpl, env = prepare(t, "%len(proc.name)", format.Options{Strict: true}) // QUIRK 10
	if got := string(tmpl.Append(nil, env)); got != "<NA>" {
		t.Errorf("got %s", got)
	}
}

func TestErrors(t *testing.T) {
	const unknown = "unknown filter: unexpected token after '"
	for text, want := range map[string]string{
		"":                   "empty formatting token",
		"a %":                "invalid formatting syntax: formatting cannot end with a %",
		"a %12":              "invalid formatting syntax: formatting cannot end with a number",
		"%proc.nosuch":       unknown,
		"100% sure":          unknown,
		"%val(proc.name)":    unknown,
		"%tolower(proc.pid)": unknown,
		"%tolower(":          unknown,
		"%evt.arg.nosuch":    unknown,
	} {
		c := &filter.Compiler{Fields: new(filtertest.Fields)}
		if _, err := format.Parse(text, c, format.Options{}); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func TestFields(t *testing.T) {
	tmpl, env := prepare(t, "%proc.name %proc.pid %user.loginuid %evt.failed %fd.types %fd.sip %fd.ip %fd.cnet %fd.name %evt.time "+
		"%evt.rawarg.flags %evt.num %tolower(proc.pname) %proc.aname %proc.name %fd.sport", format.Options{})
	got := map[string]any{}
	for _, f := range tmpl.AppendFields(nil, env) {
		got[f.Key] = f.Value
	}
	want := map[string]any{
		"proc.name": "bash", "proc.pid": int64(40), "user.loginuid": int64(-1), "evt.failed": true, "fd.types": []any{"ipv4", "file"},
		"fd.sip": "2001:db8::1", "fd.ip": nil, "fd.cnet": "<IPNET>", "fd.name": nil, "evt.time": uint64(1234),
		"evt.rawarg.flags": "1A7", "evt.num": uint64(9), "proc.pname": "sshd", "proc.aname": "sshd init", "fd.sport": uint64(443),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestOwns: what comes out does not change with what it was made of.
func TestOwns(t *testing.T) {
	tmpl, env := prepare(t, "%toupper(proc.name) %evt.buffer", format.Options{})
	text := tmpl.Append(nil, env)
	fields := tmpl.AppendFields(nil, env)
	copy(text, strings.Repeat("x", len(text)))
	if again := string(tmpl.Append(nil, env)); again != "BASH hi..." || fields[0].Value != "bash" {
		t.Errorf("got %q, %v", again, fields)
	}
}

func TestNoAllocations(t *testing.T) {
	tmpl, env := prepare(t, "%proc.name %toupper(proc.name) %proc.pid %fd.types %12fd.sip", format.Options{})
	buf := make([]byte, 0, 256)
	tmpl.Append(buf, env)
	if n := testing.AllocsPerRun(100, func() { tmpl.Append(buf, env) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAppend(b *testing.B) {
	tmpl, env := prepare(b, "opened %fd.name by %proc.name (%toupper(proc.pname)) %proc.pid", format.Options{})
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		tmpl.Append(buf, env)
	}
}
