// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The numbers of daemons come in two ways: as events, which tell of rates and losses
// each time that a daemon writes a snapshot (metrics.output_rule), and from the
// metrics page of daemons that the configuration names, which also has the rings and
// every rule.

const (
	snapshotRule = "Falco internal: metrics snapshot"
	scrapeEach   = 10 * time.Second
	maxSensors   = 5000
	history      = 180 // samples of a sensor
	maxMetrics   = 8 << 20
	maxRules     = 20000 // of a daemon
)

// Sensor is a daemon, as far as it tells.
type Sensor struct {
	Host     string  `json:"host"`
	From     string  `json:"from"` // "events" or a URL
	Up       bool    `json:"up"`
	Error    string  `json:"error,omitempty"`
	Seen     int64   `json:"seen"` // milliseconds
	Version  string  `json:"version,omitempty"`
	Kernel   string  `json:"kernel,omitempty"`
	Engine   string  `json:"engine,omitempty"`
	CPUs     int     `json:"cpus,omitempty"`
	Uptime   int64   `json:"uptime,omitempty"` // seconds
	Events   float64 `json:"events"`           // produced, ever
	Lost     float64 `json:"lost"`
	Alerts   float64 `json:"alerts"`
	Rate     float64 `json:"rate"` // events a second
	LossRate float64 `json:"loss_rate"`
	CPU      float64 `json:"cpu"`    // percent of one
	Memory   float64 `json:"memory"` // bytes
	Threads  float64 `json:"threads"`
	FDs      float64 `json:"fds"`
	Lag      float64 `json:"lag"` // seconds
	Canary   float64 `json:"canary_unanswered"`

	Losses  []Loss     `json:"losses,omitempty"`
	Rings   []Ring     `json:"rings,omitempty"`
	Rules   []RuleHits `json:"-"`
	History []Sample   `json:"history,omitempty"`
}

// Loss is how many events of a kind were lost for a reason.
type Loss struct {
	Event string  `json:"event"`
	Cause string  `json:"cause"`
	N     float64 `json:"count"`
}

// Ring is how full one is.
type Ring struct {
	CPU  int     `json:"cpu"`
	Used float64 `json:"used"`
	Size float64 `json:"size"`
}

// RuleHits is how often a rule of a daemon has matched, and what it costs there.
type RuleHits struct {
	Name, Priority, Source string
	Plain                  bool    // Name is as snapshots have it: letters, digits and _
	N                      float64 // matches
	Asked                  float64 // events that it was tried on
	Seconds                float64 // that its condition took by itself
}

// Sample is a moment of a sensor.
type Sample struct {
	Time int64   `json:"time"` // milliseconds
	Rate float64 `json:"rate"`
	Lost float64 `json:"lost"` // a second
	Fill float64 `json:"fill"` // of the fullest ring, 0 to 1
}

type sensors struct {
	s      *Server
	client *http.Client

	mu     sync.Mutex
	byHost map[string]*Sensor
}

func newSensors(s *Server) *sensors {
	return &sensors{s: s, client: &http.Client{Timeout: 5 * time.Second}, byHost: map[string]*Sensor{}}
}

// run reads what snapshots there are, and then the daemons' pages for as long as
// the server lives.
func (x *sensors) run(ctx context.Context) {
	q := &Query{From: now() - (3 * time.Hour).Microseconds(), Conds: []Cond{{Field: "rule", Values: []string{snapshotRule}}}}
	if found, err := x.s.store.Search(ctx, q, Page{Limit: 1000}); err == nil {
		slices.Reverse(found.Events)
		x.take(found.Events)
	}
	t := time.NewTicker(scrapeEach)
	defer t.Stop()
	for {
		for _, url := range x.s.conf().Sensors {
			x.scrape(ctx, url)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// take looks at events for snapshots.
func (x *sensors) take(events []*Event) {
	for _, e := range events {
		if e.Rule != snapshotRule {
			continue
		}
		num := func(names ...string) float64 {
			f, _ := finite(e.first(names...))
			return f
		}
		n := &Sensor{Host: cmp.Or(e.Field("evt.hostname"), e.Host, "?"), From: "events", Up: true, Seen: e.Time / 1000,
			Version: e.Field("falco.version"), Kernel: e.Field("falco.kernel_release"), Engine: e.Field("scap.engine_name"),
			CPUs: int(num("falco.host_num_cpus")), Uptime: int64(num("falco.duration_sec")),
			Events: num("scap.n_evts", "falco.num_evts"), Lost: num("scap.n_drops"), Alerts: num("falco.rules.matches_total"),
			Rate: num("scap.evts_rate_sec", "falco.evts_rate_sec"), LossRate: num("scap.evts_drop_rate_sec"),
			CPU: num("falco.cpu_usage_perc"), Memory: num("falco.memory_rss_kb")*1024 + num("falco.memory_rss_mb")*(1<<20),
			Threads: num("falco.n_threads"), FDs: num("falco.n_fds")}
		n.lists(e, num)
		x.put(n)
	}
}

// lists takes those numbers of a snapshot of which there are as many as there are
// kinds of events, CPUs and rules.
func (n *Sensor) lists(e *Event, num func(...string) float64) {
	rules := hits{}
	for key := range e.fields {
		i := strings.LastIndexAny(key, "._") + 1
		switch head, tail := key[:i], key[i:]; {
		case strings.HasPrefix(key, "falco.rules.") && key != "falco.rules.matches_total":
			rules.of(key[len("falco.rules."):]).N = num(key)
		case strings.HasPrefix(key, "falco.rule_events."):
			rules.of(key[len("falco.rule_events."):]).Asked = num(key)
		case strings.HasPrefix(key, "falco.rule_cost_us."):
			rules.of(key[len("falco.rule_cost_us."):]).Seconds = num(key) / 1e6
		case head == "scap.ring_size_bytes_dev_":
			if cpu, err := strconv.Atoi(tail); err == nil {
				n.Rings = append(n.Rings, Ring{cpu, num("scap.ring_used_bytes_dev_" + tail), num(key)})
			}
		case strings.HasPrefix(key, "scap.n_drops_buffer_") && key != "scap.n_drops_buffer_total" && num(key) > 0:
			n.Losses = append(n.Losses, Loss{strings.TrimSuffix(key[len("scap.n_drops_buffer_"):], "_exit"), "full", num(key)})
		}
	}
	for _, r := range rules {
		r.Plain = true
		n.Rules = append(n.Rules, *r)
	}
	slices.SortFunc(n.Rings, func(a, b Ring) int { return a.CPU - b.CPU })
	slices.SortFunc(n.Losses, func(a, b Loss) int { return cmp.Compare(b.N, a.N) })
}

// hits are a daemon's rules by name.
type hits map[string]*RuleHits

// of returns the entry of a rule. That of no rule, or of one too many, is in no list.
func (h hits) of(name string) *RuleHits {
	r := h[name]
	if r == nil {
		r = &RuleHits{Name: name}
		if name != "" && len(h) < maxRules {
			h[name] = r
		}
	}
	return r
}

func (x *sensors) put(n *Sensor) {
	x.mu.Lock()
	defer x.mu.Unlock()
	old := x.byHost[n.Host]
	if old == nil && len(x.byHost) >= maxSensors {
		return
	}
	if old != nil {
		if old.From != "events" && n.From == "events" && old.Up {
			return // its own page knows more
		}
		n.History = old.History
	}
	fill := 0.0
	for _, r := range n.Rings {
		if r.Size > 0 {
			fill = max(fill, r.Used/r.Size)
		}
	}
	n.History = append(n.History, Sample{n.Seen, n.Rate, n.LossRate, fill})
	if len(n.History) > history {
		n.History = slices.Clone(n.History[len(n.History)-history:])
	}
	x.byHost[n.Host] = n
}

// scrape reads the metrics page of one daemon.
func (x *sensors) scrape(ctx context.Context, url string) {
	n, err := x.fetch(ctx, url)
	if ctx.Err() != nil {
		return
	}
	x.mu.Lock()
	var old *Sensor
	for _, o := range x.byHost {
		if o.From == url {
			old = o
		}
	}
	if err != nil {
		if old == nil {
			old = &Sensor{Host: url, From: url}
			x.byHost[url] = old
		}
		down := *old
		down.Up, down.Error = false, err.Error()
		x.byHost[old.Host] = &down
		x.mu.Unlock()
		return
	}
	if old != nil {
		if old.Host != n.Host {
			delete(x.byHost, old.Host)
		}
		if d := float64(n.Seen-old.Seen) / 1000; d > 0 && n.Events >= old.Events && old.Up {
			n.Rate, n.LossRate = (n.Events-old.Events)/d, (n.Lost-old.Lost)/d
		}
	}
	x.mu.Unlock()
	x.put(n)
}

func (x *sensors) fetch(ctx context.Context, url string) (*Sensor, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := x.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s says %s", url, res.Status)
	}
	n := &Sensor{Host: req.URL.Hostname(), From: url, Up: true, Seen: time.Now().UnixMilli()}
	n.read(io.LimitReader(res.Body, maxMetrics))
	return n, nil
}

// read takes what it knows of a page in the text form of Prometheus.
func (n *Sensor) read(r io.Reader) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	rules := hits{}
	rings := map[string]*Ring{}
	ring := func(cpu string) *Ring {
		if rings[cpu] == nil {
			id, _ := strconv.Atoi(cpu)
			rings[cpu] = &Ring{CPU: id}
		}
		return rings[cpu]
	}
	for lines.Scan() {
		name, labels, v, ok := metricOf(lines.Text())
		if !ok {
			continue
		}
		for _, prefix := range []string{"falcosecurity_", "falco_", "scap_", "evt_"} {
			name = strings.TrimPrefix(name, prefix)
		}
		switch name {
		case "hostname_info":
			n.Host = cmp.Or(labels["hostname"], n.Host)
		case "version_info":
			n.Version = labels["version"]
		case "kernel_release_info":
			n.Kernel = labels["kernel_release"]
		case "engine_name_info":
			n.Engine = labels["engine_name"]
		case "host_num_cpus_total":
			n.CPUs = int(v)
		case "duration_seconds_total":
			n.Uptime = int64(v)
		case "n_evts_total":
			n.Events = v
		case "events_total":
			n.Events = max(n.Events, v)
		case "n_drops_total":
			n.Lost = v
		case "alerts_total":
			n.Alerts = v
		case "cpu_usage_ratio":
			n.CPU = v * 100
		case "memory_rss_bytes":
			n.Memory = v
		case "n_threads_total":
			n.Threads = v
		case "n_fds_total":
			n.FDs = v
		case "lag_seconds":
			n.Lag = v
		case "canary_unanswered":
			n.Canary = v
		case "ring_used_bytes":
			ring(labels["cpu"]).Used = v
		case "ring_size_bytes":
			ring(labels["cpu"]).Size = v
		case "lost_events_total":
			if v > 0 {
				n.Losses = append(n.Losses, Loss{labels["event"], labels["cause"], v})
			}
		case "rules_matches_total":
			// The daemon numbers from 0, which is an emergency.
			if p, err := strconv.Atoi(labels["priority"]); err == nil {
				r := rules.of(labels["rule_name"])
				r.N, r.Priority, r.Source = v, Priority(8-min(max(p, 0), 7)).String(), labels["source"]
			}
		case "rule_events_total":
			r := rules.of(labels["rule_name"])
			r.Asked, r.Source = v, labels["source"]
		case "rule_cost_seconds_total":
			rules.of(labels["rule_name"]).Seconds = v
		}
	}
	for _, r := range rules {
		n.Rules = append(n.Rules, *r)
	}
	for _, r := range rings {
		n.Rings = append(n.Rings, *r)
	}
	slices.SortFunc(n.Rings, func(a, b Ring) int { return a.CPU - b.CPU })
	slices.SortFunc(n.Losses, func(a, b Loss) int { return cmp.Compare(b.N, a.N) })
	if len(n.Losses) > 100 {
		n.Losses = n.Losses[:100]
	}
}

// metricOf reads one line of a metrics page.
func metricOf(line string) (name string, labels map[string]string, v float64, ok bool) {
	if line == "" || line[0] == '#' {
		return "", nil, 0, false
	}
	i := strings.IndexAny(line, "{ ")
	if i < 0 {
		return "", nil, 0, false
	}
	name, line = line[:i], line[i:]
	labels = map[string]string{}
	if line[0] == '{' {
		line = line[1:]
		for !strings.HasPrefix(line, "}") {
			key, rest, found := strings.Cut(line, `="`)
			if !found {
				return "", nil, 0, false
			}
			var b strings.Builder
			j := 0
			for ; j < len(rest) && rest[j] != '"'; j++ {
				if rest[j] == '\\' && j+1 < len(rest) {
					if j++; rest[j] == 'n' {
						b.WriteByte('\n')
						continue
					}
				}
				b.WriteByte(rest[j])
			}
			if j == len(rest) {
				return "", nil, 0, false
			}
			labels[strings.Trim(key, ", ")] = b.String()
			line = strings.TrimPrefix(rest[j+1:], ",")
		}
		line = line[1:]
	}
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return "", nil, 0, false
	}
	v, ok = finite(fields[0])
	return name, labels, v, ok
}

// finite reads a number with which one can reckon on without coming to what JSON
// cannot say.
func finite(text string) (float64, bool) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(math.Abs(v) <= 1e30) {
		return 0, false
	}
	return v, true
}

type sensorsV2 struct {
	Items []*Sensor `json:"items"`
}

func (s *Server) listSensors(c *call) error {
	out := sensorsV2{Items: []*Sensor{}}
	s.sensors.mu.Lock()
	for _, n := range s.sensors.byHost {
		out.Items = append(out.Items, n)
	}
	s.sensors.mu.Unlock()
	slices.SortFunc(out.Items, func(a, b *Sensor) int { return strings.Compare(a.Host, b.Host) })
	text, err := json.Marshal(out)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, json.RawMessage(text))
}
