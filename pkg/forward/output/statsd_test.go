// SPDX-License-Identifier: Apache-2.0

package output_test

import (
	"bufio"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/falco-go/falco/pkg/forward/output/outputtest"
	"github.com/falco-go/falco/tests/vm"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/statsd_exporter/pkg/event"
	"github.com/prometheus/statsd_exporter/pkg/line"
)

func ok(name string) []output.Tag {
	return []output.Tag{{Key: "output", Value: name}, {Key: "status", Value: "ok"}}
}

func TestStatsdAsTheOriginal(t *testing.T) {
	port, next := datagrams(t)
	o := outputtest.Open(t, "statsd", "statsd: {forwarder: '127.0.0.1:"+port+"'}")
	m := o.Output.(output.Meter)
	m.Count("outputs", 1, ok("smtp")...)
	m.Count("outputs", 1, ok("syslog")...)
	var got []string
	for len(got) < 2 {
		got = append(got, strings.Split(string(next()), "\n")...)
	}
	slices.Sort(got)
	// The recording has one counter a datagram; ours fill one.
	if want := strings.Fields(string(outputtest.Recording(t, "statsd"))); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A crowd of counters fits into datagrams, and whatever a name holds, it is one name.
func TestStatsdHostile(t *testing.T) {
	for _, name := range []string{"statsd", "dogstatsd"} {
		port, next := datagrams(t)
		o := outputtest.Open(t, name, name+": {forwarder: '127.0.0.1:"+port+"', namespace: 'n.s.'}")
		m := o.Output.(output.Meter)
		n, parser := 0, line.NewParser()
		parser.EnableDogstatsdParsing()
		for i, bad := range append(outputtest.Bad, "x") {
			if len(bad) < 1000 {
				m.Count("falco.accepted", 3, output.Tag{Key: "priority", Value: fmt.Sprint(i) + bad})
				n++
			}
		}
		for got := 0; got < n; {
			text := next()
			if len(text) > 1432 {
				t.Errorf("a datagram of %d bytes", len(text))
			}
			for _, l := range strings.Split(string(text), "\n") {
				got++
				events := lineEvents(parser, l)
				if len(events) != 1 || events[0].Value() != 3 || !strings.HasPrefix(events[0].MetricName(), "n.s.falco.accepted") {
					t.Errorf("%s: %q gives %v", name, l, events)
				}
			}
		}
	}
}

func lineEvents(p *line.Parser, l string) event.Events {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "x"}, []string{"reason"})
	c := func() prometheus.Counter { return prometheus.NewCounter(prometheus.CounterOpts{Name: "y"}) }
	return p.LineToEvents(l, *vec, c(), c(), c(), slog.New(slog.DiscardHandler))
}

// statsd_exporter's parser reads names and tags.
func TestDogstatsd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	c, err := net.ListenPacket("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	o := outputtest.Open(t, "dogstatsd", "dogstatsd: {forwarder: 'unix://"+path+"', tags: 'env:prod,team:sec'}")
	for range 5 {
		o.Output.(output.Meter).Count("outputs", 2, ok("slack")...)
	}
	p, b := line.NewParser(), make([]byte, 2000)
	p.EnableDogstatsdParsing()
	total := 0.0
	for total < 10 {
		c.SetReadDeadline(time.Now().Add(30 * time.Second))
		n, _, err := c.ReadFrom(b)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range lineEvents(p, string(b[:n])) {
			l := e.Labels()
			if e.MetricName() != "falcosidekick.outputs" || l["env"] != "prod" || l["team"] != "sec" || l["output"] != "slack" || l["status"] != "ok" {
				t.Errorf("%q gives %v", b[:n], e)
			}
			total += e.Value()
		}
	}
	if _, err := outputtest.TryOpen(t, "statsd", "statsd: {forwarder: localhost}"); err == nil {
		t.Error("a forwarder without a port is taken")
	}
}

// StatsD itself, as Etsy made it, counts what it is sent.
func TestStatsdReal(t *testing.T) {
	node := vm.Tool(t, "node", "nodejs")
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("SKIP 1 cases: statsd comes from npm, and there is no npm")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "falco", "statsd-0.9.0")
	script := filepath.Join(dir, "node_modules/statsd/stats.js")
	if _, err := os.Stat(script); err != nil {
		os.MkdirAll(dir, 0o755)
		cmd := exec.Command(npm, "install", "--no-save", "--ignore-scripts", "--omit=optional", "--prefix", dir, "statsd@0.9.0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("npm install statsd: %v\n%s", err, out)
		}
	}
	port, admin := freePort(t), freePort(t)
	conf := filepath.Join(t.TempDir(), "conf.js")
	writeFile(t, conf, "{ port: "+port+", address: '127.0.0.1', mgmt_address: '127.0.0.1', mgmt_port: "+admin+", flushInterval: 600000, backends: [] }")
	daemon(t, node, script, conf)
	listening(t, admin)
	o := outputtest.Open(t, "statsd", "statsd: {forwarder: '127.0.0.1:"+port+"'}")
	m := o.Output.(output.Meter)
	for range 100 {
		m.Count("outputs", 1, ok("smtp")...)
		m.Count("inputs.requests.accepted", 2)
		m.Count("falco.accepted", 1, output.Tag{Key: "priority", Value: "Warning"})
	}
	until(t, "all counts", func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+admin)
		if err != nil {
			return false
		}
		defer c.Close()
		fmt.Fprintln(c, "counters")
		text := ""
		for s := bufio.NewScanner(c); s.Scan() && s.Text() != "END"; {
			text += s.Text()
		}
		return strings.Contains(text, "'falcosidekick.outputs.smtp.ok': 100") && strings.Contains(text, "'falcosidekick.inputs.requests.accepted': 200") &&
			strings.Contains(text, "'falcosidekick.falco.accepted.Warning': 100")
	})
}
