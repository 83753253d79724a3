// SPDX-License-Identifier: Apache-2.0

package outputtest

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/forward/output"
)

// Bad are texts that an attacker would like to see in an event: they end lines, headers,
// strings, tables and messages, or call people.
var Bad = []string{
	"a\r\nBcc: evil@example.org\r\n\r\nbody",
	"nul\x00byte and bell\x07 and escape\x1b[31m and del\x7f",
	"no utf-8 \xff\xfe\xc3\x28 \xed\xa0\x80",
	`quotes " ' and \ and , = ; | and ` + "`back-ticks` ```three```",
	"@everyone @here <!channel> <!here> <@U123> <#C1> <https://evil.example|click>",
	"*bold* _italic_ ~strike~ [link](https://evil.example) ![x](https://evil.example/x.png) # head > quote - list | table |",
	"<script>alert(1)</script><img src=x onerror=alert(1)>&amp;&lt;",
	"{{.Output}} ${jndi:ldap://evil} %s%n %{x} $(id) `id`",
	"\u2028line\u2029paragraph\u202eright to left\u200bzero width\ufeff",
	"\U0001F600 four bytes, and é two, and \u0301\u0301\u0301 marks",
	strings.Repeat("A", 1<<20),
	strings.Repeat("é", 3000),
	strings.Repeat("\n", 5000),
	"", " ", ".", "..", "/", "-", "'; DROP TABLE events; --",
}

// HostileEvents are events of which each part is bad in turn, and some that are bad in their shape.
func HostileEvents() []*event.Event {
	var out []*event.Event
	add := func(change func(e *event.Event)) {
		e := Event(len(out)).Clone()
		change(e)
		out = append(out, e.Seal())
	}
	for _, bad := range Bad {
		add(func(e *event.Event) { e.Output = bad })
		add(func(e *event.Event) { e.Rule = bad })
		add(func(e *event.Event) { e.Hostname = bad })
		add(func(e *event.Event) { e.Source = bad })
		add(func(e *event.Event) { e.Tags = []string{bad, "ok"} })
		add(func(e *event.Event) { e.Fields.Set("proc.cmdline", bad) })
		add(func(e *event.Event) { e.Fields.Set("k8s.ns.name", bad); e.Fields.Set("k8s.pod.name", bad) })
		if len(bad) < 1<<16 {
			add(func(e *event.Event) { e.Fields.Set(bad, "value"); e.Fields.Set(bad+"2", bad) })
		}
	}
	add(func(e *event.Event) { e.Fields = nil })
	add(func(e *event.Event) { e.Tags, e.Hostname, e.Source = nil, "", "" })
	add(func(e *event.Event) { e.Fields.Set("k8s.ns.name", json.Number("5")); e.Fields.Set("k8s.pod.name", nil) })
	add(func(e *event.Event) {
		e.Fields.Set("deep", map[string]any{"a": []any{"b", json.Number("1e400"), nil, map[string]any{"c": true}}})
	})
	add(func(e *event.Event) { e.Fields.Set("huge", json.Number("1"+strings.Repeat("0", 400))) })
	add(func(e *event.Event) { e.Time = time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC) })
	add(func(e *event.Event) { e.Time = time.Unix(0, 1).UTC() })
	add(func(e *event.Event) {
		for i := range 500 {
			e.Fields.Set("field."+UUID(i), UUID(i))
		}
	})
	for p := event.Debug; p <= event.Emergency; p++ {
		add(func(e *event.Event) { e.Priority = p })
	}
	return out
}

// Hostile sends all of them, each alone. The receiver says what is valid (a Server does so by its
// schema and limits): each event has to be taken, or refused for good by us; an
// error of any other kind, or a panic, fails the test.
func Hostile(t *testing.T, o *Opened) {
	t.Helper()
	for i, e := range HostileEvents() {
		err := o.Send(t, e)
		if err == nil {
			continue
		}
		err = single(err)
		if class, _ := output.ClassOf(err); class == output.Final {
			if status, ok := errors.AsType[*output.Error](err); ok && status.Status != 0 {
				t.Errorf("hostile event %d: the receiver has refused it: %v\n%s", i, err, excerpt(e.JSON()))
			}
			continue
		}
		t.Errorf("hostile event %d: %v\n%s", i, err, excerpt(e.JSON()))
	}
}

// single takes the one error out of a batch of one.
func single(err error) error {
	if p, ok := errors.AsType[*output.Partial](err); ok && len(p.Errs) == 1 {
		return p.Errs[0]
	}
	return err
}

// Class checks the class of an error.
func Class(t testing.TB, err error, want output.Class) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if got, _ := output.ClassOf(single(err)); got != want {
		t.Errorf("%v: class %d, want %d", err, got, want)
	}
}

// FromFuzz makes an event of what a fuzzer has: all parts from its text.
func FromFuzz(text string) *event.Event {
	parts := strings.SplitN(text, "|", 7)
	for len(parts) < 7 {
		parts = append(parts, text)
	}
	e := Event(0).Clone()
	e.Output, e.Rule, e.Hostname, e.Source, e.Tags = parts[0], parts[1], parts[2], parts[3], []string{parts[4]}
	e.Fields.Set(parts[5], parts[6])
	return e.Seal()
}
