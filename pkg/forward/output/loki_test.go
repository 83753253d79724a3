// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
)

// What Loki's push API takes, with the limits of its default configuration. TestLokiReal asks the real one, where it
// is built.
const lokiSchema = `{"type": "object", "additionalProperties": false, "required": ["streams"], "properties": {"streams": {"type": "array", "minItems": 1, "items":
	{"type": "object", "additionalProperties": false, "required": ["stream", "values"], "properties": {
		"stream": {"type": "object", "minProperties": 1, "maxProperties": 15, "propertyNames": {"pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$", "not": {"pattern": "^_*$"}, "maxLength": 1024},
			"additionalProperties": {"type": "string", "minLength": 1, "maxLength": 2048, "pattern": "^[^\ufffd]*$"}},
		"values": {"type": "array", "minItems": 1, "items": {"type": "array", "minItems": 2, "maxItems": 3, "prefixItems": [
			{"type": "string", "pattern": "^[0-9]{1,19}$"}, {"type": "string", "maxLength": 262144},
			{"type": "object", "maxProperties": 128, "propertyNames": {"pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$", "not": {"pattern": "^_*$"}}, "additionalProperties": {"type": "string"}}]}}}}}}}`

func TestLoki(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Path: "/loki/api/v1/push", Schema: lokiSchema, Status: 204, Header: map[string]string{
		"Content-Type": "application/json; charset=utf-8", "Content-Encoding": "gzip", "X-Scope-OrgID": "me", "Authorization": "Basic dTpw", "X-A": "b"}})
	o := outputtest.Open(t, "loki", "loki: {hostport: "+s.URL+"/, user: u, apikey: p, tenant: me, extralabels: 'user.name,proc.aname[2],nosuch', customheaders: {X-A: b}}")
	a, b := outputtest.Event(0).Clone(), outputtest.Event(1).Clone()
	a.Fields.Set("cluster", `la"b`)
	b.Fields.Set("cluster", `la"b`)
	other := outputtest.Event(2).Clone()
	other.Rule = "Other"
	if err := o.Send(t, b, other, a); err != nil {
		t.Fatal(err)
	}
	outputtest.SameJSON(t, s.One().Body, []byte(`{"streams": [{"stream": {"rule": "Terminal shell in container", "source": "syscall", "priority": "Warning", "hostname": "node-1",
		"tags": "container,mitre_execution,shell", "k8s_ns_name": "prod", "k8s_pod_name": "web-1", "cluster": "lab", "user_name": "root", "proc_aname2": "sshd"},
		"values": [["`+strconv.FormatInt(a.Time.UnixNano(), 10)+`", `+string(event.AppendString(nil, a.Output))+`], ["`+strconv.FormatInt(b.Time.UnixNano(), 10)+`", `+string(event.AppendString(nil, a.Output))+`]]},
		{"stream": {"rule": "Other", "source": "syscall", "priority": "Warning", "hostname": "node-1", "tags": "container,mitre_execution,shell", "k8s_ns_name": "prod", "k8s_pod_name": "web-1",
		"user_name": "root", "proc_aname2": "sshd"}, "values": [["`+strconv.FormatInt(other.Time.UnixNano(), 10)+`", `+string(event.AppendString(nil, a.Output))+`]]}]}`))
}

func TestLokiJSONAndMetadata(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Path: "/push", Schema: lokiSchema, Header: map[string]string{"Content-Encoding": "-", "Authorization": "-"}})
	o := outputtest.Open(t, "loki", "loki: {hostport: "+s.URL+", endpoint: push, format: json, structuredmetadata: true, enablecompression: false}")
	e := outputtest.Event(0)
	if err := o.Send(t, e); err != nil {
		t.Fatal(err)
	}
	value := at(t, decode(t, s.One().Body), "streams", 0, "values", 0)
	outputtest.SameJSON(t, []byte(at(t, value, 1).(string)), e.JSON())
	if m := at(t, value, 2); at(t, m, "uuid") != e.UUID || at(t, m, "proc_pid") != "4242" || m.(map[string]any)["k8s_ns_name"] != nil {
		t.Errorf("metadata is %v", m)
	}
}

// Lines that are refused for their age go out again with the time of now.
func TestLokiTooOld(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Schema: lokiSchema})
	o := outputtest.Open(t, "loki", "loki: {hostport: "+s.URL+"}")
	s.Script(outputtest.Answer{Status: 400, Body: "entry for stream '{rule=\"" + strings.Repeat("long ", 500) + "\"}' has timestamp too old: 2017-05-17T15:31:56Z, oldest acceptable timestamp is: 2026-05-10T15:31:56Z"})
	old := outputtest.Event(0).Clone()
	old.Time = outputtest.Now.AddDate(0, 0, -2)
	young := outputtest.Event(1)
	if err := o.Send(t, old, young); err != nil {
		t.Fatal(err)
	}
	values := at(t, decode(t, s.One().Body), "streams", 0, "values")
	got := []any{at(t, values, 0, 0), at(t, values, 1, 0)}
	if want := []any{strconv.FormatInt(young.Time.UnixNano(), 10), strconv.FormatInt(outputtest.Now.UnixNano(), 10)}; !slices.Equal(got, want) {
		t.Errorf("times are %v, want %v", got, want)
	}
	s.Script(outputtest.Answer{Status: 400, Body: "entry out of order"}, outputtest.Answer{Status: 400, Body: "entry out of order"})
	outputtest.Class(t, o.Send(t, young), output.Final)
}

func TestLokiAnswersAndHostile(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Schema: lokiSchema})
	o := outputtest.Open(t, "loki", "loki: {hostport: "+s.URL+", user: u, apikey: topsecret, structuredmetadata: true, extralabels: [proc.cmdline]}")
	classes(t, o, s, nil)
	outputtest.Hostile(t, o)
	if _, err := outputtest.TryOpen(t, "loki", "loki: {hostport: 'loki:3100'}"); err == nil {
		t.Error("a hostport without http is taken")
	}
}
