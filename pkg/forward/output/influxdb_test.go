// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
	"github.com/falco-go/falco/tests/vm"
	"github.com/influxdata/line-protocol/v2/lineprotocol"
)

type point struct {
	tags   map[string]string
	fields map[string]any
	at     int64
}

// points reads a body with the vendor's own reader.
func points(body []byte) (out []point, err error) {
	d := lineprotocol.NewDecoderWithBytes(body)
	for d.Next() {
		p := point{tags: map[string]string{}, fields: map[string]any{}}
		m, err := d.Measurement()
		if err != nil {
			return nil, err
		}
		if string(m) != "events" {
			return nil, fmt.Errorf("measurement %q", m)
		}
		for {
			k, v, err := d.NextTag()
			if err != nil {
				return nil, err
			}
			if k == nil {
				break
			}
			if _, there := p.tags[string(k)]; there {
				return nil, fmt.Errorf("tag %q twice", k)
			}
			p.tags[string(k)] = string(v)
		}
		for {
			k, v, err := d.NextField()
			if err != nil {
				return nil, err
			}
			if k == nil {
				break
			}
			if _, there := p.fields[string(k)]; there || p.tags[string(k)] != "" || strings.HasPrefix(string(k), "_") || string(k) == "time" {
				return nil, fmt.Errorf("field %q", k)
			}
			p.fields[string(k)] = v.Interface()
		}
		at, err := d.TimeBytes()
		if err != nil {
			return nil, err
		}
		if _, err := fmt.Sscan(string(at), &p.at); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	if len(out) == 0 {
		return nil, errors.New("no points")
	}
	return out, nil
}

func readable(r *outputtest.Request) error {
	_, err := points(r.Body)
	return err
}

func TestInfluxdbAsTheOriginal(t *testing.T) {
	// Corrected: the line is one of the protocol, with escapes and a time; what has many values is a field,
	// not a tag; the type of the content is the protocol's.
	want, e := outputtest.Original(t, "influxdb"), outputtest.OriginalEvent(t)
	query, err := url.ParseQuery(want.Query)
	if err != nil {
		t.Fatal(err)
	}
	q := map[string]string{}
	for k := range query {
		q[k] = query.Get(k)
	}
	s := outputtest.Serve(t, outputtest.Want{Path: want.Path, Query: q, Status: 204, Check: readable, Header: map[string]string{"Content-Encoding": "gzip",
		"Authorization": want.Header.Get("Authorization"), "Accept": want.Header.Get("Accept"), "User-Agent": want.Header.Get("User-Agent")}})
	o := outputtest.Open(t, "influxdb", "influxdb: {hostport: "+s.URL+"/influxdb, organization: org, bucket: b, token: T}")
	if err := o.Send(t, e); err != nil {
		t.Fatal(err)
	}
	p, _ := points(s.One().Body)
	got := map[string]string{}
	for k, v := range p[0].tags {
		got[k] = v
	}
	for k, v := range p[0].fields {
		got[k] = v.(string)
	}
	if len(p[0].tags) != 4 || p[0].at != e.Time.UnixNano() {
		t.Errorf("tags %v, time %d", p[0].tags, p[0].at)
	}
	line := string(want.Body)
	for k, v := range map[string]string{"rule": e.Rule, "priority": "Error", "source": "syscall", "hostname": "node-1", "value": e.Output, "cluster": "lab", "proc.aname[2]": "bash", "proc.cmdline": e.Fields.Str("proc.cmdline"),
		"k8s.ns.name": "prod", "container.id": "abc123", "fd.name": "/bin/hack", "user.name": "root", "tags": strings.Join(e.Tags, ","), "proc.pid": "4242", "evt.time": "1507591916746609046", "uuid": e.UUID} {
		if got[k] != v {
			t.Errorf("%s is %q, want %q", k, got[k], v)
		}
		if !strings.Contains(line, k+"=") && k != "uuid" && k != "proc.pid" && k != "evt.time" {
			t.Errorf("the original has no %s", k)
		}
	}
}

func TestInfluxdbVersionOne(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Path: "/write", Query: map[string]string{"db": "a b&c", "precision": "u"}, Status: 204, Check: readable, Header: map[string]string{"Authorization": "Basic dTpw", "Content-Encoding": "-"}})
	o := outputtest.Open(t, "influxdb", "influxdb: {hostport: "+s.URL+", database: 'a b&c', user: u, password: p, precision: us, tags: 'k8s.ns.name,proc.pid', enablecompression: false}")
	if err := o.Send(t, outputtest.Events(3)...); err != nil {
		t.Fatal(err)
	}
	p, _ := points(s.One().Body)
	if len(p) != 3 || p[2].tags["k8s.ns.name"] != "prod" || p[2].tags["proc.pid"] != "4242" || p[2].fields["k8s.ns.name"] != nil || p[2].at != outputtest.Event(2).Time.UnixMicro() {
		t.Errorf("points are %v", p)
	}
}

func TestInfluxdbAnswersAndHostile(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Status: 204, Check: readable})
	o := outputtest.Open(t, "influxdb", "influxdb: {hostport: "+s.URL+", token: topsecret, organization: o, tags: [proc.cmdline]}")
	classes(t, o, s, nil)
	s.Script(outputtest.Answer{Status: 500, Body: `{"error":"field type conflict"}`})
	outputtest.Class(t, o.Send(t, outputtest.Event(0)), output.Final)
	outputtest.Hostile(t, o)
	for _, e := range outputtest.HostileEvents() {
		if err := o.Output.Send(t.Context(), []*event.Event{e}); err != nil {
			t.Error(err)
		}
	}
}

// A real InfluxDB 1.6 takes every event, hostile ones too, and has it under its uuid.
func TestInfluxdbReal(t *testing.T) {
	influxd := vm.Tool(t, "influxd", "influxdb")
	dir, port, rpc := t.TempDir(), freePort(t), freePort(t)
	conf := filepath.Join(dir, "conf")
	writeFile(t, conf, fmt.Sprintf("reporting-disabled = true\nbind-address = \"127.0.0.1:%s\"\n[meta]\ndir = %q\n[data]\ndir = %q\nwal-dir = %q\n[http]\nbind-address = \"127.0.0.1:%s\"\nlog-enabled = false\n[monitor]\nstore-enabled = false\n",
		rpc, dir+"/meta", dir+"/data", dir+"/wal", port))
	daemon(t, influxd, "-config", conf)
	listening(t, port)
	base := "http://127.0.0.1:" + port
	ask := func(q string) (r struct {
		Results []struct {
			Series []struct{ Values [][]any }
			Error  string
		}
	}) {
		res, err := http.PostForm(base+"/query", url.Values{"q": {q}, "db": {"falco"}})
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if err := json.NewDecoder(res.Body).Decode(&r); err != nil || len(r.Results) == 0 || r.Results[0].Error != "" {
			t.Fatalf("%s: %v %v", q, err, r)
		}
		return r
	}
	o := outputtest.Open(t, "influxdb", "influxdb: {hostport: "+base+"}")
	outputtest.Class(t, o.Send(t, outputtest.Event(0)), output.Configuration) // there is no such database yet
	ask("CREATE DATABASE falco")
	events := outputtest.HostileEvents()
	mine := outputtest.Event(9999).Clone()
	mine.Rule, mine.Output = "mine, a = b", `a="b", \ c`
	mine.Fields.Set("proc.cmdline", `touch /bin/hack, a="b"`)
	mine.Seal()
	for range 2 { // the second time changes nothing
		if err := o.Send(t, append([]*event.Event{mine}, events...)...); err != nil {
			t.Fatal(err)
		}
	}
	r := ask("SELECT uuid FROM events")
	got := map[any]bool{}
	for _, v := range r.Results[0].Series[0].Values {
		got[v[1]] = true
	}
	for i, e := range events {
		if !got[e.UUID] {
			t.Errorf("event %d is missing", i)
		}
	}
	if n := len(r.Results[0].Series[0].Values); n != len(events)+1 {
		t.Errorf("%d points, want %d", n, len(events)+1)
	}
	r = ask(`SELECT value, "proc.cmdline" FROM events WHERE rule = 'mine, a = b' AND hostname = 'node-1'`)
	if v := r.Results[0].Series[0].Values[0]; v[1] != mine.Output || v[2] != `touch /bin/hack, a="b"` {
		t.Errorf("point is %v", v)
	}
}
