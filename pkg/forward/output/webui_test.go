// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
	"github.com/falco-go/falco/pkg/web"
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

// The page itself takes the events, hostile ones too, and one that comes twice is there once.
func TestWebuiReal(t *testing.T) {
	const ingest, view = "ingest-token-0123456789", "viewer-token-0123456789"
	s, err := web.New(t.Context(), web.Config{Database: "memory", Retention: web.Retention{Age: 100 * 365 * 24 * time.Hour},
		Users:  []web.User{{Name: "ann", Password: "correct horse", Role: web.RoleAdmin}},
		Tokens: []web.Token{{Name: "i", Token: ingest, Role: web.RoleIngest}, {Name: "v", Token: view, Role: web.RoleViewer}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	srv := httptest.NewServer(s.Handler())
	t.Cleanup(srv.Close)
	events := outputtest.Events(5)
	for _, path := range []string{"", "/api/v1/"} {
		if err := outputtest.Open(t, "webui", "webui: {url: "+srv.URL+path+", token: "+ingest+"}").Send(t, events...); err != nil {
			t.Fatal(err)
		}
	}
	req, _ := http.NewRequest("GET", srv.URL+"/api/v1/events/search", nil)
	req.Header.Set("Authorization", "Bearer "+view)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var got struct{ Statistics struct{ All int } }
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil || got.Statistics.All != len(events) {
		t.Errorf("%s: %+v %v", res.Status, got, err)
	}
}
