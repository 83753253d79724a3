// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// ContentType is that of the page.
const ContentType = "text/plain; version=0.0.4"

// Scrapes reports whether it is a program that asks for the page, for which it is to be Options.Original: all
// that read metrics name the format that they want.
func Scrapes(h http.Header) bool {
	accept := strings.Join(h.Values("Accept"), ",")
	return strings.Contains(accept, "text/plain") || strings.Contains(accept, "openmetrics")
}

const help = "https://falco.org/docs/metrics/"

// page writes families of samples.
type page struct {
	w        io.Writer
	original bool
	last     string // family that HELP and TYPE were written for
}

// sample writes one line. Labels are pairs of names and values.
func (p *page) sample(name, kind, value string, labels ...string) {
	name = "falcosecurity_" + name
	if name != p.last {
		fmt.Fprintf(p.w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
		p.last = name
	}
	io.WriteString(p.w, name)
	for i := 0; i+1 < len(labels); i += 2 {
		sep := ","
		if i == 0 {
			sep = "{"
		}
		fmt.Fprintf(p.w, `%s%s="%s"`, sep, labels[i], escape.Replace(strings.ToValidUTF8(labels[i+1], "\uFFFD")))
	}
	if len(labels) > 0 {
		io.WriteString(p.w, "}")
	}
	fmt.Fprintf(p.w, " %s\n", value)
}

var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func (p *page) gauge(name string, v uint64, labels ...string) {
	p.sample(name, "gauge", strconv.FormatUint(v, 10), labels...)
}

func (p *page) counter(name string, v uint64, labels ...string) {
	p.sample(name, "counter", strconv.FormatUint(v, 10), labels...)
}

func (p *page) decimal(name string, v float64, labels ...string) {
	p.sample(name, "gauge", strconv.FormatFloat(v, 'f', 6, 64), labels...)
}

// total is a gauge with a name that ends as that of a counter. promtool does not
// like that, unless nothing is said of its type.
func (p *page) total(name string, v uint64) {
	kind := "untyped"
	if p.original {
		kind = "gauge"
	}
	p.sample(name+"_total", kind, strconv.FormatUint(v, 10))
}

// moment is a point in time. The original has it in nanoseconds; of these
// promtool likes no form.
func (p *page) moment(name string, ns uint64) {
	if p.original {
		p.gauge(name+"_timestamp_nanoseconds", ns)
	}
	p.decimal(name+"_timestamp_seconds", float64(ns)/1e9)
}

// Prometheus writes the page. Units are base units, whatever o says.
func (s *Snapshot) Prometheus(w io.Writer, o Options) {
	p := &page{w: w, original: o.Original}
	p.gauge("falco_version_info", 1, "version", s.Version)
	for _, f := range s.RuleFiles {
		p.gauge("falco_sha256_rules_files_info", 1, "file_name", f.Name, "sha256", f.SHA256)
	}
	for _, f := range s.ConfigFiles {
		p.gauge("falco_sha256_config_files_info", 1, "file_name", f.Name, "sha256", f.SHA256)
	}
	p.gauge("falco_kernel_release_info", 1, "kernel_release", s.Kernel)
	p.gauge("evt_hostname_info", 1, "hostname", s.Hostname)
	p.gauge("scap_engine_name_info", 1, "engine_name", s.Engine, "evt_source", s.Source)
	p.counter("falco_outputs_queue_num_drops_total", s.outputDrops())
	p.moment("falco_reload", s.ReloadNs)
	p.moment("falco_start", s.StartNs)
	p.counter("falco_duration_seconds_total", s.DurationSec)
	p.moment("falco_host_boot", s.BootNs)
	p.total("falco_host_num_cpus", uint64(s.CPUs))
	if o.Rules {
		for _, r := range s.Rules {
			if r.Matches == 0 && !o.Empty {
				continue
			}
			labels := []string{"priority", strconv.Itoa(r.Priority), "rule_name", r.Name, "source", r.Source}
			seen := map[string]bool{}
			for _, t := range r.Tags {
				if name := "tag_" + Sanitize(strings.ReplaceAll(t, ":", "_")); !seen[name] {
					seen[name] = true
					labels = append(labels, name, "true")
				}
			}
			p.counter("falco_rules_matches_total", r.Matches, labels...)
		}
	}
	if o.Resources {
		r := &s.Resources
		p.decimal("falco_cpu_usage_ratio", r.CPU/100)
		p.decimal("falco_memory_rss_bytes", float64(r.RSS))
		p.decimal("falco_memory_vsz_bytes", float64(r.VSZ))
		p.decimal("falco_memory_pss_bytes", float64(r.PSS))
		if r.CgroupAvailable {
			p.gauge("falco_container_memory_used_bytes", r.Cgroup)
		}
		p.decimal("falco_host_cpu_usage_ratio", r.HostCPU/100)
		p.decimal("falco_host_memory_used_bytes", float64(r.HostUsed))
		p.total("falco_host_procs_running", r.ProcsRunning)
		p.total("falco_host_open_fds", r.OpenFDs)
	}
	if o.State {
		p.total("scap_n_threads", s.Threads)
		p.total("scap_n_fds", s.FDs)
		for _, c := range s.State {
			p.counter("scap_n_"+c.Name+"_total", c.N)
		}
		p.counter("falco_proc_lookups_total", s.ProcLookups)
		p.counter("falco_proc_lookups_missed_total", s.ProcLookupsMissed)
		p.counter("falco_proc_lookups_refused_total", s.ProcRefused)
		p.counter("falco_n_deferred_total", s.Deferred)
		p.counter("falco_n_deferred_late_total", s.DeferredLate)
		p.counter("falco_n_deferred_overflow_total", s.DeferredOver)
		p.decimal("falco_deferred_longest_seconds", s.DeferredLongest)
	}
	if o.Kernel && s.KernelModule {
		p.counter("scap_n_evts_total", s.Seen)
		p.counter("scap_n_drops_total", s.Lost)
		if o.PerCPU {
			for _, c := range s.PerCPU {
				p.counter("scap_n_evts_cpu_total", c.Events, "cpu", strconv.Itoa(c.ID))
			}
			for _, c := range s.PerCPU {
				p.counter("scap_n_drops_cpu_total", c.Drops, "cpu", strconv.Itoa(c.ID))
			}
		}
		for i, k := range Kinds {
			p.counter("scap_n_drops_buffer_total", s.LostKinds[i], "dir", "exit", "drop", k)
		}
		for _, k := range Kinds[:6] {
			p.counter("scap_n_drops_buffer_total", 0, "dir", "enter", "drop", k)
		}
		p.counter("scap_n_drops_page_faults_total", 0) // no event is lost by one
		p.counter("scap_n_drops_bug_total", s.LostBug)
		p.counter("scap_n_preemptions_total", s.LostNested)
	}
	s.own(p, o)
}

// own writes what the original does not have.
func (s *Snapshot) own(p *page, o Options) {
	if o.Rules {
		s.costs(p, o)
	}
	for _, c := range s.PerCPU {
		if c.HasRingFill {
			p.gauge("falco_ring_used_bytes", c.RingUsed, "cpu", strconv.Itoa(c.ID))
		}
	}
	for _, c := range s.PerCPU {
		if c.HasRingFill {
			p.gauge("falco_ring_size_bytes", c.RingSize, "cpu", strconv.Itoa(c.ID))
		}
	}
	for _, l := range s.Losses {
		p.counter("falco_lost_events_total", l.Count, "event", l.Event, "cause", l.Cause)
	}
	if s.KernelModule {
		p.counter("falco_gaps_total", s.Gaps)
		p.decimal("falco_lag_seconds", s.Lag)
	}
	p.gauge("falco_state_bytes", s.StateBytes)
	p.counter("falco_threads_evicted_total", s.ThreadsEvicted)
	p.counter("falco_fds_evicted_total", s.FDsEvicted)
	if c := s.Canary; c != nil {
		p.counter("falco_canary_calls_total", c.Calls)
		p.counter("falco_canary_heard_total", c.Heard)
		p.counter("falco_canary_lost_total", c.Lost)
		p.gauge("falco_canary_unanswered", c.Unanswered)
		p.decimal("falco_canary_latency_seconds", c.Latency)
	}
	p.counter("falco_events_total", s.Events)
	p.counter("falco_alerts_total", s.Alerts)
	s.outputs(p)
	p.counter("falco_reloads_total", s.Reloads)
	p.counter("falco_reloads_failed_total", s.ReloadsFailed)
	p.gauge("falco_go_goroutines", s.Resources.Goroutines)
	p.gauge("falco_go_heap_bytes", s.Resources.HeapBytes)
}

// costs writes what each rule would take if it were the only one. What rules have in common is looked at once, so that
// all of them take less than the sum.
func (s *Snapshot) costs(p *page, o Options) {
	for _, r := range s.Rules {
		if r.Asked > 0 || o.Empty {
			p.sample("falco_rule_cost_seconds_total", "counter", strconv.FormatFloat(r.Cost, 'f', 9, 64), "rule_name", r.Name, "source", r.Source)
		}
	}
	for _, r := range s.Rules {
		if r.Asked > 0 || o.Empty {
			p.counter("falco_rule_events_total", r.Asked, "rule_name", r.Name, "source", r.Source)
		}
	}
}

// outputs writes what has become of alerts. For each output
//
//	backlog + accepted = the outcomes + queued + spooled
func (s *Snapshot) outputs(p *page) {
	each := func(f func(q *Output)) {
		for i := range s.Outputs {
			f(&s.Outputs[i])
		}
	}
	spooled := func(f func(q *Output)) {
		each(func(q *Output) {
			if q.HasSpool {
				f(q)
			}
		})
	}
	each(func(q *Output) { p.counter("falco_output_accepted_alerts_total", q.Accepted, "output", q.Name) })
	each(func(q *Output) {
		outcome := func(name string, n uint64) {
			p.counter("falco_output_alerts_total", n, "output", q.Name, "outcome", name)
		}
		outcome("delivered", q.Sent)
		outcome("failed", q.Failed)
		outcome("dropped", q.Dropped)
		if q.HasSpool {
			outcome("capped", q.Capped)
			outcome("aged", q.Aged)
			outcome("damaged", q.Damaged)
		}
	})
	each(func(q *Output) { p.gauge("falco_output_queued_alerts", q.Queued, "output", q.Name) })
	spooled(func(q *Output) { p.gauge("falco_output_spooled_alerts", q.Spooled, "output", q.Name) })
	spooled(func(q *Output) { p.gauge("falco_output_backlog_alerts", q.Backlog, "output", q.Name) })
	spooled(func(q *Output) { p.gauge("falco_output_spool_bytes", q.SpoolBytes, "output", q.Name) })
	spooled(func(q *Output) { p.counter("falco_output_retries_total", q.Retried, "output", q.Name) })
}
