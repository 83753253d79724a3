// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/falco-go/falco/pkg/alert"
	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/metrics"
	"github.com/falco-go/falco/pkg/state"
)

// health is what the daemon tells about itself. The loop takes a snapshot of its
// counters when one is due, and once a second for the web server, which reads
// nothing but finished snapshots.
type health struct {
	interval time.Duration // of snapshots; 0 means none
	began    time.Time
	loaded   time.Time   // the configuration
	file     *os.File    // metrics.output_file
	due      *time.Timer // of the next snapshot, where time passes
	sample   int
	prev     *metrics.Snapshot
	files    [2][]metrics.File // of rules, of the configuration
	reloads  uint64
	refused  atomic.Uint64 // reloads

	latest atomic.Pointer[published]
	canary atomic.Pointer[canary] // nil if there is none

	quiet  int    // waits without an event, one after the other
	before uint64 // events at the last tick
	last   uint64 // time of the last event, ns
}

// published is a snapshot with how it is to be printed.
type published struct {
	metrics.Snapshot
	options metrics.Options
}

// complaint is why /healthz is red, "" if all is well.
func (h *health) complaint() string {
	if c := h.canary.Load(); c != nil {
		return c.complaint()
	}
	return ""
}

const minInterval = 100 * time.Millisecond

var durations = regexp.MustCompile(`^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$`)

// metricsInterval reads metrics.interval; 0 if there are no metrics.
func metricsInterval(c *config.Config) (time.Duration, error) {
	m := &c.Metrics
	if !m.Enabled {
		return 0, nil
	}
	if !m.Rule && m.File == "" && !c.Web.Prometheus {
		return 0, &failure{form: block, text: "Metrics are enabled with no output configured. Please enable at least one output channel ('metrics.output_rule', 'metrics.output_file' or 'webserver.prometheus_metrics_enabled')"}
	}
	var sum time.Duration
	const day = 24 * time.Hour
	units := []time.Duration{365 * day, 7 * day, day, time.Hour, time.Minute, time.Second, time.Millisecond}
	parts := durations.FindStringSubmatch(strings.Join(strings.Fields(m.Interval), ""))
	for i := 1; i < len(parts); i++ {
		n, err := strconv.ParseUint(parts[i], 10, 31)
		if parts[i] != "" && (err != nil || time.Duration(n) > (1<<62)/units[i-1]-sum/units[i-1]) {
			sum = 0
			break
		}
		sum += time.Duration(n) * units[i-1]
	}
	if sum < minInterval {
		return 0, &failure{form: block, text: "Metrics interval must have a minimum value of 100ms and reflect a Prometheus compliant time duration format: https://prometheus.io/docs/prometheus/latest/querying/basics/#time-durations. ",
			hint: "metrics.interval: 1h30m"}
	}
	return sum, nil
}

// startHealth makes ready what is told about ourselves.
func (d *daemon) startHealth() (err error) {
	h := &d.health
	h.began = time.Now()
	if h.interval, err = metricsInterval(d.cfg); err != nil {
		return err
	}
	if h.interval > 0 {
		d.log.infof("Setting metrics interval to %s, equivalent to %d (ms)", d.cfg.Metrics.Interval, h.interval.Milliseconds())
	}
	if d.opt.dryRun {
		return nil
	}
	if err := h.open(&d.cfg.Metrics); err != nil {
		return &failure{form: exiting, text: "metrics.output_file: " + err.Error()}
	}
	d.atEnd(func() { h.file.Close() }) // nil is fine
	h.describe(d)
	return nil
}

// open opens the file for snapshots in the place of the one that is open. If that
// fails, the one that is open stays.
func (h *health) open(m *config.Metrics) error {
	var f *os.File
	if m.Enabled && m.File != "" {
		var err error
		if f, err = os.OpenFile(m.File, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644); err != nil {
			return err
		}
	}
	h.file.Close()
	h.file = f
	return nil
}

// describe takes down which files are in force.
func (h *health) describe(d *daemon) {
	h.loaded = time.Now()
	h.files = [2][]metrics.File{}
	if !d.cfg.Metrics.Enabled {
		return
	}
	names := d.opt.rules
	if len(names) == 0 {
		names = d.cfg.RulesFiles
	}
	h.files[0] = sums(names)
	h.files[1] = sums(append([]string{d.path}, d.cfg.Includes...))
}

// reloaded follows a reload, before which there was another configuration. It runs in the loop.
func (h *health) reloaded(d *daemon, before *config.Config) {
	h.reloads++
	was := h.interval
	h.interval, _ = metricsInterval(d.cfg) // it was checked
	m := &d.cfg.Metrics
	if m.File != before.Metrics.File || m.Enabled != before.Metrics.Enabled {
		if err := h.open(m); err != nil {
			d.log.errorf("metrics.output_file: %v; it stays as it was", err)
		}
	}
	h.describe(d)
	if h.due != nil && (h.interval != was || m.Rule != before.Metrics.Rule || m.File != before.Metrics.File) {
		d.snapshotDue()
	}
}

// sums returns the files among names; folders are not looked into.
func sums(names []string) (out []metrics.File) {
	for _, n := range names {
		if st, err := os.Stat(n); err != nil || !st.Mode().IsRegular() {
			continue
		}
		if text, err := os.ReadFile(n); err == nil {
			sum := sha256.Sum256(text)
			out = append(out, metrics.File{Name: filepath.Base(n), SHA256: hex.EncodeToString(sum[:])})
		}
	}
	return out
}

func (d *daemon) metricsOptions() metrics.Options {
	m := &d.cfg.Metrics
	return metrics.Options{Rules: m.Rules, Resources: m.Resources, State: m.State, Kernel: m.Kernel, PerCPU: m.PerCPU,
		Megabytes: m.Megabytes, Empty: m.Empty}
}

// engineNames are what the original calls the kinds of engines.
var engineNames = map[string]string{config.KindKmod: "kmod", config.KindNone: "nodriver", config.KindReplay: "savefile"}

// snapshot looks at everything, at the given time. It runs in the loop.
func (d *daemon) snapshot(now uint64) *metrics.Snapshot {
	h, p := &d.health, &d.pipe
	s := &metrics.Snapshot{
		TimeNs: now, Hostname: d.hostname, Source: syscallSource, Version: version, Engine: engineNames[d.cfg.Engine.Kind],
		Kernel: kernelRelease(), StartNs: uint64(h.began.UnixNano()), ReloadNs: uint64(h.loaded.UnixNano()), BootNs: bootTime(),
		DurationSec: uint64(time.Since(h.began).Seconds()), CPUs: runtime.NumCPU(), Interfaces: interfaces(),
		RuleFiles: h.files[0], ConfigFiles: h.files[1], Events: p.num, Reloads: h.reloads, ReloadsFailed: h.refused.Load(),
		KernelModule: d.cfg.Engine.Kind == config.KindKmod,
	}
	costs := p.rules.Costs()
	for i, r := range p.rules.Rules {
		s.Alerts += p.counts[i]
		s.Rules = append(s.Rules, metrics.Rule{Name: r.Name, Source: r.Source, Priority: int(r.Priority), Tags: r.Tags, Matches: p.counts[i],
			Asked: costs[i].Events, Cost: costs[i].Time.Seconds()})
	}
	for _, q := range p.outputs {
		o := q.Stats()
		s.Outputs = append(s.Outputs, metrics.Output{Name: o.Name, Accepted: o.Accepted, Sent: o.Sent, Failed: o.Failed, Dropped: o.Dropped,
			Queued: o.Queued, Retried: o.Retried, HasSpool: o.HasSpool, Backlog: o.Backlog, Spooled: o.Spooled, Capped: o.Capped,
			Aged: o.Aged, Damaged: o.Damaged, SpoolBytes: uint64(o.Disk.Bytes)})
	}
	if d.cfg.Metrics.Resources {
		s.Resources = resources(h.began)
	}
	if p.state != nil {
		st := p.state.Stats()
		s.Threads, s.FDs, s.ThreadsEvicted, s.FDsEvicted = uint64(st.Threads), uint64(st.FDs), st.ThreadsEvicted, st.FDsEvicted
		s.StateBytes, s.State = uint64(st.Bytes), stateCounts(&st)
		s.ProcLookups, s.ProcLookupsMissed, s.ProcRefused = st.Lookups, st.LookupsMissed, st.LookupsRefused
		d := &p.later.stats
		s.Deferred, s.DeferredLate, s.DeferredOver = d.Deferred, d.Late+d.Missing, d.Overflow
		s.DeferredLongest = d.Longest.Seconds()
	}
	if d.cfg.Engine.Kind == config.KindNone { // our own tables are of no interest where nobody looks
		s.Threads, s.FDs = 0, 0
	}
	if l, err := p.source.Ledger(); err == nil && s.KernelModule {
		s.Seen, s.Lost, s.LostFull, s.LostNested = l.Seen, l.Lost.Total(), l.Lost.Full, l.Lost.Nested
		s.LostBug = l.Lost.NoMemory + l.Lost.NoRing + l.Lost.TooBig
	}
	if k, live := p.source.(*kmod); live {
		s.PerCPU, s.LostKinds, s.Losses = k.perCPU(), k.lostKinds(), k.losses()
		s.Gaps, s.Lag = d.drops.all.records, float64(k.lag)/1e9
	}
	if c := h.canary.Load(); c != nil {
		s.Canary = &metrics.Canary{Calls: c.calls.Load(), Heard: c.heard.Load(), Lost: c.lost.Load(), Unanswered: c.silent.Load(),
			Latency: float64(c.latency.Load()) / 1e9}
	}
	return s
}

// stateCounts are the counters of the tables, by the original's names. It keeps the
// records that were asked for last apart from the others; of ours, those are
// found without a search.
func stateCounts(st *state.Stats) []metrics.Count {
	return []metrics.Count{
		{Name: "noncached_fd_lookups", N: st.FDSearches}, {Name: "cached_fd_lookups", N: st.FDHits}, {Name: "failed_fd_lookups", N: st.FDMisses},
		{Name: "added_fds", N: st.FDsAdded}, {Name: "removed_fds", N: st.FDsRemoved},
		{Name: "stored_evts", N: st.Enters}, {Name: "store_evts_drops", N: st.EntersLost},
		{Name: "retrieved_evts", N: st.EntersUsed}, {Name: "retrieve_evts_drops", N: st.EntersMissed},
		{Name: "noncached_thread_lookups", N: st.ThreadSearches}, {Name: "cached_thread_lookups", N: st.ThreadHits},
		{Name: "failed_thread_lookups", N: st.ThreadMisses},
		{Name: "added_threads", N: st.ThreadsAdded}, {Name: "removed_threads", N: st.ThreadsRemoved},
		{Name: "drops_full_threadtable", N: st.ThreadsEvicted},
	}
}

// publish makes the latest counters known to the web server.
func (d *daemon) publish() {
	switch {
	case d.web == nil:
	case d.cfg.Metrics.Enabled && d.cfg.Web.Prometheus:
		d.health.latest.Store(&published{*d.snapshot(uint64(time.Now().UnixNano())), d.metricsOptions()})
	default:
		d.health.latest.Store(nil) // a reload may have ended it
	}
}

const metricsRule = "Falco internal: metrics snapshot"

// tellMetrics sends a snapshot to those who want it.
func (d *daemon) tellMetrics(now uint64) {
	h := &d.health
	s := d.snapshot(now)
	s.Prev = h.prev
	fields := s.Fields(d.metricsOptions())
	if d.cfg.Metrics.Rule {
		d.pipe.emit(&alert.Alert{TimeNs: now, Rule: metricsRule, Source: alert.Internal, Severity: alert.Severity(config.Info),
			Message: "Falco metrics snapshot", Fields: fields})
	}
	if h.file != nil {
		values := make(map[string]any, len(fields))
		for _, f := range fields {
			values[f.Key] = f.Value
		}
		line, err := json.Marshal(map[string]any{"output_fields": values, "sample": h.sample})
		if err == nil {
			_, err = h.file.Write(append(line, '\n'))
		}
		if err != nil {
			d.log.errorf("metrics.output_file: %v", err)
		}
	}
	h.sample++
	kept := *s
	kept.Prev = nil
	h.prev = &kept
}

// tellMetricsLive has the loop tell of itself now and after each interval. The
// loop does not run yet.
func (d *daemon) tellMetricsLive() {
	d.health.due = time.AfterFunc(0, func() {
		select {
		case d.mail <- d.snapshotDue:
		case <-d.stop:
		}
	})
	d.atEnd(func() { d.health.due.Stop() })
}

// snapshotDue tells how we are, and is called again after the interval. If nobody
// wants to know, it is not, until a reload finds somebody.
func (d *daemon) snapshotDue() {
	h := &d.health
	if h.interval == 0 || !d.cfg.Metrics.Rule && h.file == nil {
		h.due.Stop()
		return
	}
	h.due.Reset(h.interval)
	d.tellMetrics(uint64(time.Now().UnixNano()))
}

// waitTime is the length of a wait without an event, as the original has it.
const waitTime = 30 * time.Millisecond

// countQuiet tells when nothing has happened for long. It is called once a second.
func (d *daemon) countQuiet(now time.Time) {
	h := &d.health
	if d.pipe.num != h.before || d.cfg.Engine.Kind != config.KindKmod {
		h.before, h.quiet = d.pipe.num, 0
		return
	}
	h.quiet += int(time.Second / waitTime)
	if h.quiet <= d.cfg.MaxTimeouts {
		return
	}
	last := "none"
	if d.pipe.lastTS > 0 {
		last = strconv.FormatUint(d.pipe.lastTS, 10)
	}
	const rule = "Falco internal: timeouts notification"
	d.pipe.emit(&alert.Alert{TimeNs: uint64(now.UnixNano()), Rule: rule, Source: alert.Internal, Severity: alert.Severity(config.Debug),
		Message: fmt.Sprintf("%s. %d consecutive timeouts without event.", rule, h.quiet),
		Fields:  []alert.Field{{Key: "last_event_time", Value: last}}})
	h.quiet = 0
}

// interfaces lists the machine's, without those that lead back.
func interfaces() (out []metrics.Interface) {
	list, err := net.Interfaces()
	if err != nil {
		return nil
	}
	for _, i := range list {
		if i.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		var four, six []string
		for _, a := range addrs {
			ip, ok := a.(*net.IPNet)
			switch {
			case !ok:
			case ip.IP.To4() != nil:
				four = append(four, ip.IP.String())
			default:
				var parts []string
				for j := 0; j < len(ip.IP); j += 2 {
					parts = append(parts, strconv.FormatUint(uint64(ip.IP[j])<<8|uint64(ip.IP[j+1]), 16))
				}
				six = append(six, strings.Join(parts, ":"))
			}
		}
		out = append(out, metrics.Interface{Name: i.Name, IPv4: strings.Join(four, ","), IPv6: strings.Join(six, ",")})
	}
	return out
}
