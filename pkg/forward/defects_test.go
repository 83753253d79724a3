// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/forward/output"
)

// Defects of the original that are none of ours, and the tests that hold them off:
//
//	panic over a namespace that is no string     TestOddFields, TestHostileEvents
//	an unknown path is taken for the intake      TestEndpoints
//	/debug/vars is missing                       TestAdmin
//	exit code 0 if the port is taken             TestFace (tests/forward)
//	keys of maps become small                    TestConfigMatrix, TestMaps (settings)
//	":" in values of maps from variables         TestConfigMatrix, TestMaps
//	AWS keys of the file are ignored             TestAWSChecksWhoWeAre (output)
//	Cloud Run without a token has no client      TestCloudRunGetsItsToken
//	Fission falls over its first answer          TestCountsOfEveryKind
//	Event Hubs gets each event twice             TestCountsOfEveryKind, TestEventHub
//	Kafka counts twice, and waits for nobody     TestKafka, TestConfigDefaultsThatLose
//	Elasticsearch's refusals count as delivered  TestElasticsearchItems, TestElasticsearchMapping
//	RabbitMQ has no confirms, never reconnects   TestRabbitMQ
//	NATS, STAN connect for each event            TestNATS, TestSTAN
//	Influx and CEF are not escaped               TestInfluxdbAnswersAndHostile, TestSyslogCEF, FuzzEncoders
//	a subject of a mail adds headers; no QUIT    TestSMTPHostile, TestSMTPAsTheOriginal
//	Discord refuses more than 25 fields          TestDiscordLimits
//	PagerDuty: everything is critical            TestPagerdutySeveritiesAndKey
//	Alertmanager: the year 1; no thresholds      TestAlertmanagerAsTheOriginal, TestAlertmanagerDrops
//	S3 has no counters                           TestCountsOfEveryKind
//	StatsD's client is DogStatsD's               TestCountsOfEveryKind
//	no time-out of HTTP                          TestFailuresThatPass, TestHungOutput
//	text is cut in the middle of a character     TestCut (event)
//	SIGTERM drops what waits                     TestTerminated (tests/forward)
//	a minimum priority "info" means everything   TestMinimumPriorityIsChecked
//	variables that have no effect                TestConfigMatrix: every key, in four ways
//
// MQTT, Redis, Webex and OnCall, which have others, are not among our outputs.

// Every event is counted once, under its output's own name, whatever the output is made of; and StatsD and
// DogStatsD both hear of it, each in its own dialect.
func TestCountsOfEveryKind(t *testing.T) {
	var mu sync.Mutex
	requests := map[string]int{}
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		part := strings.Split(r.URL.Path, "/")[1]
		requests[part]++
		if part == "hub" && strings.Count(string(body), `"Body"`) != 1 {
			t.Errorf("the hub gets %s", body)
		}
		switch part {
		case "hub":
			w.WriteHeader(http.StatusCreated)
		case "topics":
			io.WriteString(w, `{"offsets":[{"partition":0,"offset":1}]}`)
		}
	}))
	defer s.Close()
	dir := t.TempDir()
	kube := filepath.Join(dir, "kubeconfig")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: k, cluster: {server: '%s', insecure-skip-tls-verify: true}}]\n"+
		"users: [{name: u, user: {token: tok}}]\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n", s.URL)
	if err := os.WriteFile(kube, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	counters := func() (string, func() string) {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		var mu sync.Mutex
		var got strings.Builder
		go func() {
			b := make([]byte, 65536)
			for {
				n, _, err := c.ReadFrom(b)
				if err != nil {
					return
				}
				mu.Lock()
				got.WriteString(string(b[:n]) + "\n")
				mu.Unlock()
			}
		}()
		return c.LocalAddr().String(), func() string { mu.Lock(); defer mu.Unlock(); return got.String() }
	}
	plain, statsd := counters()
	tagged, dogstatsd := counters()
	r := begin(t, dir, fmt.Sprintf(`
statsd: {forwarder: '%[3]s', namespace: one.}
dogstatsd: {forwarder: '%[4]s', namespace: two.}
webhook: {address: '%[1]s/webhook', checkcert: false}
fission: {function: fn, kubeconfig: %[2]s}
kafkarest: {address: '%[1]s/topics/t', checkcert: false}
aws: {accesskeyid: k, secretaccesskey: s, region: eu-west-1, checkidentity: false, s3: {bucket: bucket, endpoint: '%[1]s', pathstyle: true, checkcert: false}}
azure: {eventhub: {name: hub, namespace: ns.servicebus.windows.net, connectionstring: 'Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=a;SharedAccessKey=c2VjcmV0;EntityPath=hub', endpoint: '%[1]s', checkcert: false}}
`, s.URL, kube, plain, tagged))
	if code, text := r.send(line(7)); code != 200 {
		t.Fatalf("%d %s", code, text)
	}
	r.idle()
	_, _, metrics := r.ask("GET", "/metrics", "")
	names := []string{"webhook", "Fission", "kafkarest", "awss3", "azureeventhub"}
	for _, name := range names {
		if !strings.Contains(metrics, `falcosecurity_falcosidekick_outputs_total{destination="`+name+`",status="ok"} 1`+"\n") {
			t.Errorf("%s is not counted once: %v", name, regexp.MustCompile(`(?m)^falcosecurity_falcosidekick_outputs_total.*`).FindAllString(metrics, -1))
		}
		until(t, "StatsD has heard of "+name, func() bool { return strings.Contains(statsd(), "one.outputs."+name+".ok:1|c") })
		until(t, "DogStatsD has heard of "+name, func() bool {
			return regexp.MustCompile(`(?m)^two\.outputs:1\|c\|#.*output:` + name + `\b.*$`).MatchString(dogstatsd())
		})
	}
	mu.Lock()
	defer mu.Unlock()
	for _, part := range []string{"hub", "topics", "webhook", "bucket", "api"} {
		if requests[part] != 1 {
			t.Errorf("requests: %v", requests)
		}
	}
	if strings.Contains(statsd(), "two.") || strings.Contains(dogstatsd(), "one.") || strings.Contains(statsd(), "#") {
		t.Errorf("one has got what is the other's:\n%s\n%s", statsd(), dogstatsd())
	}
}

// What the original does by default and loses events by.
func TestConfigDefaultsThatLose(t *testing.T) {
	cfg := config(t, "kafka: {hostport: x, topic: y}\nnats: {hostport: nats://x}\n")
	var b strings.Builder
	cfg.Print(&b)
	if !strings.Contains(b.String(), `requiredacks: "ALL"`) {
		t.Errorf("Kafka waits for fewer than all replicas:\n%s", b.String())
	}
	if cfg.Spool.Sync != "always" {
		t.Errorf("spool.sync is %q", cfg.Spool.Sync)
	}
}

// The original takes any text that holds a word of priority, and "info" for none.
func TestMinimumPriorityIsChecked(t *testing.T) {
	for text, want := range map[string]event.Priority{"info": event.Informational, "WARNING": event.Warning, "": event.None} {
		if got := config(t, "webhook: {address: 'http://x', minimumpriority: '"+text+"'}\n").Instances[0].Minimum; got != want {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
	}
	if text, fatal := problems(t, "webhook: {address: 'http://x', minimumpriority: 'not a warning'}\n"); !fatal || !strings.Contains(text, "is no priority") {
		t.Error(text)
	}
}

// Whoever uses what its vendor has given up is told so at the start.
func TestGoneVendorsAreSaid(t *testing.T) {
	r := begin(t, t.TempDir(), "kubeless: {function: f, namespace: n}\nstan: {hostport: 'nats://127.0.0.1:1', clusterid: a, clientid: b}\nopsgenie: {apikey: k}\nwebhook: {address: 'http://127.0.0.1:1'}\n")
	for _, name := range []string{"kubeless", "stan", "opsgenie", "wavefront"} {
		k := output.Find(name)
		if k.Gone == "" {
			t.Errorf("%s: nothing says that it is gone", name)
		}
		if name != "wavefront" && !strings.Contains(r.log.text(), "warn "+k.Title+" "+k.Gone) {
			t.Errorf("%s is not said:\n%s", name, r.log.text())
		}
	}
	if strings.Contains(r.log.text(), "warn Webhook") {
		t.Errorf("a webhook is not gone:\n%s", r.log.text())
	}
}

// An outage of an hour, compressed: two forwarders get the same events at the same pace; one of the first one's receivers
// goes away for three quarters of the time. Its other outputs deliver, by the end of the outage, what the second forwarder's do;
// and the receiver gets everything when it is back, in order.
func TestHourOfOutage(t *testing.T) {
	n := scale(8000, 360000)
	const posts = 100
	away := newReceiver(t)
	good := [2]*receiver{newReceiver(t), newReceiver(t)}
	healthy := newReceiver(t)
	make := func(first *receiver, other *receiver) *rig {
		return begin(t, t.TempDir(), fmt.Sprintf(`
outputs:
  - {name: away, type: webhook, settings: {address: '%s', format: ndjson, batchsize: 200}, delivery: {workers: 1}}
  - {name: other, type: webhook, settings: {address: '%s', format: ndjson, batchsize: 200}, delivery: {batch_wait: 1ms}}
delivery: {retry_min: 1ms, retry_max: 500ms}
spool: {sync: interval}
`, first.URL, other.URL))
	}
	with, without := make(away, good[0]), make(healthy, good[1])
	begun, over := n/8/posts*posts, n*7/8/posts*posts
	var delivered [2]uint64
	var turn atomic.Int64
	for from := 0; from < n; from += posts {
		switch from {
		case begun:
			away.talk(func(r *http.Request, _ []*event.Event) (int, map[string]string) {
				switch turn.Add(1) % 3 {
				case 0:
					return 503, nil
				case 1:
					return -1, nil
				}
				select { // it hangs
				case <-r.Context().Done():
				case <-time.After(100 * time.Millisecond):
				}
				return -1, nil
			})
		case over:
			delivered[0], delivered[1] = with.Books()["other"].Delivered, without.Books()["other"].Delivered
			if q := with.Books()["away"].Queued; q < uint64(over-begun)*9/10 {
				t.Errorf("%d events wait after the outage, %d came meanwhile", q, over-begun)
			}
			away.talk(nil)
		}
		with.post(from, from+posts)
		without.post(from, from+posts)
	}
	t.Logf("%d events; the other output had delivered %d at the end of the outage, without it %d", n, delivered[0], delivered[1])
	if delivered[0]*100 < delivered[1]*95 {
		t.Errorf("%d events were delivered during the outage, %d without it", delivered[0], delivered[1])
	}
	with.idle()
	without.idle()
	away.has(t, 0, n)
	good[0].has(t, 0, n)
	if !slices.IsSorted(away.order) {
		t.Error("the order is lost")
	}
}
