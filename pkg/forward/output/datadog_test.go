// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
)

const datadogSchema = `{"type": "object", "additionalProperties": false, "required": ["title", "text", "alert_type", "source_type_name", "tags", "date_happened"], "properties": {
	"title": {"type": "string", "minLength": 1, "maxLength": 500}, "text": {"type": "string", "minLength": 1, "maxLength": 4000}, "alert_type": {"enum": ["error", "warning", "info", "success"]},
	"source_type_name": {"const": "falco"}, "tags": {"type": "array", "maxItems": 100, "items": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[^,\n]+$"}},
	"aggregation_key": {"type": "string", "maxLength": 100}, "date_happened": {"type": "integer", "minimum": 1778900000, "maximum": 1779040000}, "host": {"type": "string", "maxLength": 255}}}`

func TestDatadog(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Path: "/api/v1/events", Query: map[string]string{}, Schema: datadogSchema, Status: 202, Header: map[string]string{"DD-API-KEY": "topsecret"}})
	o := outputtest.Open(t, "datadog", "datadog: {apikey: topsecret, host: "+s.URL+"/}")
	e := outputtest.Event(0)
	if err := o.Send(t, e); err != nil {
		t.Fatal(err)
	}
	m := decode(t, s.One().Body)
	var tags []string
	for _, x := range at(t, m, "tags").([]any) {
		tags = append(tags, x.(string))
	}
	for _, want := range []string{"source:falco", "source:syscall", "hostname:node-1", "shell", "user.name:root", "proc.pid:4242"} {
		if !slices.Contains(tags, want) {
			t.Errorf("tags %q lack %q", tags, want)
		}
	}
	if at(t, m, "title") != e.Rule || at(t, m, "text") != e.Output || at(t, m, "alert_type") != "warning" || at(t, m, "aggregation_key") != e.Rule || at(t, m, "date_happened") != float64(e.Time.Unix()) {
		t.Errorf("event is %v", m)
	}
}

func TestDatadogAnswersAndHostile(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Schema: datadogSchema, Status: 202})
	o := outputtest.Open(t, "datadog", "datadog: {apikey: topsecret, host: "+s.URL+"}")
	classes(t, o, s, nil)
	outputtest.Hostile(t, o)
	for _, e := range append(outputtest.HostileEvents(), crowded(500)) {
		if err := o.Output.Send(t.Context(), []*event.Event{e}); err != nil {
			t.Error(err)
		}
	}
	if _, err := outputtest.TryOpen(t, "datadog", "datadog: {apikey: topsecret, host: api.datadoghq.com}"); err == nil || strings.Contains(err.Error(), "topsecret") {
		t.Errorf("error is %v", err)
	}
}
