// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
)

const eventHubKey = "c2VjcmV0a2V5"

const eventHubConnection = "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=" + eventHubKey + ";EntityPath=hub"

// sasCheck computes the signature anew.
func sasCheck(r *outputtest.Request, resource string) error {
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "SharedAccessSignature ")
	if !ok {
		return errors.New("no signature")
	}
	q, err := url.ParseQuery(text)
	if err != nil {
		return err
	}
	end, err := strconv.ParseInt(q.Get("se"), 10, 64)
	if err != nil || end <= outputtest.Now.Unix() || q.Get("skn") != "send" || q.Get("sr") != resource {
		return fmt.Errorf("signature %q", text)
	}
	mac := hmac.New(sha256.New, []byte(eventHubKey))
	fmt.Fprintf(mac, "%s\n%d", url.QueryEscape(resource), end)
	if q.Get("sig") != base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
		return errors.New("the signature is wrong")
	}
	return nil
}

const eventHubSchema = `{"type": "array", "minItems": 1, "items": {"type": "object", "additionalProperties": false, "required": ["Body", "UserProperties"], "properties": {
	"Body": {"type": "string"}, "UserProperties": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 1024}}}}}`

type eventHubBatch []struct {
	Body           string
	UserProperties map[string]string
}

// eventHubServer takes who has signed with the key, or, if there is one, who has the token.
func eventHubServer(t *testing.T, token string) *outputtest.Server {
	var s *outputtest.Server
	s = outputtest.Serve(t, outputtest.Want{Path: "/hub/messages", Query: map[string]string{"api-version": "2014-01"}, Status: 201, MaxBody: 1 << 20, Schema: eventHubSchema,
		Header: map[string]string{"Content-Type": "application/vnd.microsoft.servicebus.json"}, Check: func(r *outputtest.Request) error {
			b, err := awsBody[eventHubBatch](r)
			if err != nil {
				return err
			}
			for _, m := range b {
				if !json.Valid([]byte(m.Body)) {
					return fmt.Errorf("body %.80q", m.Body)
				}
			}
			if p := r.Header.Get("BrokerProperties"); p != "" {
				var v struct{ PartitionKey string }
				if err := json.Unmarshal([]byte(p), &v); err != nil || v.PartitionKey == "" || len(v.PartitionKey) > 128 {
					return fmt.Errorf("BrokerProperties %q", p)
				}
			}
			if got := r.Header.Get("Authorization"); token != "" && got != "Bearer "+token {
				return fmt.Errorf("authorization %q", got)
			} else if token != "" {
				return nil
			}
			return sasCheck(r, s.URL+"/hub")
		}})
	return s
}

// Each event goes out once: the original sends its batch twice.
func TestEventHub(t *testing.T) {
	s := eventHubServer(t, "")
	o := outputtest.Open(t, "azureeventhub", "azure: {eventhub: {name: hub, connectionstring: '"+eventHubConnection+"', endpoint: "+s.URL+"}}")
	events := outputtest.Events(30)
	if err := o.Send(t, events...); err != nil {
		t.Fatal(err)
	}
	r := s.One()
	b, err := awsBody[eventHubBatch](&r)
	if err != nil || len(b) != 30 {
		t.Fatalf("%d messages, %v", len(b), err)
	}
	for i, m := range b {
		outputtest.SameJSON(t, []byte(m.Body), events[i].JSON())
		if m.UserProperties["uuid"] != outputtest.UUID(i) || m.UserProperties["priority"] != "Warning" {
			t.Fatalf("properties %v", m.UserProperties)
		}
	}
	for status, class := range map[int]output.Class{401: output.Configuration, 404: output.Configuration, 413: output.Big, 503: output.Retryable, 400: output.Final, 0: output.Retryable} {
		s.Script(outputtest.Answer{Status: status})
		err := o.Send(t, outputtest.Event(0))
		outputtest.Class(t, err, class)
		if strings.Contains(err.Error(), eventHubKey) {
			t.Errorf("the error tells the key: %v", err)
		}
	}
}

func TestEventHubHostile(t *testing.T) {
	s := eventHubServer(t, "")
	outputtest.Hostile(t, outputtest.Open(t, "azureeventhub", "azure: {eventhub: {name: hub, connectionstring: '"+eventHubConnection+"', partitionkeytemplate: '{{.Hostname}}', endpoint: "+s.URL+"}}"))
}

// Event Hubs' Kafka end: TLS, and the connection string as a password.
func TestEventHubOverKafka(t *testing.T) {
	srv := httptest.NewTLSServer(nil)
	defer srv.Close()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "hub"), kfake.EnableSASL(), kfake.Superuser("PLAIN", "$ConnectionString", eventHubConnection),
		kfake.TLS(&tls.Config{Certificates: srv.TLS.Certificates}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	o := outputtest.Open(t, "azureeventhub", "azure: {eventhub: {name: hub, transport: kafka, checkcert: false, connectionstring: '"+eventHubConnection+"', endpoint: '"+c.ListenAddrs()[0]+"'}}")
	if err := o.Send(t, outputtest.Events(20)...); err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	for _, p := range c.PartitionInfos("hub") {
		n += p.HighWatermark
	}
	if n != 20 {
		t.Errorf("%d records, want 20", n)
	}
}

// amqpHub starts a hub for those who have the key of that name.
func amqpHub(t *testing.T, name, key string) (dir, port string, said *lockedBuffer) {
	t.Helper()
	debian(t, "/usr/lib/python3/dist-packages/proton/__init__.py", "python3-qpid-proton")
	dir, port = t.TempDir(), freePort(t)
	certificates(t, dir)
	script, err := filepath.Abs("testdata/amqphub.py")
	if err != nil {
		t.Fatal(err)
	}
	said = daemon(t, "/usr/bin/python3", script, port, filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key"), "hub", name, key)
	until(t, "the hub", func() bool { return strings.Contains(said.String(), "ready") })
	return dir, port, said
}

// AMQP against an implementation that is not the vendor's: Apache Qpid's, over TLS, with the node $cbs, at which the
// signature of the token is computed anew.
func TestEventHubOverAMQP(t *testing.T) {
	dir, port, said := amqpHub(t, "send", eventHubKey)
	open := func(key string) *outputtest.Opened {
		connection := "Endpoint=sb://localhost/;SharedAccessKeyName=send;SharedAccessKey=" + key
		return outputtest.Open(t, "azureeventhub", "azure: {eventhub: {name: hub, transport: amqp, endpoint: '127.0.0.1:"+port+"', cacertfile: "+filepath.Join(dir, "ca.crt")+", partitionkeytemplate: '{{.Hostname}}', connectionstring: '"+connection+"'}}")
	}
	o := open(eventHubKey)
	events := outputtest.Events(30)
	busy, ok := o.Output.Send(within(t, 20*time.Second), events).(*output.Partial) // the first time
	if !ok {
		t.Fatal("a hub that is busy has taken events")
	}
	for _, err := range busy.Errs {
		outputtest.Class(t, err, output.Retryable)
	}
	if err := o.Output.Send(within(t, 20*time.Second), events); err != nil {
		t.Fatal(err)
	}
	type received struct {
		ID, Type, Body, Key string
		Properties          map[string]string
	}
	var got []received
	until(t, "all events", func() bool {
		got = nil
		for line := range strings.SplitSeq(said.String(), "\n") {
			var r received
			if json.Unmarshal([]byte(line), &r) == nil && r.ID != "" {
				got = append(got, r)
			}
		}
		return len(got) >= len(events)
	})
	if len(got) != len(events) {
		t.Fatalf("%d events, want %d: each once", len(got), len(events))
	}
	for i, e := range events {
		if r := got[i]; r.ID != e.UUID || r.Type != "application/json" || r.Properties["uuid"] != e.UUID || r.Properties["rule"] != e.Rule {
			t.Errorf("event %d: %+v", i, r)
		}
		outputtest.SameJSON(t, []byte(got[i].Body), e.JSON())
	}
	err := open("d3Jvbmc=").Output.Send(within(t, 20*time.Second), events[:1])
	if outputtest.Class(t, one(err), output.Configuration); !strings.Contains(said.String(), "the signature is wrong") {
		t.Errorf("the hub says %s", said)
	}
}

// What can be told of AMQP without a server: an attempt ends with its time, and will be made again.
func TestEventHubOverAMQPToNobody(t *testing.T) {
	local := "Endpoint=sb://127.0.0.1:" + freePort(t) + "/;SharedAccessKeyName=send;SharedAccessKey=" + eventHubKey
	o := outputtest.Open(t, "azureeventhub", "azure: {eventhub: {name: hub, transport: amqp, connectionstring: '"+local+"'}}")
	err := o.Output.Send(within(t, 3*time.Second), outputtest.Events(1))
	if outputtest.Class(t, err, output.Retryable); strings.Contains(err.Error(), eventHubKey) {
		t.Errorf("the error tells the key: %v", err)
	}
}

func TestEventHubRefusesWhatCannotWork(t *testing.T) {
	for _, yaml := range []string{
		"azure: {eventhub: {name: hub}}", "azure: {eventhub: {name: hub, connectionstring: 'Endpoint=sb://ns/'}}", "azure: {eventhub: {name: other, connectionstring: '" + eventHubConnection + "'}}",
		"azure: {eventhub: {name: hub, namespace: 'https://ns'}}", "azure: {eventhub: {name: hub, namespace: ns, transport: kafka}}",
	} {
		if _, err := outputtest.TryOpen(t, "azureeventhub", yaml); err == nil || strings.Contains(err.Error(), eventHubKey) {
			t.Errorf("%s: error is %v", yaml, err)
		}
	}
}
