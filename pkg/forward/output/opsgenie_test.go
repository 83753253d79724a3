// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
)

const opsgenieSchema = `{"type": "object", "additionalProperties": false, "required": ["message", "alias", "entity", "description", "details", "priority"], "properties": {
	"message": {"type": "string", "minLength": 1, "maxLength": 130}, "alias": {"type": "string", "maxLength": 512}, "entity": {"type": "string", "maxLength": 512}, "description": {"type": "string", "maxLength": 15000},
	"details": {"type": "object", "additionalProperties": {"type": "string"}}, "priority": {"enum": ["P1", "P2", "P3", "P4", "P5"]},
	"tags": {"type": "array", "maxItems": 20, "items": {"type": "string", "minLength": 1, "maxLength": 50}}}}`

func opsgenieDetails(t *testing.T) func(r *outputtest.Request) error {
	return func(r *outputtest.Request) error {
		n := 0
		for k, v := range at(t, decode(t, r.Body), "details").(map[string]any) {
			n += len([]rune(k)) + len([]rune(v.(string)))
		}
		if n > 8000 {
			t.Errorf("details of %d characters", n)
		}
		return nil
	}
}

func TestOpsgenie(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Path: "/v2/alerts", Schema: opsgenieSchema, Status: 202, Header: map[string]string{"Authorization": "GenieKey topsecret"}})
	o := outputtest.Open(t, "opsgenie", "opsgenie: {apikey: topsecret, baseurl: "+s.URL+"}")
	e := outputtest.Event(0)
	if err := o.Send(t, e); err != nil {
		t.Fatal(err)
	}
	m := decode(t, s.One().Body)
	message := at(t, m, "message").(string)
	if !strings.HasPrefix(message, "Terminal shell in container: 15:31:56.746609046: Warning") || at(t, m, "alias") != e.UUID || at(t, m, "priority") != "P4" || at(t, m, "description") != e.Output ||
		at(t, m, "entity") != "Falcosidekick" || at(t, m, "details", "k8s_ns_name") != "prod" || at(t, m, "details", "proc_pid") != "4242" || at(t, m, "details", "proc_aname_2") != "sshd" ||
		at(t, m, "details", "rule") != e.Rule || at(t, m, "tags", 0) != "container" {
		t.Errorf("alert is %v", m)
	}
	if output.Find("opsgenie").Gone == "" {
		t.Error("nobody says that it ends")
	}
}

func TestOpsgenieAnswersAndHostile(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Status: 202, Schema: opsgenieSchema, Check: opsgenieDetails(t)})
	o := outputtest.Open(t, "opsgenie", "opsgenie: {apikey: topsecret, baseurl: "+s.URL+", alias: '{{.Rule}}{{.Output}}'}")
	classes(t, o, s, nil)
	outputtest.Hostile(t, o)
	for _, e := range outputtest.HostileEvents() { // without the engine's limits
		if err := o.Output.Send(t.Context(), []*event.Event{e}); err != nil {
			t.Error(err)
		}
	}
}
