// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"fmt"
	"testing"

	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
)

const grafanaSchema = `{"type": "object", "additionalProperties": false, "required": ["time", "timeEnd", "tags", "text"], "properties": {"dashboardId": {"type": "integer"}, "dashboardUID": {"type": "string"},
	"panelId": {"type": "integer"}, "time": {"type": "integer", "minimum": 0}, "timeEnd": {"type": "integer", "minimum": 0}, "text": {"type": "string", "minLength": 1, "pattern": "^[^<>]*$"},
	"tags": {"type": "array", "uniqueItems": true, "maxItems": 100, "items": {"type": "string", "minLength": 1, "maxLength": 100}}}}`

func TestGrafana(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Path: "/api/annotations", Schema: grafanaSchema, Body: `{"id": 1}`, Header: map[string]string{"Authorization": "Bearer topsecret", "X-A": "b"}})
	e := outputtest.Event(0)
	for _, c := range []struct{ conf, more, tags string }{
		{"dashboardid: 3, panelid: 4", `"dashboardId": 3, "panelId": 4,`, ""},
		{"dashboardid: 3, dashboarduid: abc", `"dashboardUID": "abc",`, ""},
		{"allfieldsastags: true", "", `, "abc123", "nginx", "1779031916746609046", "prod", "web-1", "sshd", "bash -i", "false", "bash", "4242", "root", "container", "mitre_execution", "shell"`},
	} {
		o := outputtest.Open(t, "grafana", "grafana: {hostport: "+s.URL+"/, apikey: topsecret, "+c.conf+"}", "GRAFANA_CUSTOMHEADERS=X-A:b")
		if err := o.Send(t, e); err != nil {
			t.Fatal(err)
		}
		r := s.Requests()
		outputtest.SameJSON(t, r[len(r)-1].Body, []byte(fmt.Sprintf(`{%s "time": %d, "timeEnd": %d, "text": "15:31:56.746609046: Warning A shell was spawned in a container (user=root shell=bash parent=nginx cmdline=&#34;bash -i&#34;)",
			"tags": ["falco", "Warning", "Terminal shell in container", "syscall", "node-1"%s]}`, c.more, e.Time.UnixMilli(), e.Time.UnixMilli(), c.tags)))
	}
}

func TestGrafanaAnswersAndHostile(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Schema: grafanaSchema})
	o := outputtest.Open(t, "grafana", "grafana: {hostport: "+s.URL+", apikey: topsecret, allfieldsastags: true}")
	classes(t, o, s, nil)
	outputtest.Hostile(t, o)
	for _, e := range append(outputtest.HostileEvents(), crowded(500)) {
		if err := o.Output.Send(t.Context(), []*event.Event{e}); err != nil {
			t.Error(err)
		}
	}
}
