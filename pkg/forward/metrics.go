// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"expvar"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/falco-go/falco/pkg/forward/event"
	"github.com/falco-go/falco/pkg/forward/output"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const prefix = "falcosecurity_falcosidekick_"

// metrics counts what dashboards know. Names and labels of the first three are the
// original's.
type metrics struct {
	f       *Forwarder
	reg     *prometheus.Registry
	handler http.Handler

	inputs  *prometheus.CounterVec
	outputs *prometheus.CounterVec
	events  *prometheus.CounterVec
	dups    prometheus.Counter
	seconds *prometheus.HistogramVec
	batch   *prometheus.HistogramVec

	labels []label // of events
	max    int
	mu     sync.Mutex
	series map[string]prometheus.Counter

	byPriority [event.Emergency + 1]atomic.Uint64
	byOutput   sync.Map // name → *tally
}

// label is a label of falco_events_total, and where its value comes from.
type label struct {
	name, field string
	on          bool
}

// tally is what expvar says of an output.
type tally struct{ ok, err atomic.Uint64 }

// eventLabels are those that every event has.
var eventLabels = []label{{"hostname", "", true}, {"rule", "", true}, {"priority", "", true}, {"priority_raw", "", true}, {"source", "", true},
	{"k8s_ns_name", "k8s.ns.name", true}, {"k8s_pod_name", "k8s.pod.name", true}}

func newMetrics(cfg *Config, f *Forwarder) *metrics {
	m := &metrics{f: f, reg: prometheus.NewRegistry(), max: cfg.Metrics.MaxSeries, series: map[string]prometheus.Counter{}}
	m.labels = append(m.labels, eventLabels...)
	extra := slices.Concat(sortedKeys(cfg.CustomFields), sortedKeys(cfg.TemplatedFields), cfg.Prometheus.ExtraLabels)
	for _, field := range extra {
		name := labelName(field)
		if name == "" || slices.ContainsFunc(m.labels, func(l label) bool { return l.name == name }) {
			continue
		}
		m.labels = append(m.labels, label{name, field, true})
	}
	var names []string
	for i := range m.labels {
		l := &m.labels[i]
		l.on = len(cfg.Metrics.Labels) == 0 || slices.Contains(cfg.Metrics.Labels, l.name)
		names = append(names, l.name)
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + name, Help: help}, labels)
		m.reg.MustRegister(c)
		return c
	}
	m.inputs = counter("inputs_total", "Events that came in.", "source", "status")
	m.outputs = counter("outputs_total", "Events that outputs have sent, and tried to send in vain.", "destination", "status")
	m.events = counter("falco_events_total", "Events by what they say.", names...)
	m.dups = prometheus.NewCounter(prometheus.CounterOpts{Name: prefix + "input_duplicates_total", Help: "Events that were here already."})
	m.seconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: prefix + "output_send_duration_seconds", Help: "Time of one attempt.",
		Buckets: prometheus.ExponentialBuckets(0.001, 4, 9)}, []string{"destination"})
	m.batch = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: prefix + "output_batch_events", Help: "Events of one attempt.",
		Buckets: prometheus.ExponentialBuckets(1, 4, 8)}, []string{"destination"})
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: prefix + "build_info", Help: "The version.",
		ConstLabels: prometheus.Labels{"version": f.version, "goversion": runtime.Version()}})
	build.Set(1)
	m.reg.MustRegister(m.dups, m.seconds, m.batch, build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		(*outputCollector)(m))
	for _, s := range []string{"accepted", "rejected"} {
		m.inputs.WithLabelValues("requests", s)
	}
	m.handler = promhttp.HandlerFor(m.reg, promhttp.HandlerOpts{ErrorLog: nil, ErrorHandling: promhttp.ContinueOnError})
	return m
}

func sortedKeys(m map[string]string) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// labelName makes a legal label of a field's name, "" if there is none.
func labelName(field string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_':
			return r
		case r == '.', r == '-', r == '/', r == ':':
			return '_'
		}
		return -1
	}, field)
	if name == "" || name[0] >= '0' && name[0] <= '9' || strings.HasPrefix(name, "__") {
		return ""
	}
	return name
}

// overflow is the value of each label of the series that stands for all that are too many.
const overflow = "overflow"

// values returns the labels of an event.
func (m *metrics) values(e *event.Event) []string {
	values := make([]string, len(m.labels))
	for i, l := range m.labels {
		if l.on {
			values[i] = strings.ToValidUTF8(m.value(e, l), "\ufffd")
		}
	}
	return values
}

// event counts one that was accepted.
func (m *metrics) event(p event.Priority, values []string) {
	m.byPriority[min(p, event.Emergency)].Add(1)
	key := strings.Join(values, "\x00")
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.series[key]
	if !ok {
		if m.max > 0 && len(m.series) >= m.max {
			for i := range values {
				values[i] = overflow
			}
		}
		c = m.events.WithLabelValues(values...)
		if values[0] != overflow {
			m.series[key] = c
		}
	}
	c.Inc()
}

const maxLabel = 256

func (m *metrics) value(e *event.Event, l label) string {
	switch l.name {
	case "hostname":
		if e.Hostname == "" {
			return "unknown"
		}
		return event.Shorten(e.Hostname, maxLabel)
	case "rule":
		return event.Shorten(e.Rule, maxLabel)
	case "priority":
		return strconv.Itoa(int(e.Priority))
	case "priority_raw":
		return e.Priority.Lower()
	case "source":
		return event.Shorten(e.Source, maxLabel)
	}
	v, _ := e.Fields.Get(l.field)
	text, _ := event.Field{Value: v}.Text()
	return event.Shorten(text, maxLabel)
}

// input counts events that came in.
func (m *metrics) input(source, status string, n int, why string) {
	m.inputs.WithLabelValues(source, status).Add(float64(n))
	var tags []output.Tag
	if why != "" {
		tags = append(tags, output.Tag{Key: "error", Value: why})
	}
	m.f.count("inputs."+source+"."+status, n, tags...)
}

func (m *metrics) tally(name string) *tally {
	t, ok := m.byOutput.Load(name)
	if !ok {
		t, _ = m.byOutput.LoadOrStore(name, &tally{})
	}
	return t.(*tally)
}

// output counts events that were sent, or not.
func (m *metrics) output(d *delivery, status string, n int) {
	name := d.inst.Destination()
	m.outputs.WithLabelValues(name, status).Add(float64(n))
	if t := m.tally(name); status == "ok" {
		t.ok.Add(uint64(n))
	} else {
		t.err.Add(uint64(n))
	}
	m.f.count("outputs", n, output.Tag{Key: "output", Value: name}, output.Tag{Key: "status", Value: status})
}

func (m *metrics) sent(d *delivery, took time.Duration, n int) {
	m.seconds.WithLabelValues(d.inst.Destination()).Observe(took.Seconds())
	m.batch.WithLabelValues(d.inst.Destination()).Observe(float64(n))
}

// outputCollector reads the books when somebody asks.
type outputCollector metrics

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prefix+name, help, labels, nil)
}

var (
	descQueue   = desc("output_queue_events", "Events that wait for an output.", "destination")
	descBytes   = desc("output_queue_bytes", "Bytes of the spool that hold events for an output, at most.", "destination")
	descAge     = desc("output_oldest_event_age_seconds", "How long the oldest of them waits.", "destination")
	descRetries = desc("output_retries_total", "Events that were tried again.", "destination")
	descDead    = desc("output_dead_letter_total", "Events that an output has refused for good.", "destination")
	descDeadNow = desc("output_dead_letters", "Dead letters that lie there.", "destination")
	descDropped = desc("output_dropped_total", "Events that were dropped.", "destination", "reason")
	descFilter  = desc("output_filtered_total", "Events that were not for this output.", "destination")
	descDeliver = desc("output_delivered_total", "Events that an output has delivered.", "destination")
	descState   = desc("output_state", "1 for the state that an output is in.", "destination", "state")
	descInput   = desc("input_up", "1 if a source that is consumed is connected.", "source")
	descSpool   = desc("spool_bytes", "Bytes of the spool.")
	descFsync   = desc("spool_fsync_seconds", "Time that the disk took to make events durable.")
	descRefused = desc("spool_refused_total", "Events that the spool had no room for.")
	descTorn    = desc("spool_damaged_total", "Places of the spool that could not be read.")
	descFailure = desc("spool_failures_total", "Errors of the disk.")
)

// Describe implements prometheus.Collector.
func (c *outputCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descQueue, descBytes, descAge, descRetries, descDead, descDeadNow, descDropped, descFilter, descDeliver,
		descState, descInput, descSpool, descFsync, descRefused, descTorn, descFailure} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *outputCollector) Collect(ch chan<- prometheus.Metric) {
	run := c.f.live.Load()
	if run == nil {
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	st := c.f.sp.Stats()
	for _, d := range run.outs {
		b, name := d.books(), d.inst.Destination()
		gauge(descQueue, float64(b.Queued), name)
		bytes := 0.0
		if b.Queued > 0 {
			bytes = float64(st.Bytes)
		}
		gauge(descBytes, bytes, name)
		gauge(descAge, b.OldestAge.Seconds(), name)
		count(descRetries, float64(b.Retries), name)
		count(descDead, float64(b.Dead), name)
		gauge(descDeadNow, float64(b.DeadNow), name)
		count(descFilter, float64(b.Filtered), name)
		count(descDeliver, float64(b.Delivered), name)
		for _, reason := range dropReasons { // from the beginning, so that the first drop is a rise
			count(descDropped, float64(b.Dropped[reason]), name, reason)
		}
		for _, s := range States {
			on := 0.0
			if s == b.State {
				on = 1
			}
			gauge(descState, on, name, s)
		}
	}
	for _, k := range run.consumers {
		on := 0.0
		if up, _ := k.Up(); up {
			on = 1
		}
		gauge(descInput, on, k.Source)
	}
	gauge(descSpool, float64(st.Bytes))
	ch <- prometheus.MustNewConstSummary(descFsync, st.Syncs, st.SyncTime.Seconds(), nil)
	count(descRefused, float64(st.Refused))
	count(descTorn, float64(st.Damaged))
	count(descFailure, float64(st.Failures))
}

// vars is what /debug/vars says, under the original's names.
func (m *metrics) vars() map[string]any {
	prio := map[string]uint64{}
	for p := event.None; p <= event.Emergency; p++ {
		name := p.Lower()
		if p == event.None {
			name = "none"
		}
		prio[name] = m.byPriority[p].Load()
	}
	none := map[string]uint64{"total": 0, "rejected": 0, "accepted": 0}
	out := map[string]any{
		"goroutines": runtime.NumGoroutine(), "cpu": runtime.NumCPU(),
		"inputs.fifo": none, "inputs.grpc": none, "falco.priority": prio,
	}
	for _, in := range append([]*inputs{&m.f.requests}, m.f.consumed...) {
		if accepted, rejected := in.accepted.Load(), in.rejected.Load(); in == &m.f.requests || accepted+rejected > 0 {
			out["inputs."+in.name] = map[string]uint64{"total": accepted + rejected, "rejected": rejected, "accepted": accepted}
		}
	}
	m.byOutput.Range(func(name, t any) bool {
		ok, err := t.(*tally).ok.Load(), t.(*tally).err.Load()
		out["outputs."+name.(string)] = map[string]uint64{"total": ok + err, "error": err, "ok": ok}
		return true
	})
	for _, d := range m.f.live.Load().outs {
		if name := "outputs." + d.inst.Destination(); out[name] == nil {
			out[name] = map[string]uint64{"total": 0, "error": 0, "ok": 0}
		}
	}
	for _, name := range []string{"memstats", "cmdline"} {
		if v := expvar.Get(name); v != nil {
			out[name] = rawJSON(v.String())
		}
	}
	return out
}

type rawJSON string

// MarshalJSON returns the text as it is.
func (r rawJSON) MarshalJSON() ([]byte, error) { return []byte(r), nil }
