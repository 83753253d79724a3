// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
	"github.com/falco-go/falco/tests/vm"
)

// The rules are those of Alertmanager's validation: names of labels, no empty values, times in order.
const alertsSchema = `{"type": "array", "minItems": 1, "maxItems": 100, "items": {"type": "object", "additionalProperties": false, "required": ["labels", "annotations"], "properties": {
	"labels": {"type": "object", "required": ["alertname", "source", "priority", "severity"], "propertyNames": {"pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$"}, "additionalProperties": {"type": "string", "minLength": 1}},
	"annotations": {"type": "object", "propertyNames": {"pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$"}, "additionalProperties": {"type": "string"}},
	"startsAt": {"type": "string", "pattern": "^[12][0-9]{3}-"}, "endsAt": {"type": "string", "pattern": "^[12][0-9]{3}-"}}}}`

func TestAlertmanagerAsTheOriginal(t *testing.T) {
	// Corrected: endsAt is not sent unless it is set (the original sends the year 1); startsAt is the
	// event's time.
	want, e := outputtest.Original(t, "alertmanager"), outputtest.OriginalEvent(t)
	s := outputtest.Serve(t, outputtest.Want{Method: want.Method, Path: want.Path, Schema: alertsSchema, Header: map[string]string{
		"Content-Type": want.Header.Get("Content-Type"), "User-Agent": want.Header.Get("User-Agent")}})
	o := outputtest.Open(t, "alertmanager", "alertmanager: {hostport: "+s.URL+"/alertmanager}")
	if err := o.Send(t, e); err != nil {
		t.Fatal(err)
	}
	outputtest.SameJSON(t, s.One().Body, want.Body, "*.startsAt", "*.endsAt")
	if strings.Contains(string(s.One().Body), "endsAt") {
		t.Error("endsAt is sent")
	}
}

func TestAlertmanagerSettings(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Schema: alertsSchema, Header: map[string]string{"X-A": "b", "Authorization": "Basic dTpw"}})
	o := outputtest.Open(t, "alertmanager", "alertmanager: {hostport: ['"+s.URL+"'], expiresafter: 60, user: u, password: p}", "ALERTMANAGER_CUSTOMHEADERS=X-A:b", "ALERTMANAGER_EXTRALABELS=team:sec,my.env:prod",
		"ALERTMANAGER_EXTRAANNOTATIONS=url:https://wiki/x:y", "ALERTMANAGER_CUSTOMSEVERITYMAP=warning:page,debug:none")
	e := outputtest.Event(0).Clone()
	e.Fields.Set("__weird--name__", "v")
	e.Fields.Set("rule", "not mine")
	e.Fields.Set("1st", "one")
	late := outputtest.Event(1).Clone()
	late.Time = outputtest.Now.Add(-time.Hour)
	if err := o.Send(t, e, late); err != nil {
		t.Fatal(err)
	}
	var got []struct {
		Labels, Annotations map[string]string
		EndsAt              time.Time
	}
	if err := json.Unmarshal(s.One().Body, &got); err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"team": "sec", "my_env": "prod", "severity": "page", "weird_name": "v", "rule": e.Rule, "_1st": "one", "proc_is_exe_writable": "false"} {
		if got[0].Labels[k] != v {
			t.Errorf("label %s is %q, want %q", k, got[0].Labels[k], v)
		}
	}
	if got[0].Annotations["url"] != "https://wiki/x:y" || !got[1].EndsAt.Equal(outputtest.Now.Add(time.Minute)) {
		t.Errorf("annotations %v, end %v", got[0].Annotations, got[1].EndsAt)
	}
	for _, bad := range []string{"hostport: 'am:9093'", "hostport: 'http://h', customseveritymap: {nope: x}", "hostport: 'http://h', dropeventthresholds: 'x:critical'", "hostport: 'http://h', dropeventdefaultpriority: nope"} {
		if _, err := outputtest.TryOpen(t, "alertmanager", "alertmanager: {"+bad+"}"); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

// The thresholds are those that the original's text means, and does not read.
func TestAlertmanagerDrops(t *testing.T) {
	for _, c := range []struct {
		conf, n, label, priority string
	}{
		{"", "0", "0", "Warning"}, {"", "1", "1", "Critical"}, {"", "2", ">1", "Warning"}, {"", "11", ">10", "Warning"}, {"", "101", ">100", "Critical"},
		{"", "5000000", ">10000", "Critical"}, {", dropeventthresholds: '5:alert', dropeventdefaultpriority: error", "3", "3", "Error"},
		{", dropeventthresholds: '5:alert'", "6", ">5", "Alert"},
	} {
		s := outputtest.Serve(t, outputtest.Want{Schema: alertsSchema})
		o := outputtest.Open(t, "alertmanager", "alertmanager: {hostport: "+s.URL+c.conf+"}")
		e := outputtest.Event(0).Clone()
		e.Priority = event.Debug
		e.Fields.Set("n_drops", json.Number(c.n))
		e.Fields.Set("n_evts", json.Number("12345"))
		if err := o.Send(t, e); err != nil {
			t.Fatal(err)
		}
		var got []struct{ Labels map[string]string }
		json.Unmarshal(s.One().Body, &got)
		if l := got[0].Labels; l["n_drops"] != c.label || l["priority"] != c.priority || l["n_evts"] != "" {
			t.Errorf("%s %s: %v", c.n, c.conf, l)
		}
	}
}

// Each of several gets every alert; one that is down does not hold up the others, unless it is told to.
func TestAlertmanagerSeveral(t *testing.T) {
	a, b := outputtest.Serve(t, outputtest.Want{}), outputtest.Serve(t, outputtest.Want{})
	o := outputtest.Open(t, "alertmanager", "alertmanager: {hostport: '"+a.URL+", "+b.URL+"'}")
	all := outputtest.Open(t, "alertmanager", "alertmanager: {requireall: true, hostport: '"+a.URL+", "+b.URL+"'}")
	a.Script(outputtest.Answer{Status: 503})
	if err := o.Send(t, outputtest.Event(0)); err != nil {
		t.Error(err)
	}
	if a.Tries() != 1 || len(b.Requests()) != 1 {
		t.Errorf("%d and %d requests", a.Tries(), len(b.Requests()))
	}
	a.Script(outputtest.Answer{Status: 503})
	outputtest.Class(t, all.Send(t, outputtest.Event(0)), output.Retryable)
	a.Script(outputtest.Answer{Status: 503})
	b.Script(outputtest.Answer{Status: 400})
	outputtest.Class(t, o.Send(t, outputtest.Event(0)), output.Retryable)
}

func TestAlertmanagerAnswersAndHostile(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Schema: alertsSchema})
	o := outputtest.Open(t, "alertmanager", "alertmanager: {hostport: "+s.URL+"}")
	classes(t, o, s, nil)
	outputtest.Hostile(t, o)
}

// A real Alertmanager shows the alerts, takes the same one twice for one, and silences it.
func TestAlertmanagerReal(t *testing.T) {
	am := vm.Tool(t, "prometheus-alertmanager", "prometheus-alertmanager")
	dir, port := t.TempDir(), freePort(t)
	conf := filepath.Join(dir, "am.yml")
	writeFile(t, conf, "route: {receiver: none}\nreceivers: [{name: none}]\n")
	daemon(t, am, "--config.file="+conf, "--storage.path="+dir, "--web.listen-address=127.0.0.1:"+port, "--cluster.listen-address=")
	listening(t, port)
	base := "http://127.0.0.1:" + port
	until(t, "ready", func() bool {
		r, err := http.Get(base + "/-/ready")
		if err == nil {
			r.Body.Close()
		}
		return err == nil && r.StatusCode == 200
	})
	alerts := func() (out []struct {
		Labels, Annotations map[string]string
		Status              struct{ State string }
		StartsAt            time.Time
	}) {
		r, err := http.Get(base + "/api/v2/alerts")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		if err := json.NewDecoder(r.Body).Decode(&out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	o := outputtest.Open(t, "alertmanager", "alertmanager: {hostport: "+base+", expiresafter: 1h}")
	silence := `{"matchers": [{"name": "k8s_pod_name", "value": "web-1", "isRegex": false}], "startsAt": "` + time.Now().Add(-time.Minute).Format(time.RFC3339) + `", "endsAt": "` +
		time.Now().Add(time.Hour).Format(time.RFC3339) + `", "createdBy": "me", "comment": "test"}`
	r, err := http.Post(base+"/api/v2/silences", "application/json", strings.NewReader(silence))
	if err != nil || r.StatusCode != 200 {
		text, _ := io.ReadAll(r.Body)
		t.Fatalf("silence: %v %s", err, text)
	}
	r.Body.Close()
	events := []*event.Event{outputtest.Event(0).Clone(), outputtest.Event(1).Clone()}
	events[1].Fields.Set("k8s.pod.name", "web-2")
	for _, e := range events {
		e.Time = time.Now()
		e.Seal()
	}
	for range 2 {
		if err := o.Send(t, events...); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "two alerts, one of them silenced", func() bool {
		got := alerts()
		if len(got) > 2 {
			t.Fatalf("%d alerts", len(got))
		}
		states := map[string]string{}
		for _, a := range got {
			states[a.Labels["k8s_pod_name"]] = a.Status.State
		}
		return len(got) == 2 && states["web-1"] == "suppressed" && states["web-2"] == "active"
	})
	if a := alerts()[0]; a.Annotations["summary"] != events[0].Rule || a.Labels["severity"] != "warning" || a.StartsAt.Sub(events[0].Time).Abs() > time.Millisecond*10 {
		t.Errorf("alert is %+v", a)
	}
	outputtest.Hostile(t, o)
}
