// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/falco-go/falco/tests/forward/natstest"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/twmb/franz-go/pkg/kfake"
	"gopkg.in/yaml.v3"
)

// The deployments that packaging/helm/falcosidekick/fleet/hosts documents, with its files as they are: daemon,
// forwarder of the host, message system, forwarder at the end. Addresses, passwords and certificates come from
// variables, which win over files.

const hosts = "../../packaging/helm/falcosidekick/fleet/hosts"

// selfSigned writes server.crt, which is its own CA, and server.key.
func selfSigned(t *testing.T, dir string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "fleet"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert, private := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
	for name, text := range map[string][]byte{"server.crt": cert, "server.key": private} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pair, err := tls.X509KeyPair(cert, private)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// documented returns a file of the documentation.
func documented(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(hosts, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// natsOfFleet runs the real server with the documented configuration; only folders and the port are others.
func natsOfFleet(t *testing.T, dir string) *server.Server {
	t.Helper()
	t.Setenv("NODE_PASSWORD", "node-secret")
	t.Setenv("FORWARDER_PASSWORD", "forwarder-secret")
	text := strings.NewReplacer("/etc/nats/", dir+"/", "/var/lib/nats", filepath.Join(dir, "nats"), "port: 4222", "port: -1").Replace(documented(t, "nats-server.conf"))
	file := filepath.Join(dir, "nats-server.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return natstest.Start(t, o)
}

// What the manifest for Kubernetes tells the server is read by the server.
func TestManifestOfNATS(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(hosts, "../nats.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var m struct{ Data map[string]string }
	if err := yaml.Unmarshal([]byte(strings.Split(string(text), "\n---\n")[0]), &m); err != nil {
		t.Fatal(err)
	}
	t.Setenv("POD_NAME", "nats-1")
	file := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(file, []byte(m.Data["nats.conf"]), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if o.ServerName != "nats-1" || !o.JetStream || len(o.Routes) != 3 || o.Cluster.Name != "falco" || o.Port != 4222 || o.HTTPPort != 8222 || o.MaxPayload != 2<<20 && o.MaxPayload != 2000000 {
		t.Errorf("%+v", o)
	}
}

func TestFleetOfHostsOverNATS(t *testing.T) {
	dir := t.TempDir()
	selfSigned(t, dir)
	s := natsOfFleet(t, dir)
	url := "tls://" + s.Addr().String()
	ca := filepath.Join(dir, "server.crt")
	fleetOfHosts(t, "nats", []string{"NATS_HOSTPORT=" + url, "NATS_PASSWORD=node-secret", "NATS_CACERTFILE=" + ca},
		[]string{"CONSUME_NATS_HOSTPORT=" + url, "CONSUME_NATS_PASSWORD=forwarder-secret", "CONSUME_NATS_CACERTFILE=" + ca, "CONSUME_NATS_REPLICAS=1", "CONSUME_NATS_ACKWAIT=2s"})

	// Who has a host has no more than a voice.
	nc, err := nats.Connect(url, nats.UserInfo("node", "node-secret"), nats.RootCAs(ca), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for _, subject := range []string{"falco.>", ">", "_FORWARDER.>", "$JS.>"} {
		sub, err := nc.SubscribeSync(subject)
		if err == nil {
			nc.Flush()
			_, err = sub.NextMsg(50 * time.Millisecond)
		}
		if last := nc.LastError(); last == nil || !strings.Contains(strings.ToLower(last.Error()), "permissions violation") {
			t.Errorf("a host may listen to %s: %v, %v", subject, err, last)
		}
	}
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(200*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	if stream, err := js.Stream(t.Context(), "FALCO"); err == nil {
		t.Errorf("a host may look into the stream: %v", stream.CachedInfo())
	}
	if err := js.DeleteStream(t.Context(), "FALCO"); err == nil {
		t.Error("a host may remove what others have said")
	}
}

func TestFleetOfHostsOverKafka(t *testing.T) {
	dir := t.TempDir()
	pair := selfSigned(t, dir)
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "falco"), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{pair}}), kfake.EnableSASL(),
		kfake.Superuser("SCRAM-SHA-512", "node", "node-secret"), kfake.Superuser("SCRAM-SHA-512", "forwarder", "forwarder-secret"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	addr, ca := strings.Join(c.ListenAddrs(), ","), filepath.Join(dir, "server.crt")
	fleetOfHosts(t, "kafka", []string{"KAFKA_HOSTPORT=" + addr, "KAFKA_PASSWORD=node-secret", "KAFKA_CACERTFILE=" + ca},
		[]string{"CONSUME_KAFKA_HOSTPORT=" + addr, "CONSUME_KAFKA_PASSWORD=forwarder-secret", "CONSUME_KAFKA_CACERTFILE=" + ca, "CONSUME_KAFKA_SESSIONTIMEOUT=6s"})
}

// fleetOfHosts has a daemon replay a recording on a host, and the alert arrive at the other end; then events in a mass, while
// forwarders of both sides are killed.
func fleetOfHosts(t *testing.T, engine string, node, end []string) {
	r := receiverAt(t, "")
	socket := filepath.Join(t.TempDir(), "sidekick.sock")
	wants := func(s *sidekick) {
		until(t, "it is ready", func() bool {
			select {
			case <-s.done:
				t.Fatalf("it has ended: %s", s.out)
			default:
			}
			return strings.Contains(s.out.String(), "is up and listening")
		})
	}
	// Receivers that the tests do not have: the webhook stands in for Slack.
	endYAML := strings.Replace(documented(t, "forwarder-"+engine+".yaml"), "slack: {webhookurl_file: /etc/falco/slack, minimumpriority: warning}",
		"webhook: {address: '"+r.URL+"', format: ndjson}", 1)
	if !strings.Contains(endYAML, r.URL) {
		t.Fatal("the documented file has no Slack any more")
	}
	endDir, nodeDir := t.TempDir(), t.TempDir()
	// Where it was killed before it is a member of the group, a broker waits for it as long as for one that rebalances, which
	// kfake does for ever.
	begin := func() *sidekick {
		s := launch(t, endDir, endYAML+quick, end...)
		wants(s)
		until(t, "it is connected", func() bool { return strings.Contains(s.out.String(), "consume."+engine+" - connected") })
		return s
	}
	one := begin()
	nodeYAML := strings.Replace(documented(t, "node-"+engine+".yaml"), "listenport: 0", "", 1) // the test wants to ask it
	host := launch(t, nodeDir, nodeYAML+quick, append(node, "LISTENSOCKET="+socket)...)
	wants(host)

	conf := filepath.Join(t.TempDir(), "falco.yaml")
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("rules_files: [%s/rules/falco_rules.yaml]\nengine: {kind: replay, replay: {capture_file: %s/tests/corpus/shell.scap}}\n%s", root, root,
		strings.Replace(documented(t, "falco.yaml"), "unix:///run/falco/sidekick.sock", "unix://"+socket, 1))
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(program(t, "daemon"), "-c", conf).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	until(t, "the alert has come", func() bool { return r.different() == 1 })

	n := 3000
	if long {
		n = 50000
	}
	kills := 0
	for from := 0; from < n; {
		to := min(from+100, n)
		if code, err := host.post(lines(from, to)); err == nil && code == 200 {
			from = to
		}
		if from%(n/5) == 0 {
			kills++
			if kills%2 == 0 {
				host.stop(syscall.SIGKILL)
				host = launch(t, nodeDir, nodeYAML+quick, append(node, "LISTENSOCKET="+socket)...)
				wants(host)
			} else {
				one.stop(syscall.SIGKILL)
				one = begin()
			}
		}
	}
	until(t, "all have come", func() bool { return r.different() == n+1 })
	if code := host.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("the host's forwarder: exit code %d", code)
	}
	if code := one.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("the other one: exit code %d", code)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	t.Logf("%s: %d events and the daemon's alert, %d kills, %d deliveries more than once", engine, n, kills, r.n-len(r.got))
	for i := range n {
		if r.got[uuid(i)] == 0 {
			t.Fatalf("missing: %s", uuid(i))
		}
	}
}
