// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

// Somebody else's client (librdkafka, in Debian's kcat) reads what we have written, whatever it is compressed with.
func TestKafkaIsReadByOthers(t *testing.T) {
	debian(t, "/usr/bin/kcat", "kcat")
	c := kafkaCluster(t)
	for i, compression := range []string{"NONE", "GZIP", "SNAPPY", "LZ4", "ZSTD"} {
		o := outputtest.Open(t, "kafka", "kafka: {hostport: '"+c.ListenAddrs()[0]+"', topic: falco, compression: "+compression+"}")
		if err := o.Send(t, outputtest.Events(50)[10*i:10*i+10]...); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(within(t, 30*time.Second), "/usr/bin/kcat", "-b", c.ListenAddrs()[0], "-t", "falco", "-C", "-e", "-o", "beginning", "-f", "%k\t%h\t%s\n")
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &complaints)
	}
	got := map[string]bool{}
	for line := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n") {
		part := strings.SplitN(line, "\t", 3)
		if len(part) != 3 || part[0] != "node-1" || !strings.Contains(part[1], "rule=Terminal shell in container") || !strings.Contains(part[1], "priority=Warning") {
			t.Fatalf("%q", line)
		}
		_, id, _ := strings.Cut(part[1], "uuid=")
		id, _, _ = strings.Cut(id, ",")
		if got[id] = true; id == outputtest.UUID(33) {
			outputtest.SameJSON(t, []byte(part[2]), outputtest.Event(33).JSON())
		}
	}
	sameSet(t, got, uuids(outputtest.Events(50)))
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

// kafkaLogin is a broker to which a log-in is added that kfake does not have: it takes whatever it is told, and the
// test looks at it, byte for byte.
func kafkaLogin(t *testing.T, mechanism, answer string) (where string, told chan string) {
	t.Helper()
	srv := httptest.NewTLSServer(nil)
	t.Cleanup(srv.Close)
	c := kafkaCluster(t, kfake.TLS(&tls.Config{Certificates: srv.TLS.Certificates}))
	told = make(chan string, 16)
	c.ControlKey(int16(kmsg.SASLHandshake), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if got := r.(*kmsg.SASLHandshakeRequest).Mechanism; got != mechanism {
			t.Errorf("mechanism %s, want %s", got, mechanism)
		}
		res := r.ResponseKind().(*kmsg.SASLHandshakeResponse)
		res.SupportedMechanisms = []string{mechanism}
		return res, nil, true
	})
	c.ControlKey(int16(kmsg.SASLAuthenticate), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		told <- string(r.(*kmsg.SASLAuthenticateRequest).SASLAuthBytes)
		res := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		res.SASLAuthBytes = []byte(answer)
		return res, nil, true
	})
	return "hostport: '" + c.ListenAddrs()[0] + "', topic: falco, checkcert: false, sasl: " + mechanism, told
}

// An account of AWS: what the broker is told is a signed request, which is signed anew here.
func TestKafkaIAM(t *testing.T) {
	where, told := kafkaLogin(t, "AWS_MSK_IAM", `{"version":"2020_10_22","request-id":"1"}`)
	for _, session := range []string{"", "session+token/="} {
		account := outputtest.AWS
		if session != "" {
			account += ", sessiontoken: '" + session + "'"
		}
		o := outputtest.Open(t, "kafka", "kafka: {"+where+"}\naws: {"+account+"}")
		if err := o.Send(t, outputtest.Event(0)); err != nil {
			t.Fatal(err)
		}
		said := map[string]string{}
		if err := json.Unmarshal([]byte(<-told), &said); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"version": "2020_10_22", "host": "127.0.0.1", "user-agent": "Falcosidekick", "action": "kafka-cluster:Connect", "x-amz-expires": "300",
			"x-amz-date": outputtest.Now.Format("20060102T150405Z"), "x-amz-security-token": session} {
			if said[name] != want {
				t.Errorf("%s is %q, want %q", name, said[name], want)
			}
		}
		q := url.Values{"Action": {said["action"]}}
		for name, value := range said {
			if strings.HasPrefix(name, "x-amz-") {
				q.Set(http.CanonicalHeaderKey(name), value)
			}
		}
		q["X-Amz-SignedHeaders"] = q["X-Amz-Signedheaders"]
		q.Del("X-Amz-Signedheaders")
		if err := outputtest.SigV4Query(q, "127.0.0.1", "kafka-cluster"); err != nil {
			t.Error(err)
		}
		if strings.Contains(said["host"]+q.Encode(), outputtest.AWSSecret) {
			t.Error("the secret is sent")
		}
		for len(told) > 0 {
			<-told
		}
	}
}

// The token is read anew for each connection.
func TestKafkaTokens(t *testing.T) {
	where, told := kafkaLogin(t, "OAUTHBEARER", "")
	token := filepath.Join(t.TempDir(), "token")
	writeFile(t, token, "first\n")
	send := func() string {
		t.Helper()
		if err := outputtest.Open(t, "kafka", "kafka: {"+where+", tls: true, tokenfile: "+token+"}").Output.Send(within(t, 10*time.Second), outputtest.Events(1)); err != nil {
			t.Fatal(err)
		}
		return <-told
	}
	if got := send(); got != "n,,\x01auth=Bearer first\x01\x01" {
		t.Errorf("%q", got)
	}
	writeFile(t, token, "second") // it has expired
	for len(told) > 0 {
		<-told
	}
	if got := send(); got != "n,,\x01auth=Bearer second\x01\x01" {
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
