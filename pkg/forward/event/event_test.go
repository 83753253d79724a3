// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

const sample = `{"hostname":"node-1","output":"16:31:56.746609046: Error File opened (user=root a=\"b\")","priority":"Error","rule":"Write below binary dir",` +
	`"source":"syscall","tags":["filesystem","T1543"],"time":"2026-05-17T15:31:56.746609046Z","output_fields":{"evt.time":1507591916746609046,` +
	`"fd.name":"/bin/hack","proc.pid":4242,"proc.aname[2]":"b\u0041sh\u00e9\ud83d\ude00","container.image":null,"a.list":[1,"x",{"y":2.50}],"a.flag":true},"other":{"x":[]}}`

func TestParse(t *testing.T) {
	e, err := Parse([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	if e.Priority != Error || e.Rule != "Write below binary dir" || e.Hostname != "node-1" || !slices.Equal(e.Tags, []string{"filesystem", "T1543"}) ||
		!e.Time.Equal(time.Date(2026, 5, 17, 15, 31, 56, 746609046, time.UTC)) || !strings.Contains(e.Output, `a="b"`) {
		t.Errorf("%+v", e)
	}
	if v, _ := e.Fields.Get("evt.time"); v != json.Number("1507591916746609046") {
		t.Errorf("evt.time is %v", v)
	}
	if v := e.Fields.Str("proc.aname[2]"); v != "bAshé😀" {
		t.Errorf("proc.aname[2] is %q", v)
	}
	if v, ok := e.Fields.Get("container.image"); v != nil || !ok {
		t.Errorf("container.image is %v %v", v, ok)
	}
	if err := e.Check(); err != nil {
		t.Error(err)
	}
	again, err := Parse(e.JSON())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(e, again) {
		t.Errorf("after a round trip:\n%+v\n%+v", e, again)
	}
	if !strings.Contains(string(e.JSON()), `"a.list":[1,"x",{"y":2.50}]`) {
		t.Errorf("numbers in lists are changed: %s", e.JSON())
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		``:                       "unexpected end",
		`{`:                      "unexpected end",
		`[]`:                     "JSON object",
		`"x"`:                    "JSON object",
		`{} {}`:                  "after top-level value",
		`{"priority": "loud"}`:   `unknown priority "loud"`,
		`{"priority": 3}`:        "priority is no text",
		`{"time": "yesterday"}`:  "RFC 3339",
		`{"tags": "x"}`:          "tags is no list",
		`{"tags": [1]}`:          "tags is no text",
		`{"output_fields": [1]}`: "output_fields is no object",
		`{"rule": {}}`:           "rule is no text",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want %q", text, err, want)
		}
	}
	for text, want := range map[string]string{
		`{"rule": "r", "time": "2026-05-17T15:31:56Z", "output_fields": {"a": 1}}`:                "priority is missing",
		`{"rule": "", "priority": "info", "time": "2026-05-17T15:31:56Z"}`:                        "rule is missing",
		`{"rule": "r", "priority": "info", "output_fields": {"a": 1}}`:                            "time is missing",
		`{"rule": "r", "priority": "INFORMATIONAL", "time": "2026-05-17T15:31:56Z"}`:              "output_fields is missing",
		`{"rule": "r", "priority": "debug", "time": "2026-05-17T15:31:56Z", "output_fields": {}}`: "output_fields is missing",
	} {
		e, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want %q", text, err, want)
		}
	}
}

// FuzzParse compares with encoding/json, and looks whether what goes out is what came in.
func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(`{"OUTPUT":"\ud800x\udc00\"\\\/\b\f\n\r\t","output_fields":{"b":1,"a":{"x":"]}"},"b":-1.5e+3},"tags":["a" , null]}`))
	f.Add([]byte("{\"output\":\"\xff\x00\"}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := Parse(text)
		var want struct {
			Output, Rule, Source, Hostname string
			Tags                           []string
			Fields                         map[string]any `json:"output_fields"`
		}
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		werr := dec.Decode(&want)
		if err != nil {
			if werr != nil {
				return
			}
			for _, ours := range []string{"priority", "time", "JSON object", "after top-level", "uuid", "tags is no text", "truncated", "invalid character"} {
				if strings.Contains(strings.ToLower(err.Error()), strings.ToLower(ours)) {
					return
				}
			}
			t.Fatalf("only we refuse %q: %v", text, err)
		}
		if werr != nil {
			return // encoding/json is stricter with members that are there twice
		}
		if strings.Count(strings.ToLower(string(text)), "output") <= 2 && e.Output != want.Output && utf8.Valid(text) {
			t.Errorf("output %q, want %q", e.Output, want.Output)
		}
		again, err := Parse(e.JSON())
		if err != nil {
			t.Fatalf("%v: %s", err, e.JSON())
		}
		if !bytes.Equal(again.AppendJSON(nil), e.JSON()) {
			t.Errorf("%s\n%s", e.JSON(), again.AppendJSON(nil))
		}
		for _, l := range []Limits{{Event: 300, Field: 20}, ChatLimits} {
			c := e.Cut(l)
			if _, err := Parse(c.JSON()); err != nil {
				t.Errorf("cut: %v: %s", err, c.JSON())
			}
		}
	})
}

func TestCut(t *testing.T) {
	e, err := Parse([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	if e.Cut(ChatLimits) != e {
		t.Error("a short event was cut")
	}
	long := strings.Repeat("é", 3000)
	e.Fields.Set("proc.cmdline", long)
	e.Output += " " + long + "."
	c := e.Seal().Cut(ChatLimits)
	got := c.Fields.Str("proc.cmdline")
	if len(got) > 512 || len(got) < 505 || !strings.HasSuffix(got, "é[...]") || !utf8.ValidString(got) {
		t.Errorf("cut to %d bytes: %q", len(got), got[max(0, len(got)-20):])
	}
	if !strings.HasSuffix(c.Output, got+".") || !c.Truncated || !strings.Contains(string(c.JSON()), `"truncated":true`) {
		t.Errorf("output is %q", c.Output)
	}
	if e.Truncated || e.Fields.Str("proc.cmdline") != long {
		t.Error("the event itself was changed")
	}
	e.Rule = strings.Repeat("x", 100)
	e.Output = strings.Repeat("y", 1<<20)
	for i := range 1000 {
		e.Fields.Set(strings.Repeat("k", 10+i%50)+string(rune('a'+i%26)), "v")
	}
	if n := len(e.Seal().Cut(Limits{Event: 2048}).JSON()); n > 2048 {
		t.Errorf("cut to %d bytes, limit 2048", n)
	}
}

func TestStd(t *testing.T) {
	e, err := Parse([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range e.Std() {
		got = append(got, p.Name+"="+p.Value)
	}
	want := []string{"rule=Write below binary dir", "priority=Error", "source=syscall", "hostname=node-1", "tags=filesystem, T1543",
		"a.flag=true", "evt.time=1507591916746609046", "fd.name=/bin/hack", "proc.aname[2]=bAshé😀", "proc.pid=4242", "time=2026-05-17 15:31:56.746609046 +0000 UTC"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestPriorities(t *testing.T) {
	for text, want := range map[string]Priority{"emergency": Emergency, "ALERT": Alert, "Critical": Critical, "error": Error, "warning": Warning,
		"notice": Notice, "info": Informational, "informational": Informational, "debug": Debug} {
		if p, ok := ParsePriority(text); !ok || p != want {
			t.Errorf("%s is %v %v", text, p, ok)
		}
	}
	for _, text := range []string{"", "warn", "warnings", " error"} {
		if p, ok := ParsePriority(text); ok {
			t.Errorf("%q is %v", text, p)
		}
	}
	for p := None; p < Emergency+5; p++ { // each has everything, those that do not exist too
		if p > None && p <= Emergency && p.String() == "" || p.Color() == "" || p.TeamsColor() == "" || p.DiscordColor() == 0 || p.MailColor() == "" ||
			p.PageColor() == "" || p.Alertmanager() == "" || p.Opsgenie() == "" || p.Datadog() == "" || p.PagerDuty() == "" || p.Gotify() == 0 || p.Class() > 8 {
			t.Errorf("%d lacks something", p)
		}
	}
}

func TestShortenRunes(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{{"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"éééé", 4, "éééé"}, {"ééééé", 4, "ééé…"}, {"", 1, ""}} {
		if got := ShortenRunes(c.in, c.n); got != c.want {
			t.Errorf("%q to %d: %q, want %q", c.in, c.n, got, c.want)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	e, err := Parse([]byte(sample))
	if err != nil {
		b.Fatal(err)
	}
	text := e.JSON()
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
