// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

const t0 = 1470327477881785348 // 2016-08-04 16:17:57.881785348 UTC

func style() Style {
	return Style{Output: true, Fields: true, Tags: true, Hostname: "vm", Location: time.UTC}
}

func sample() Alert {
	return Alert{TimeNs: t0, Rule: "open_from_cat", Source: "syscall", Severity: 4,
		Message: "An open was seen (command=cat /dev/null)",
		Fields:  []Field{{"proc.cmdline", "cat /dev/null"}}}
}

func TestText(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		with       func(*Style, *Alert)
	}{
		{"clock", `16:17:57.881785348: Warning An open was seen (command=cat /dev/null)`, nil},
		{"zone", `01:17:57.881785348: Warning An open was seen (command=cat /dev/null)`,
			func(s *Style, _ *Alert) { s.Location = time.FixedZone("JST", 9*3600) }},
		{"iso", `2016-08-04T16:17:57.881785348+0000: Warning An open was seen (command=cat /dev/null)`,
			func(s *Style, _ *Alert) { s.ISO8601 = true; s.Location = time.FixedZone("JST", 9*3600) }},
		{"zeros are kept", `16:17:57.000000000: Warning x`,
			func(_ *Style, a *Alert) { a.TimeNs -= 881785348; a.Message = "x" }},
		{"informational", `16:17:57.881785348: Informational x`,
			func(_ *Style, a *Alert) { a.Severity = 6; a.Message = "x" }},
		{"one line", `16:17:57.881785348: Warning a\nb \"c\" \\ \u0007\u0009\u007f\u009b é ` + "\uFFFD\uFFFD",
			func(_ *Style, a *Alert) { a.Message = "a\nb \"c\" \\ \a\t\x7f\u009b é \uFFFD\xff" }},
		{"internal", `16:17:57.881785348: Debug lost (a=1.0 n="1" z=[1,"x"])`,
			func(_ *Style, a *Alert) {
				*a = Alert{TimeNs: t0, Rule: "r", Source: Internal, Severity: 7, Message: "lost",
					Fields: []Field{{"z", []any{int64(1), "x"}}, {"n", "1"}, {"a", 1.0}}}
			}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, a := style(), sample()
			if tc.with != nil {
				tc.with(&s, &a)
			}
			got := string(s.Append(nil, &a))
			if got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		with       func(*Style, *Alert)
	}{
		{"as the original writes it",
			`{"hostname":"vm","output":"16:17:57.881785348: Warning An open was seen (command=cat /dev/null)","output_fields":{"evt.time":1470327477881785348,"proc.cmdline":"cat /dev/null"},"priority":"Warning","rule":"open_from_cat","source":"syscall","tags":[],"time":"2016-08-04T16:17:57.881785348Z"}`,
			nil},
		{"least",
			`{"hostname":"vm","priority":"Warning","rule":"open_from_cat","source":"syscall","time":"2016-08-04T16:17:57.881785348Z"}`,
			func(s *Style, _ *Alert) { s.Output, s.Fields, s.Tags = false, false, false }},
		{"message, sorted tags and fields, kinds of values",
			`{"hostname":"vm","message":"a \"b\"\n","output":"16:17:57.881785348: Warning a \"b\"\n","output_fields":{"a":null,"b":true,"c":-1,"d":18446744073709551615,"e":0.5,"evt.time":1470327477881785348,"f":2.0,"g":["x","y"],"h":"\uFFFD"},"priority":"Warning","rule":"open_from_cat","source":"syscall","tags":["net","x"],"time":"2016-08-04T16:17:57.881785348Z"}`,
			func(s *Style, a *Alert) {
				s.Message = true
				a.Message, a.Tags = "a \"b\"\n", []string{"x", "net"}
				a.Fields = []Field{{"h", "\xff"}, {"g", []any{"x", "y"}}, {"f", 2.0}, {"e", .5}, {"d", ^uint64(0)},
					{"c", int64(-1)}, {"b", true}, {"a", nil}, {"b", false}}
			}},
		{"iso", `{"hostname":"vm","output_fields":{"evt.time.iso8601":1470327477881785348},"priority":"Warning","rule":"open_from_cat","source":"syscall","tags":[],"time":"2016-08-04T16:17:57.881785348Z"}`,
			func(s *Style, a *Alert) { s.ISO8601, s.Output = true, false; a.Fields = nil }},
		{"internal", `{"hostname":"vm","output":"lost","output_fields":{"n_drops":"1"},"priority":"Debug","rule":"r","source":"internal","time":"2016-08-04T16:17:57.881785348Z"}`,
			func(s *Style, a *Alert) {
				s.Message = true
				*a = Alert{TimeNs: t0, Rule: "r", Source: Internal, Severity: 7, Message: "lost", Fields: []Field{{"n_drops", "1"}}}
			}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, a := style(), sample()
			s.JSON = true
			if tc.with != nil {
				tc.with(&s, &a)
			}
			want := strings.ReplaceAll(tc.want, `\uFFFD`, "\uFFFD")
			if got := string(s.Append(nil, &a)); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// FuzzLine: whatever a process puts into its name, both forms stay one line of
// printable UTF-8, and the JSON form reads back.
func FuzzLine(f *testing.F) {
	f.Add("cat /dev/null")
	f.Add("\x00\n\r\x1b[2J\u009b\u2028\xff\xc0\x80\"\\")
	f.Fuzz(func(t *testing.T, text string) {
		s, a := style(), sample()
		a.Message = text
		a.Fields = []Field{{text, text}}
		for _, s.JSON = range []bool{false, true} {
			line := s.Append(nil, &a)
			if !utf8.Valid(line) {
				t.Fatalf("no UTF-8: %q", line)
			}
			for _, r := range string(line) {
				if r < ' ' || r >= 0x7f && r <= 0x9f {
					t.Fatalf("control character in %q", line)
				}
			}
			if s.JSON {
				var back struct {
					OutputFields map[string]any `json:"output_fields"`
				}
				if err := json.Unmarshal(line, &back); err != nil {
					t.Fatalf("%v: %s", err, line)
				}
				if want := strings.ToValidUTF8(text, "\uFFFD"); text == want && text != "evt.time" && back.OutputFields[text] != text {
					t.Fatalf("%q came back as %q", text, back.OutputFields[text])
				}
			}
		}
	})
}

// The key of the ID is there where it is asked for, last as its name demands, and
// every alert of every run has another.
func TestID(t *testing.T) {
	ids, others := NewIDs(), NewIDs()
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]bool{}
	for range 1000 {
		for _, id := range []ID{ids.Next(), others.Next()} {
			if text := id.String(); seen[text] || !form.MatchString(text) {
				t.Fatalf("%s", text)
			} else {
				seen[text] = true
			}
		}
	}
	a := &Alert{ID: ids.Next(), Rule: "r"}
	style := Style{JSON: true}
	if text := string(style.Append(nil, a)); strings.Contains(text, "uuid") {
		t.Error(text)
	}
	style.UUID = true
	if text := string(style.Append(nil, a)); !strings.HasSuffix(text, `,"time":"1970-01-01T00:00:00.000000000Z","uuid":"`+a.ID.String()+`"}`) || !json.Valid([]byte(text)) {
		t.Error(text)
	}
	a.ID = ID{}
	if text := string(style.Append(nil, a)); strings.Contains(text, "uuid") {
		t.Error(text)
	}
}
