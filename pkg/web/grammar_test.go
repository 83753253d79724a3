// SPDX-License-Identifier: Apache-2.0

package web

import (
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"
)

func TestParseQuery(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{``, `[]`},
		{`shell "was read" -cat`, `[{text 0 [shell] false} {text 0 [was read] false} {text 0 [cat] true}]`},
		{`rule:Terminal*`, `[{rule 0 [Terminal*] false}]`},
		{`rule:"a \"b\" \\c" hostname=n`, `[{rule 0 [a "b" \c] false} {host 0 [n] false}]`},
		{`host:(a OR "b c" d)`, `[{host 0 [a b c d] false}]`},
		{`-host:a host!=b -host!=c`, `[{host 0 [a] true} {host 0 [b] true} {host 0 [c] false}]`},
		{`priority>=error priority<notice`, `[{priority 1 [error] false} {priority 1 [notice] true}]`},
		{`proc.aname[2]:bash`, `[{field.proc.aname[2] 0 [bash] false}]`},
		{`10.0.0.1:80`, `[{text 0 [10.0.0.1:80] false}]`},
		{`- a`, `[{text 0 [-] false} {text 0 [a] false}]`},
		{`k8s.ns.name:prod tags:x`, `[{ns 0 [prod] false} {tag 0 [x] false}]`},
	} {
		got, err := ParseQuery(c.text)
		if err != nil || fmt.Sprint(got) != c.want && !(len(got) == 0 && c.want == "[]") {
			t.Errorf("%s: %v, %v, want %s", c.text, got, err, c.want)
		}
	}
	for text, pos := range map[string]int{`a "b`: 2, `rule:`: 5, `rule:(a`: 7, `rule:()`: 7, `文 priority:x`: 2, `host>=a`: 0, `""`: 0, `state:x`: 0} {
		_, err := ParseQuery(text)
		var e *SyntaxError
		if !errors.As(err, &e) || e.Pos != pos {
			t.Errorf("%s: %v, want an error at %d", text, err, pos)
		}
	}
}

func TestParseSince(t *testing.T) {
	for text, want := range map[string]time.Duration{"5min": 5 * time.Minute, "24h": 24 * time.Hour, "1w": 7 * day, "1M": 30 * day, "1y": 365 * day, "90s": 90 * time.Second} {
		if got, err := ParseSince(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "5", "h", "-5m", "0h", "1x", "999999999999y", "2147483647y"} {
		if got, err := ParseSince(text); err == nil {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// Whatever is asked, the answer is a query or an error that says where.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{`a "b" -rule:(x OR y) priority>=error`, `"\"`, `((((`, "\x00", `文:字`, `a:b:c=d`} {
		f.Add(s, "5m", "x")
	}
	f.Fuzz(func(t *testing.T, q, since, cursor string) {
		conds, err := ParseQuery(q)
		if err == nil {
			(&Query{Conds: conds}).Match(&Event{Rule: "r", Priority: Error, Tags: []string{"t"}, fields: map[string]any{"a": "b"}})
		}
		if d, err := ParseSince(since); err == nil && d <= 0 {
			t.Errorf("%q: %v", since, d)
		}
		if c, err := parseCursor(cursor); err == nil && c != (Cursor{}) {
			if again, err := parseCursor(c.String()); err != nil || again != c {
				t.Errorf("%q: %+v, %v", cursor, again, err)
			}
		}
		if v, err := url.ParseQuery(cursor); err == nil {
			queryOf(v, base)
		}
	})
}

// Whatever is posted becomes an event that can be read back, or an error.
func FuzzEvent(f *testing.F) {
	f.Add([]byte(`{"rule":"r","priority":"Error","time":"2026-05-17T15:31:56Z","output":"o\u0000","output_fields":{"a":[1,{"b":null}],"n":1e400}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := ParseEvent(text)
		if err != nil {
			return
		}
		again := stored(e.Raw)
		if again.UUID != e.UUID || again.Time != e.Time || again.Rule != e.Rule || again.Output != e.Output || again.text() != e.text() {
			t.Errorf("%q came back as %q", e.Raw, again.Raw)
		}
	})
}

// FuzzMetrics reads the metrics page of a daemon that may be anybody.
func FuzzMetrics(f *testing.F) {
	f.Add(`falcosecurity_falco_ring_used_bytes{cpu="0",x="\"\\"} 12 3`)
	f.Fuzz(func(t *testing.T, line string) { metricOf(line) })
}
