// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/forward/event"
)

// completed is what becomes of an event by the settings yaml.
func completed(t *testing.T, yaml string, environ []string, change ...func(e *event.Event)) *event.Event {
	t.Helper()
	cfg, err := Parse(yaml, environ)
	if err != nil {
		t.Fatal(err)
	}
	x := newEnricher(cfg, &testLog{t: t})
	e, err := event.Parse(line(1, change...))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.complete(e); err != nil {
		t.Fatal(err)
	}
	x.finish(e)
	return e
}

func TestEnrich(t *testing.T) {
	e := completed(t, `
customfields: {MyKey: lab, url: "http://x:80", who: "%WHO", proc.name: other}
templatedfields: {upper: '{{ index . "user.name" }}@{{ .Event.Hostname }}', broken: '{{ .x', pod: '{{ or (index . "nosuch") "none" }}'}
customtags: [zz, aa]
`, []string{"WHO=me"}, func(e *event.Event) { e.Source = "" })
	for k, want := range map[string]string{"MyKey": "lab", "url": "http://x:80", "who": "me", "proc.name": "other", "upper": "root@node-1", "pod": "none"} {
		if got := e.Fields.Str(k); got != want {
			t.Errorf("%s is %q, want %q", k, got, want)
		}
	}
	if _, ok := e.Fields.Get("broken"); ok {
		t.Error("a field of a broken template is there")
	}
	if !slices.Equal(e.Tags, []string{"aa", "container", "shell", "zz"}) || e.Source != "syscalls" || e.UUID != uuid(1) {
		t.Errorf("%v %s %s", e.Tags, e.Source, e.UUID)
	}
	if e := completed(t, "", nil, func(e *event.Event) { e.Rule = event.Test }); e.Source != "internal" {
		t.Errorf("the test rule's source is %s", e.Source)
	}
	e = completed(t, "", []string{`CUSTOMFIELDS=a:b:c,d:e\,f`, "CUSTOMTAGS=x"})
	if e.Fields.Str("a") != "b:c" || e.Fields.Str("d") != "e,f" || !slices.Contains(e.Tags, "x") {
		t.Errorf("%v %v", e.Fields, e.Tags)
	}
	// What is added counts when the event is checked.
	cfg := config(t, "customfields: {a: b}")
	x := newEnricher(cfg, silent{})
	e, _ = event.Parse([]byte(`{"rule": "r", "priority": "info", "time": "2026-05-17T15:31:56Z"}`))
	if _, err := x.complete(e); err != nil {
		t.Error(err)
	}
	if _, ok := parseUUID(e.UUID); !ok || e.UUID[14] != '4' {
		t.Errorf("uuid %q", e.UUID)
	}
}

func TestOutputFormat(t *testing.T) {
	for _, c := range []struct{ format, line, want string }{
		{"<timestamp> [<priority>] <output> <tags>", "15:31:56.746609046: warning A shell (user=root)", "15:31:56.746609046 [Warning] A shell (user=root) container,shell"},
		{"<output> <custom_fields> <templated_fields>", "15:31:56.746609046: Warning A shell", "A shell cluster=lab up=ROOT"},
		{"<priority>: <output>", "15:31:56.746609046: Warning A shell ()", "Warning: A shell"},
		{"<priority>: <output>", "no time in front", "no time in front"},
		{"<priority>: <output>", "15:31:56: Warning no fraction", "15:31:56: Warning no fraction"},
	} {
		e := completed(t, "customfields: {cluster: lab}\ntemplatedfields: {up: ROOT}\noutputFieldFormat: '"+c.format+"'\n", nil, func(e *event.Event) { e.Output = c.line })
		if e.Output != c.want {
			t.Errorf("%q of %q is %q, want %q", c.format, c.line, e.Output, c.want)
		}
	}
	e := completed(t, "bracketreplacer: _\n", nil, func(e *event.Event) { e.Fields.Set("proc.aname[2]", "bash") })
	if e.Fields.Str("proc.aname_2") != "bash" || e.Fields.Str("proc.aname[2]") != "" {
		t.Errorf("%v", e.Fields)
	}
}

// A field that should be a text and is a number does no harm (the original panics).
func TestOddFields(t *testing.T) {
	s := newReceiver(t)
	r := begin(t, t.TempDir(), "webhook: {address: '"+s.URL+"'}\n")
	r.post(0, 1, func(e *event.Event) {
		e.Fields.Set("k8s.ns.name", json.Number("5"))
		e.Fields.Set("k8s.pod.name", nil)
	})
	r.post(1, 2, func(e *event.Event) { e.Fields.Set("k8s.pod.name", []any{"a"}) })
	r.idle()
	s.has(t, 0, 2)
	_, _, text := r.ask("GET", "/metrics", "")
	want := `falcosecurity_falcosidekick_falco_events_total{hostname="node-1",k8s_ns_name="5",k8s_pod_name="",priority="4",priority_raw="warning",rule="Terminal shell in container",source="syscall"} 1`
	if !strings.Contains(text, want) {
		t.Errorf("no %s in\n%s", want, text)
	}
}

// There are never more series than the settings allow: the rest counts as one.
func TestSeriesAreBounded(t *testing.T) {
	s := newReceiver(t)
	r := begin(t, t.TempDir(), "webhook: {address: '"+s.URL+"', format: ndjson}\nmetrics: {max_series: 10}\ncustomfields: {a.b: c}\nprometheus: {extralabels: 'proc.name,user.name'}\n")
	n := 0
	r.post(0, 300, func(e *event.Event) { n++; e.Fields.Set("k8s.pod.name", fmt.Sprint("pod-", n)) })
	r.idle()
	_, _, text := r.ask("GET", "/metrics", "")
	if got := strings.Count(text, "falcosecurity_falcosidekick_falco_events_total{"); got != 11 {
		t.Errorf("%d series, want 10 and one for the rest", got)
	}
	for _, want := range []string{`k8s_pod_name="overflow"`, `} 290`, `a_b="c"`, `proc_name="bash"`, `user_name="root"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
}
