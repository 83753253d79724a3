// SPDX-License-Identifier: Apache-2.0

// Package metrics prints what others count: as the fields of a snapshot, and as
// a page for Prometheus. Names are those that dashboards know.
package metrics

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/falco-go/falco/pkg/alert"
)

// Options say which groups are printed, and how.
type Options struct {
	Rules, Resources, State, Kernel, PerCPU bool

	Megabytes bool // memory in MiB, not in KiB
	Empty     bool // counters that are 0 are printed too

	// Original makes the page as the original has it, for programs that scrape it. Without, the metrics whose names
	// promtool objects to are printed in a form that it likes.
	Original bool
}

// File is a file that has been read, with the sum of its content.
type File struct{ Name, SHA256 string }

// Rule is how often a rule has matched, and what it costs (rules.Cost).
type Rule struct {
	Name, Source string
	Priority     int
	Tags         []string
	Matches      uint64
	Asked        uint64  // events
	Cost         float64 // seconds
}

// Interface is one of the machine's, with its addresses.
type Interface struct{ Name, IPv4, IPv6 string }

// CPU is what the kernel has counted on one.
type CPU struct {
	ID          int
	Events      uint64
	Drops       uint64
	RingUsed    uint64
	RingSize    uint64
	HasRingFill bool
}

// Loss is how many events of a kind were lost for one reason.
type Loss struct {
	Event, Cause string
	Count        uint64
}

// Count is a counter under the name that the original has for it.
type Count struct {
	Name string
	N    uint64
}

// Canary is what has become of the system calls of our own that have to come back.
type Canary struct {
	Calls, Heard, Lost, Unanswered uint64  // the last one: one after the other, now
	Latency                        float64 // seconds, of the last one
}

// Output is what has become of the alerts for one.
type Output struct {
	Name                                             string
	Accepted, Sent, Failed, Dropped, Queued, Retried uint64

	HasSpool                                bool
	Backlog, Spooled, Capped, Aged, Damaged uint64
	SpoolBytes                              uint64
}

// Snapshot is everything at one moment.
type Snapshot struct {
	TimeNs   uint64
	Hostname string
	Source   string
	Version  string
	Engine   string
	Kernel   string // release

	StartNs, ReloadNs, BootNs uint64
	DurationSec               uint64
	CPUs                      int
	Interfaces                []Interface
	RuleFiles, ConfigFiles    []File

	Events, Alerts uint64 // that came to the rules; that came of it
	Rules          []Rule
	Outputs        []Output
	Reloads        uint64
	ReloadsFailed  uint64

	Resources Resources

	Threads, FDs                                uint64
	ThreadsEvicted, FDsEvicted                  uint64
	StateBytes                                  uint64  // that the tables take
	State                                       []Count // what has become of their records
	ProcLookups, ProcLookupsMissed, ProcRefused uint64  // tasks read from /proc: all, those not there; those for which there was no time

	// Events that waited for what is told of their containers: all, those that did so
	// in vain, and those for which there was no room.
	Deferred, DeferredLate, DeferredOver uint64
	DeferredLongest                      float64 // seconds that one of them was held

	Seen, Lost                    uint64
	LostFull, LostNested, LostBug uint64 // all of Lost: for want of room, within another event, for any other reason
	LostKinds                     [len(Kinds)]uint64
	Losses                        []Loss
	Gaps                          uint64  // places in the stream where something is missing
	Lag                           float64 // seconds that the loop is behind
	Canary                        *Canary // nil if there is none
	PerCPU                        []CPU
	KernelModule                  bool

	Prev *Snapshot // nil in the first one
}

// Kinds are what lost events are told apart by.
var Kinds = [...]string{"clone_fork", "execve", "connect", "open", "dir_file", "other_interest", "close", "proc"}

// Resources is what the process and the machine use.
type Resources struct {
	CPU, HostCPU    float64 // percent of one CPU since the start; of the machine since its
	RSS, VSZ, PSS   uint64  // bytes
	Cgroup          uint64
	HostUsed        uint64
	ProcsRunning    uint64
	OpenFDs         uint64
	Goroutines      uint64
	HeapBytes       uint64
	CgroupAvailable bool
}

// Sanitize makes a part of a name of any text.
func Sanitize(s string) string {
	var b strings.Builder
	under := false
	for _, r := range s {
		ok := r == ':' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if ok {
			b.WriteRune(r)
		} else if !under {
			b.WriteByte('_')
		}
		under = !ok
	}
	return strings.TrimRight(b.String(), "_")
}

// fields collects what a snapshot says.
type fields struct {
	list  []alert.Field
	empty bool
}

// always adds what is there whatever it is.
func (f *fields) always(key string, v any) { f.list = append(f.list, alert.Field{Key: key, Value: v}) }

// count adds a counter, if it is not 0 or if those are wanted.
func (f *fields) count(key string, n uint64) {
	if n > 0 || f.empty {
		f.always(key, n)
	}
}

func (f *fields) decimal(key string, v float64) {
	if v != 0 || f.empty {
		f.always(key, round(v))
	}
}

func round(v float64) float64 { return math.Round(v*10) / 10 }

// Fields returns the snapshot as the fields of an alert.
func (s *Snapshot) Fields(o Options) []alert.Field {
	f := &fields{empty: o.Empty}
	f.always("evt.time", s.TimeNs)
	f.always("evt.hostname", s.Hostname)
	f.always("evt.source", s.Source)
	f.always("falco.version", s.Version)
	f.always("falco.start_ts", s.StartNs)
	f.always("falco.reload_ts", s.ReloadNs)
	f.always("falco.duration_sec", s.DurationSec)
	f.always("falco.kernel_release", s.Kernel)
	f.always("falco.host_boot_ts", s.BootNs)
	f.always("falco.host_num_cpus", uint64(s.CPUs))
	f.always("scap.engine_name", s.Engine)
	for _, i := range s.Interfaces {
		for _, p := range []struct{ name, text string }{{"ipv4", i.IPv4}, {"ipv6", i.IPv6}} {
			if p.text != "" {
				f.always("falco.host_netinfo.interfaces."+Sanitize(i.Name)+".protocols."+p.name+".addresses", p.text)
			}
		}
	}
	for _, r := range s.RuleFiles {
		f.always("falco.sha256_rules_file."+Sanitize(r.Name), r.SHA256)
	}
	for _, r := range s.ConfigFiles {
		f.always("falco.sha256_config_file."+Sanitize(r.Name), r.SHA256)
	}
	f.count("falco.outputs_queue_num_drops", s.outputDrops())
	f.always("falco.num_evts", s.Events)
	seconds := 0.0
	if p := s.Prev; p != nil {
		seconds = float64(s.TimeNs-p.TimeNs) / 1e9
		f.count("falco.num_evts_prev", p.Events)
		if seconds > 0 {
			f.decimal("falco.evts_rate_sec", float64(s.Events-p.Events)/seconds)
		}
	}
	if o.Rules {
		f.count("falco.rules.matches_total", s.Alerts)
		for _, r := range s.Rules {
			f.count("falco.rules."+Sanitize(r.Name), r.Matches)
		}
		s.costliest(f)
	}
	if o.Resources {
		s.resources(f, o)
	}
	if o.State {
		f.count("falco.n_threads", s.Threads)
		f.count("falco.n_fds", s.FDs)
		for _, c := range s.State {
			f.count("falco.n_"+c.Name, c.N)
		}
		f.count("falco.n_proc_lookups", s.ProcLookups)
		f.count("falco.n_proc_lookups_missed", s.ProcLookupsMissed)
		f.count("falco.n_proc_lookups_refused", s.ProcRefused)
		f.count("falco.n_deferred", s.Deferred)
		f.count("falco.n_deferred_late", s.DeferredLate)
		f.count("falco.n_deferred_overflow", s.DeferredOver)
		f.decimal("falco.deferred_longest_ms", s.DeferredLongest*1e3)
	}
	s.kernel(f, o, seconds)
	return f.list
}

// toldCosts is how many rules' costs a snapshot tells; the page for Prometheus has all.
const toldCosts = 100

// costliest tells what those rules cost that cost most, so that a snapshot of many thousand rules stays one alert.
func (s *Snapshot) costliest(f *fields) {
	list := slices.Clone(s.Rules)
	slices.SortStableFunc(list, func(a, b Rule) int { return cmp.Compare(b.Cost, a.Cost) })
	for _, r := range list[:min(toldCosts, len(list))] {
		if r.Asked > 0 {
			f.always("falco.rule_cost_us."+Sanitize(r.Name), uint64(math.Round(r.Cost*1e6)))
			f.always("falco.rule_events."+Sanitize(r.Name), r.Asked)
		}
	}
}

func (s *Snapshot) outputDrops() (n uint64) {
	for _, q := range s.Outputs {
		n += q.Dropped
	}
	return n
}

func (s *Snapshot) resources(f *fields, o Options) {
	memory := func(key string, bytes uint64) {
		if o.Megabytes {
			f.decimal(key+"_mb", float64(bytes)/(1<<20))
		} else {
			f.count(key+"_kb", bytes>>10)
		}
	}
	r := &s.Resources
	f.decimal("falco.cpu_usage_perc", r.CPU)
	f.decimal("falco.host_cpu_usage_perc", r.HostCPU)
	memory("falco.memory_rss", r.RSS)
	memory("falco.memory_vsz", r.VSZ)
	memory("falco.memory_pss", r.PSS)
	memory("falco.host_memory_used", r.HostUsed)
	switch {
	case !r.CgroupAvailable:
	case o.Megabytes:
		f.decimal("falco.container_memory_used_mb", float64(r.Cgroup)/(1<<20))
	default:
		f.count("falco.container_memory_used_bytes", r.Cgroup)
	}
	f.count("falco.host_procs_running", r.ProcsRunning)
	f.count("falco.host_open_fds", r.OpenFDs)
}

func (s *Snapshot) kernel(f *fields, o Options, seconds float64) {
	if p := s.Prev; p != nil && s.Seen > p.Seen {
		f.always("scap.n_drops_perc", round(100*float64(s.Lost-p.Lost)/float64(s.Seen-p.Seen)))
	} else {
		f.always("scap.n_drops_perc", 0.0)
	}
	if !o.Kernel || !s.KernelModule {
		return
	}
	f.count("scap.n_evts", s.Seen)
	f.count("scap.n_drops", s.Lost)
	f.count("scap.n_drops_buffer_total", s.LostFull)
	f.count("scap.n_drops_page_faults", 0) // no event is lost by one
	f.count("scap.n_drops_bug", s.LostBug)
	f.count("scap.n_preemptions", s.LostNested)
	for i, k := range Kinds {
		f.count("scap.n_drops_buffer_"+k+"_exit", s.LostKinds[i])
	}
	if p := s.Prev; p != nil && seconds > 0 {
		f.count("scap.n_evts_prev", p.Seen)
		f.count("scap.n_drops_prev", p.Lost)
		f.decimal("scap.evts_rate_sec", float64(s.Seen-p.Seen)/seconds)
		f.decimal("scap.evts_drop_rate_sec", float64(s.Lost-p.Lost)/seconds)
	}
	if o.PerCPU {
		for _, c := range s.PerCPU {
			f.count(fmt.Sprintf("scap.n_evts_dev_%d", c.ID), c.Events)
			f.count(fmt.Sprintf("scap.n_drops_dev_%d", c.ID), c.Drops)
			if c.HasRingFill {
				f.count(fmt.Sprintf("scap.ring_used_bytes_dev_%d", c.ID), c.RingUsed)
				f.count(fmt.Sprintf("scap.ring_size_bytes_dev_%d", c.ID), c.RingSize)
			}
		}
	}
}
