// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"encoding/json"
	"testing"

	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
)

const webuiSchema = `{"type": "object", "additionalProperties": false, "required": ["event", "outputs"], "properties": {"event": ` + webhookSchema + `, "outputs": {"type": "array", "items": {"type": "string"}}}}`

func TestWebuiAsTheOriginal(t *testing.T) {
	want, e := outputtest.Original(t, "webui"), outputtest.OriginalEvent(t)
	var w struct{ Outputs []string }
	if err := json.Unmarshal(want.Body, &w); err != nil {
		t.Fatal(err)
	}
	s := outputtest.Serve(t, outputtest.Want{Method: want.Method, Path: want.Path, Schema: webuiSchema, Header: map[string]string{
		"Content-Type": want.Header.Get("Content-Type"), "User-Agent": want.Header.Get("User-Agent"), "Authorization": "-"}})
	o, err := outputtest.TryOpenEnv(t, "webui", "webui: {url: "+s.URL+"/webui}", func(env *output.Env) { env.Enabled = func() []string { return w.Outputs } })
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Send(t, e); err != nil {
		t.Fatal(err)
	}
	outputtest.SameJSON(t, s.One().Body, want.Body)
	if !o.Kind.NoMinimum {
		t.Error("it has a minimum priority")
	}
}

func TestWebui(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Schema: webuiSchema, Header: map[string]string{"Authorization": "Bearer topsecret"}})
	o := outputtest.Open(t, "webui", "webui: {url: "+s.URL+", token: topsecret}")
	classes(t, o, s, nil)
	s.Script(outputtest.Answer{Status: 200}, outputtest.Answer{Status: 503})
	p, ok := o.Output.Send(t.Context(), outputtest.Events(4)).(*output.Partial)
	if !ok || p.Errs[0] != nil || p.Errs[1] == nil || p.Errs[3] == nil {
		t.Errorf("%v", p)
	}
	if err := o.Output.Send(t.Context(), outputtest.Events(4)); err != nil || len(s.Requests()) != 4 {
		t.Errorf("%d requests: %v", len(s.Requests()), err)
	}
	outputtest.Hostile(t, o)
}
