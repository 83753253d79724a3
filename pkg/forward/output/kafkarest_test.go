// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
)

const kafkarestSchema = `{"type": "object", "additionalProperties": false, "required": ["records"], "properties": {"records": {"type": "array",
	"minItems": 1, "items": {"type": "object", "additionalProperties": false, "required": ["value"], "properties": {
		"key": {"type": "string", "pattern": "^[A-Za-z0-9+/=]+$"}, "value": {"type": "string", "pattern": "^[A-Za-z0-9+/=]+$"}}}}}}`

const oneOffset = `{"offsets":[{"partition":0,"offset":1,"error_code":null,"error":null}]}`

func TestKafkaRESTAsTheOriginal(t *testing.T) {
	want, e := outputtest.Original(t, "kafkarest"), outputtest.OriginalEvent(t)
	s := outputtest.Serve(t, outputtest.Want{Path: want.Path, Schema: kafkarestSchema, Body: oneOffset, Header: map[string]string{
		"Content-Type": want.Header.Get("Content-Type"), "User-Agent": want.Header.Get("User-Agent")}})
	o := outputtest.Open(t, "kafkarest", "kafkarest: {address: "+s.URL+want.Path+"}")
	if err := o.Send(t, e); err != nil {
		t.Fatal(err)
	}
	outputtest.SameJSON(t, restValue(t, s.One().Body), restValue(t, want.Body))
}

func restValue(t *testing.T, body []byte) []byte {
	t.Helper()
	var r struct{ Records []struct{ Value []byte } }
	if err := json.Unmarshal(body, &r); err != nil || len(r.Records) != 1 {
		t.Fatalf("%d records, %v", len(r.Records), err)
	}
	return r.Records[0].Value
}

// A proxy that puts what it gets into a real cluster's protocol.
func TestKafkaRESTIntoKafka(t *testing.T) {
	c := kafkaCluster(t)
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.DefaultProduceTopic("falco"))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	produce := func(r *outputtest.Request) error {
		var req struct{ Records []struct{ Key, Value []byte } }
		if err := json.Unmarshal(r.Body, &req); err != nil {
			return err
		}
		for _, x := range req.Records {
			if err := cl.ProduceSync(t.Context(), &kgo.Record{Key: x.Key, Value: x.Value}).FirstErr(); err != nil {
				return err
			}
		}
		return nil
	}
	s := outputtest.Serve(t, outputtest.Want{Path: "/topics/falco", Schema: kafkarestSchema, Check: produce, Header: map[string]string{
		"Content-Type": "application/vnd.kafka.binary.v1+json", "Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte("u:p"))},
		Body: `{"offsets":[` + strings.TrimSuffix(strings.Repeat(`{"partition":0,"offset":1},`, 20), ",") + `]}`})
	o := outputtest.Open(t, "kafkarest", "kafkarest: {address: "+s.URL+"/topics/falco, version: 1, username: u, password: p, keytemplate: '{{.Hostname}}'}")
	events := outputtest.Events(20)
	if err := o.Send(t, events...); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, r := range kafkaRead(t, c, 20) {
		var e struct{ UUID string }
		if err := json.Unmarshal(r.Value, &e); err != nil {
			t.Fatal(err)
		}
		got[e.UUID] = true
		if string(r.Key) != "node-1" {
			t.Errorf("key %q", r.Key)
		}
	}
	sameSet(t, got, uuids(events))
}

func TestKafkaRESTVersion3(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Lines: true, Header: map[string]string{"Content-Type": "application/json"},
		Schema: `{"type": "object", "additionalProperties": false, "required": ["value"], "properties": {"key": {"$ref": "#/$defs/b"}, "value": {"$ref": "#/$defs/b"},
			"headers": {"type": "array", "items": {"type": "object", "required": ["name", "value"]}}},
			"$defs": {"b": {"type": "object", "required": ["type", "data"], "properties": {"type": {"const": "BINARY"}, "data": {"type": "string"}}}}}`,
		Body: `{"error_code":200,"cluster_id":"c"}` + "\n" + `{"error_code":42206,"message":"too long"}` + "\n"})
	o := outputtest.Open(t, "kafkarest", "kafkarest: {address: "+s.URL+"/v3/clusters/c/topics/falco/records, version: 3}")
	p, ok := o.Send(t, outputtest.Events(2)...).(*output.Partial)
	if !ok || p.Errs[0] != nil {
		t.Fatalf("%v", p)
	}
	outputtest.Class(t, p.Errs[1], output.Final)
}

// 200 is not success: each record has its own answer.
func TestKafkaRESTAnswers(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Schema: kafkarestSchema, Body: oneOffset})
	o := outputtest.Open(t, "kafkarest", "kafkarest: {address: "+s.URL+"/topics/t}")
	for _, c := range []struct {
		status int
		body   string
		want   output.Class
	}{
		{200, `{"offsets":[{"error_code":1,"error":"too large"}]}`, output.Final},
		{200, `{"offsets":[{"error_code":2,"error":"leader not available"}]}`, output.Retryable},
		{200, `{"offsets":[]}`, output.Retryable},
		{200, `<html>`, output.Retryable},
		{404, `{"error_code":40401,"message":"Topic not found."}`, output.Configuration},
		{422, `{"error_code":42201,"message":"no schema"}`, output.Final},
		{500, `{"error_code":50002,"message":"Kafka error"}`, output.Retryable},
		{401, ``, output.Configuration},
		{413, ``, output.Big},
	} {
		s.Script(outputtest.Answer{Status: c.status, Body: c.body})
		outputtest.Class(t, one(o.Send(t, outputtest.Event(0))), c.want)
	}
	if err := o.Send(t, outputtest.Event(0)); err != nil {
		t.Error(err)
	}
	s.Script(outputtest.Answer{Status: 200, Body: `{"offsets":[` + strings.Repeat(`{"error_code":null},`, 2) + `{"error_code":2,"error":"x"}]}`})
	p, ok := o.Send(t, outputtest.Events(3)...).(*output.Partial)
	if !ok || fmt.Sprint(p.Errs) != "[<nil> <nil> x]" {
		t.Errorf("results %v", p)
	}
}

func TestKafkaRESTHostile(t *testing.T) {
	s := outputtest.Serve(t, outputtest.Want{Schema: kafkarestSchema, Body: oneOffset})
	outputtest.Hostile(t, outputtest.Open(t, "kafkarest", "kafkarest: {address: "+s.URL+", keytemplate: '{{.Hostname}}'}"))
}
