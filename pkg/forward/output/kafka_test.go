// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
)

func kafkaCluster(t *testing.T, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(3, "falco")}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// kafkaRead returns the next n records of the topic.
func kafkaRead(t *testing.T, c *kfake.Cluster, n int, opts ...kgo.Opt) []*kgo.Record {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumeTopics("falco")}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx := within(t, 20*time.Second)
	var out []*kgo.Record
	for len(out) < n {
		f := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%d records, want %d", len(out), n)
		}
		out = append(out, f.Records()...)
	}
	return out
}

func TestKafka(t *testing.T) {
	c := kafkaCluster(t)
	acks := make(chan kmsg.Request, 100)
	c.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		select {
		case acks <- r:
		default:
		}
		return nil, nil, false
	})
	for _, compression := range []string{"NONE", "gzip", "SNAPPY", "LZ4", "ZSTD"} {
		o := outputtest.Open(t, "kafka", "kafka: {hostport: '"+c.ListenAddrs()[0]+"', topic: falco, compression: "+compression+", async: true, clientid: falco}")
		if err := o.Send(t, outputtest.Events(200)...); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]int{}
	for _, r := range kafkaRead(t, c, 1000) {
		if string(r.Key) != "node-1" {
			t.Fatalf("key %q, want the host", r.Key)
		}
		h := map[string]string{}
		for _, x := range r.Headers {
			h[x.Key] = string(x.Value)
		}
		if h["rule"] != "Terminal shell in container" || h["priority"] != "Warning" || h["source"] != "syscall" {
			t.Fatalf("headers %v", h)
		}
		got[h["uuid"]]++
		if h["uuid"] == outputtest.UUID(7) {
			outputtest.SameJSON(t, r.Value, outputtest.Event(7).JSON())
		}
	}
	for i := range 200 {
		if got[outputtest.UUID(i)] != 5 {
			t.Fatalf("event %d came %d times, want once for each compression", i, got[outputtest.UUID(i)])
		}
	}
	if r := (<-acks).(*kmsg.ProduceRequest); r.Acks != -1 {
		t.Errorf("acks %d: all replicas are to confirm by default", r.Acks)
	}
}

// The events of a host stay in order.
func TestKafkaOrder(t *testing.T) {
	c := kafkaCluster(t)
	for _, balancer := range []string{"murmur2", "crc32", "crc32_random"} {
		o := outputtest.Open(t, "kafka", "kafka: {hostport: '"+c.ListenAddrs()[0]+"', topic: falco, balancer: "+balancer+", keytemplate: '{{.Rule}}'}")
		if err := o.Send(t, outputtest.Events(50)...); err != nil {
			t.Fatal(err)
		}
	}
	part := map[int32][]string{}
	for _, r := range kafkaRead(t, c, 150) {
		part[r.Partition] = append(part[r.Partition], string(r.Headers[0].Value))
	}
	for p, list := range part {
		if len(list)%50 != 0 {
			t.Errorf("partition %d has %d records: one rule in several partitions", p, len(list))
		}
		for i, id := range list {
			if id != outputtest.UUID(i%50) {
				t.Fatalf("partition %d: record %d is %s", p, i, id)
			}
		}
	}
}

func TestKafkaAnswers(t *testing.T) {
	c := kafkaCluster(t)
	open := func(more string) *outputtest.Opened {
		return outputtest.Open(t, "kafka", "kafka: {hostport: '"+c.ListenAddrs()[0]+"', "+more+"}")
	}
	outputtest.Class(t, open("topic: other").Output.Send(within(t, 10*time.Second), outputtest.Events(1)), output.Configuration)
	if err := open("topic: falco, requiredacks: NONE").Send(t, outputtest.Events(3)...); err != nil {
		t.Error(err)
	}
	if err := open("topic: falco, requiredacks: ONE, balancer: round_robin").Send(t, outputtest.Events(3)...); err != nil {
		t.Error(err)
	}
	if err := open("topic: falco, balancer: least_bytes").Send(t, outputtest.Events(3)...); err != nil {
		t.Error(err)
	}
	for _, x := range []struct {
		code int16
		want output.Class
	}{{kerr.MessageTooLarge.Code, output.Final}, {kerr.TopicAuthorizationFailed.Code, output.Configuration}, {kerr.InvalidRecord.Code, output.Final}} {
		c.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
			req := r.(*kmsg.ProduceRequest)
			res := req.ResponseKind().(*kmsg.ProduceResponse)
			for _, t := range req.Topics {
				rt := kmsg.NewProduceResponseTopic()
				rt.Topic, rt.TopicID = t.Topic, t.TopicID
				for _, p := range t.Partitions {
					rp := kmsg.NewProduceResponseTopicPartition()
					rp.Partition, rp.ErrorCode = p.Partition, x.code
					rt.Partitions = append(rt.Partitions, rp)
				}
				res.Topics = append(res.Topics, rt)
			}
			return res, nil, true
		})
		o := open("topic: falco")
		outputtest.Class(t, o.Send(t, outputtest.Event(0)), x.want)
		if err := o.Send(t, outputtest.Event(1)); err != nil {
			t.Errorf("after code %d: %v", x.code, err)
		}
	}
}

// A broker that is away costs the attempt's time, and nothing is sent twice later.
func TestKafkaComesBack(t *testing.T) {
	dir := t.TempDir()
	c := kafkaCluster(t, kfake.DataDir(dir), kfake.SyncWrites())
	addr := c.ListenAddrs()[0]
	o := outputtest.Open(t, "kafka", "kafka: {hostport: '"+addr+"', topic: falco}")
	if err := o.Send(t, outputtest.Event(0)); err != nil {
		t.Fatal(err)
	}
	c.Close()
	outputtest.Class(t, o.Output.Send(within(t, 2*time.Second), outputtest.Events(2)[1:]), output.Retryable)
	c = kafkaCluster(t, kfake.DataDir(dir), kfake.Ports(port(t, addr)))
	if err := o.Send(t, outputtest.Event(1), outputtest.Event(2)); err != nil {
		t.Fatal(err)
	}
	if n := len(kafkaRead(t, c, 3)); n != 3 {
		t.Errorf("%d records, want 3", n)
	}
}

func TestKafkaLogsIn(t *testing.T) {
	srv := httptest.NewUnstartedServer(nil)
	srv.StartTLS()
	defer srv.Close()
	ca := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(ca, certPEM(srv.Certificate()), 0o600); err != nil {
		t.Fatal(err)
	}
	c := kafkaCluster(t, kfake.EnableSASL(), kfake.TLS(&tls.Config{Certificates: srv.TLS.Certificates}),
		kfake.Superuser("PLAIN", "p", "pw"), kfake.User("SCRAM-SHA-256", "s2", "pw"), kfake.User("SCRAM-SHA-512", "s5", "pw"))
	for _, x := range []struct {
		sasl, user, password string
		ok                   bool
	}{{"PLAIN", "p", "pw", true}, {"scram_sha256", "s2", "pw", true}, {"SCRAM_SHA512", "s5", "pw", true}, {"PLAIN", "p", "no", false}, {"SCRAM_SHA512", "s5", "no", false}} {
		o := outputtest.Open(t, "kafka", "kafka: {hostport: '"+c.ListenAddrs()[0]+"', topic: falco, tls: true, cacertfile: "+ca+", sasl: "+x.sasl+", username: "+x.user+", password: "+x.password+"}")
		err := o.Output.Send(within(t, 5*time.Second), outputtest.Events(1))
		switch {
		case x.ok && err != nil:
			t.Errorf("%s: %v", x.sasl, err)
		case !x.ok && err == nil:
			t.Errorf("%s: no error with a wrong password", x.sasl)
		}
	}
	// Where kfake hangs up, a broker says why.
	c.ControlKey(int16(kmsg.SASLAuthenticate), func(r kmsg.Request) (kmsg.Response, error, bool) {
		res := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		res.ErrorCode = kerr.SaslAuthenticationFailed.Code
		return res, nil, true
	})
	o := outputtest.Open(t, "kafka", "kafka: {hostport: '"+c.ListenAddrs()[0]+"', topic: falco, tls: true, checkcert: false, sasl: PLAIN, username: p, password: no}")
	outputtest.Class(t, o.Output.Send(within(t, 5*time.Second), outputtest.Events(1)), output.Configuration)
	if _, err := outputtest.TryOpen(t, "kafka", "kafka: {hostport: 'h:1', topic: t, sasl: OAUTHBEARER}"); err == nil {
		t.Error("OAUTHBEARER without a token")
	}
}

// A log-in that kfake does not have is played around it: what the broker is told is looked at, byte for byte. The token is
// read anew for each connection.
func TestKafkaTokens(t *testing.T) {
	srv := httptest.NewTLSServer(nil)
	defer srv.Close()
	c := kafkaCluster(t, kfake.TLS(&tls.Config{Certificates: srv.TLS.Certificates}))
	told := make(chan string, 16)
	var mechanism atomic.Value
	c.ControlKey(int16(kmsg.SASLHandshake), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		mechanism.Store(r.(*kmsg.SASLHandshakeRequest).Mechanism)
		res := r.ResponseKind().(*kmsg.SASLHandshakeResponse)
		res.SupportedMechanisms = []string{"OAUTHBEARER"}
		return res, nil, true
	})
	c.ControlKey(int16(kmsg.SASLAuthenticate), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		told <- string(r.(*kmsg.SASLAuthenticateRequest).SASLAuthBytes)
		res := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		return res, nil, true
	})
	token := filepath.Join(t.TempDir(), "token")
	writeFile(t, token, "first\n")
	where := "kafka: {hostport: '" + c.ListenAddrs()[0] + "', topic: falco, tls: true, checkcert: false, sasl: "
	send := func(yaml string) string {
		t.Helper()
		if err := outputtest.Open(t, "kafka", yaml).Output.Send(within(t, 10*time.Second), outputtest.Events(1)); err != nil {
			t.Fatal(err)
		}
		return <-told
	}
	if got := send(where + "OAUTHBEARER, tokenfile: " + token + "}"); got != "n,,\x01auth=Bearer first\x01\x01" || mechanism.Load() != "OAUTHBEARER" {
		t.Errorf("%q by %v", got, mechanism.Load())
	}
	writeFile(t, token, "second") // it has expired
	for len(told) > 0 {
		<-told
	}
	if got := send(where + "OAUTHBEARER, tokenfile: " + token + "}"); got != "n,,\x01auth=Bearer second\x01\x01" {
		t.Errorf("%q", got)
	}
}

func TestKafkaHostile(t *testing.T) {
	c := kafkaCluster(t, kfake.BrokerConfigs(map[string]string{"message.max.bytes": "16000000"}))
	o := outputtest.Open(t, "kafka", "kafka: {hostport: '"+c.ListenAddrs()[0]+"', topic: falco}")
	outputtest.Hostile(t, o)
}

func certPEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}
