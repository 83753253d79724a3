// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"testing"

	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
)

const pagerdutySchema = `{"type": "object", "additionalProperties": false, "required": ["routing_key", "event_action", "dedup_key", "payload"], "properties": {
	"routing_key": {"const": "topsecret"}, "event_action": {"const": "trigger"}, "dedup_key": {"type": "string", "minLength": 1, "maxLength": 255}, "client": {"type": "string"}, "client_url": {"type": "string"},
	"payload": {"type": "object", "additionalProperties": false, "required": ["summary", "source", "severity", "timestamp", "custom_details"], "properties": {
		"summary": {"type": "string", "minLength": 1, "maxLength": 1024}, "source": {"const": "falco"}, "severity": {"enum": ["critical", "error", "warning", "info"]},
		"timestamp": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z$"}, "component": {"type": "string"}, "group": {"type": "string"}, "class": {"type": "string"},
		"custom_details": {"type": "object", "required": ["hostname"]}}}}}`

func TestPagerduty(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Path: "/v2/enqueue", Schema: pagerdutySchema, Status: 202, MaxBody: 512 << 10})
	o := outputtest.Open(t, "pagerduty", "pagerduty: {routingkey: topsecret, region: EU, baseurl: "+s.URL+"/, clienturl: 'https://ui'}")
	e := outputtest.Event(0)
	if err := o.Send(t, e); err != nil {
		t.Fatal(err)
	}
	outputtest.SameJSON(t, s.One().Body, []byte(`{"routing_key": "topsecret", "event_action": "trigger", "dedup_key": "`+e.UUID+`", "client": "Falcosidekick", "client_url": "https://ui", "payload": {
		"summary": `+string(event.AppendString(nil, e.Output))+`, "source": "falco", "severity": "warning", "timestamp": "2026-05-17T15:31:56.746609046Z", "component": "web-1", "group": "prod",
		"class": "Terminal shell in container", "custom_details": {"rule": "Terminal shell in container", "priority": "Warning", "source": "syscall", "hostname": "node-1", "tags": "container, mitre_execution, shell",
		"evt.time": 1779031916746609046, "proc.name": "bash", "proc.cmdline": "bash -i", "proc.pid": 4242, "user.name": "root", "k8s.ns.name": "prod", "k8s.pod.name": "web-1", "container.id": "abc123",
		"container.image.repository": "nginx", "proc.is_exe_writable": false, "proc.aname[2]": "sshd", "fd.lport": null}}}`))
}

func TestPagerdutySeveritiesAndKey(t *testing.T) {
	for p, want := range map[event.Priority]string{event.Emergency: "critical", event.Critical: "critical", event.Error: "error", event.Warning: "warning", event.Notice: "info", event.Debug: "info"} {
		s := outputtest.Serve(t, outputtest.Want{Status: 202})
		o := outputtest.Open(t, "pagerduty", "pagerduty: {routingkey: topsecret, baseurl: "+s.URL+", dedupkey: '{{.Rule}}|{{.Hostname}}'}")
		e := outputtest.Event(0).Clone()
		e.Priority, e.Fields = p, nil // without fields the original panics
		if err := o.Send(t, e); err != nil {
			t.Fatal(err)
		}
		m := decode(t, s.One().Body)
		if at(t, m, "payload", "severity") != want || at(t, m, "dedup_key") != "Terminal shell in container|node-1" {
			t.Errorf("%v: %v", p, m)
		}
	}
}

func TestPagerdutyAnswersAndHostile(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Status: 202, MaxBody: 512 << 10})
	o := outputtest.Open(t, "pagerduty", "pagerduty: {routingkey: topsecret, baseurl: "+s.URL+"}")
	classes(t, o, s, nil)
	s.Script(outputtest.Answer{Status: 400, Body: `{"status":"invalid event","message":"Event object is invalid","errors":["Invalid routing key"]}`})
	outputtest.Class(t, o.Send(t, outputtest.Event(0)), output.Configuration)
	s.Script(outputtest.Answer{Status: 200})
	outputtest.Class(t, o.Send(t, outputtest.Event(0)), output.Configuration) // somebody else answers
	for _, e := range outputtest.HostileEvents() {                            // without the engine's limits
		if err := o.Output.Send(t.Context(), []*event.Event{e}); err != nil {
			if class, _ := output.ClassOf(err); class != output.Final {
				t.Error(err)
			}
		}
	}
	strict := outputtest.Serve(t, outputtest.Want{Status: 202, MaxBody: 512 << 10, Check: func(r *outputtest.Request) error { return nil }})
	outputtest.Hostile(t, outputtest.Open(t, "pagerduty", "pagerduty: {routingkey: topsecret, baseurl: "+strict.URL+"}"))
}
