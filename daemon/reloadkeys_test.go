// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/falco-go/falco/pkg/config"
	"github.com/falco-go/falco/pkg/state"
)

// reloadKeys holds for every key what a reload does that changes it, and the change. "now": it counts from the next event on.
// "restart NAME": it is told that NAME needs one. "nothing": there is nothing that could change.
const reloadKeys = `
append_output                                  now  append_output[0].extra_output=x
append_output[].extra_fields                   now  append_output[0].extra_fields[0]=proc.pid
append_output[].extra_output                   now  append_output[0].extra_output=x
append_output[].match.rule                     now  append_output[0].match.rule=r
append_output[].match.source                   now  append_output[0].match.source=syscall
append_output[].match.tags[]                   now  append_output[0].match.tags[0]=t
append_output[].suggested_output               now  append_output[0].suggested_output=true
base_syscalls.all                              now  base_syscalls.all=true
base_syscalls.custom_set[]                     now  base_syscalls.custom_set[0]=open
base_syscalls.repair                           now  base_syscalls.repair=true
buffer_format_base64                           now  buffer_format_base64=true
buffered_outputs                               now  buffered_outputs=true
canary_interval                                restart canary_interval  canary_interval=77
capture.default_duration                       now  capture.default_duration=77
capture.enabled                                now  capture.enabled=true
capture.max_events                             now  capture.max_events=77
capture.max_file_size_mb                       now  capture.max_file_size_mb=77
capture.mode                                   now  capture.mode=all_rules
capture.path_prefix                            now  capture.path_prefix=DIR/77
config_files[].path                            now  config_files[0].path=DIR/none.yaml
config_files[].strategy                        now  config_files[0]={"path":"DIR/none.yaml","strategy":"override"}
containers.engines                             restart containers  containers.engines.docker.enabled=false
containers.label_max_len                       restart containers  containers.label_max_len=77
containers.max_wait_ms                         now  containers.max_wait_ms=77
containers.profile                             restart containers.profile  containers.profile=classic
engine.kind                                    restart engine  engine.kind=kmod
engine.kmod.buf_size_preset                    restart engine  engine.kmod.buf_size_preset=7
engine.kmod.drop_failed_exit                   restart engine  engine.kmod.drop_failed_exit=true
engine.modern_ebpf.buf_size_preset             nothing  engine.modern_ebpf.buf_size_preset=7
engine.modern_ebpf.cpus_for_each_buffer        nothing  engine.modern_ebpf.cpus_for_each_buffer=7
engine.modern_ebpf.disable_iterators           nothing  engine.modern_ebpf.disable_iterators=true
engine.modern_ebpf.drop_failed_exit            nothing  engine.modern_ebpf.drop_failed_exit=true
engine.replay.capture_file                     restart engine  engine.replay.capture_file=77
falco_libs.snaplen                             restart falco_libs.snaplen  falco_libs.snaplen=77
falco_libs.thread_table_auto_purging_interval_s          nothing  falco_libs.thread_table_auto_purging_interval_s=77
falco_libs.thread_table_auto_purging_thread_timeout_s    nothing  falco_libs.thread_table_auto_purging_thread_timeout_s=77
falco_libs.thread_table_size                   restart falco_libs.thread_table_size  falco_libs.thread_table_size=77
file_output.enabled                            now  file_output.enabled=false
file_output.filename                           now  file_output.filename=DIR/77
file_output.keep_alive                         now  file_output.keep_alive=true
file_output.spool                              now  file_output.spool=true
http_output.ca_bundle                          now  http_output.ca_bundle=77
http_output.ca_cert                            now  http_output.ca_cert=77
http_output.ca_path                            now  http_output.ca_path=77
http_output.client_cert                        now  http_output.client_cert=77
http_output.client_key                         now  http_output.client_key=77
http_output.compress_uploads                   now  http_output.compress_uploads=true
http_output.echo                               now  http_output.echo=true
http_output.enabled                            now  http_output.enabled=false
http_output.insecure                           now  http_output.insecure=true
http_output.keep_alive                         now  http_output.keep_alive=true
http_output.max_consecutive_timeouts           now  http_output.max_consecutive_timeouts=77
http_output.mtls                               now  http_output.mtls=true
http_output.spool                              now  http_output.spool=true
http_output.url                                now  http_output.url=http://127.0.0.1:2/
http_output.user_agent                         now  http_output.user_agent=77
json_include_message_property                  now  json_include_message_property=true
json_include_output_fields_property            now  json_include_output_fields_property=false
json_include_output_property                   now  json_include_output_property=false
json_include_tags_property                     now  json_include_tags_property=false
json_include_uuid_property                     now  json_include_uuid_property=true
json_output                                    now  json_output=true
libs_logger.enabled                            nothing  libs_logger.enabled=false
libs_logger.severity                           nothing  libs_logger.severity=debug
load_plugins[]                                 nothing  load_plugins[0]=container
log_level                                      now  log_level=debug
log_stderr                                     now  log_stderr=false
log_syslog                                     now  log_syslog=true
metrics.convert_memory_to_mb                   now  metrics.convert_memory_to_mb=false
metrics.enabled                                now  metrics.enabled=false
metrics.include_empty_values                   now  metrics.include_empty_values=true
metrics.interval                               now  metrics.interval=77s
metrics.jemalloc_stats_enabled                 nothing  metrics.jemalloc_stats_enabled=false
metrics.kernel_event_counters_enabled          now  metrics.kernel_event_counters_enabled=false
metrics.kernel_event_counters_per_cpu_enabled  now  metrics.kernel_event_counters_per_cpu_enabled=false
metrics.kernel_iter_event_counters_enabled     nothing  metrics.kernel_iter_event_counters_enabled=false
metrics.libbpf_stats_enabled                   nothing  metrics.libbpf_stats_enabled=false
metrics.output_file                            now  metrics.output_file=DIR/77
metrics.output_rule                            now  metrics.output_rule=false
metrics.plugins_metrics_enabled                nothing  metrics.plugins_metrics_enabled=false
metrics.resource_utilization_enabled           now  metrics.resource_utilization_enabled=false
metrics.rules_counters_enabled                 now  metrics.rules_counters_enabled=false
metrics.state_counters_enabled                 now  metrics.state_counters_enabled=false
output_timeout                                 now  output_timeout=77
outputs_queue.capacity                         now  outputs_queue.capacity=77
outputs_spool.max_age                          restart outputs_spool  outputs_spool.max_age=77s
outputs_spool.max_size_mb                      restart outputs_spool  outputs_spool.max_size_mb=77
outputs_spool.path                             restart outputs_spool  outputs_spool.path=DIR/77
outputs_spool.sync_interval                    restart outputs_spool  outputs_spool.sync_interval=77
plugins                                        nothing  plugins[0].name=x
plugins_hostinfo                               nothing  plugins_hostinfo=false
priority                                       now  priority=error
program_output.enabled                         now  program_output.enabled=false
program_output.keep_alive                      now  program_output.keep_alive=true
program_output.program                         now  program_output.program=true
program_output.spool                           now  program_output.spool=true
rule_files[]                                   nothing  rule_files[0]=77
rule_matching                                  now  rule_matching=all
rules                                          now  rules[0].disable.rule=r
rules[].disable.rule                           now  rules[0].disable.rule=r
rules[].disable.tag                            now  rules[0].disable.tag=t
rules[].enable.rule                            now  rules[0].enable.rule=off
rules[].enable.tag                             now  rules[0].enable.tag=t
rules_files[]                                  now  rules_files[0]=DIR/77.yaml
state_socket                                   restart state_socket  state_socket=DIR/77
static_fields                                  now  static_fields.a=b
stdout_output.enabled                          now  stdout_output.enabled=false
stdout_output.spool                            now  stdout_output.spool=true
strict_upstream                                now  strict_upstream=true
syscall_event_drops.actions[]                  now  syscall_event_drops.actions[0]=log
syscall_event_drops.max_burst                  now  syscall_event_drops.max_burst=77
syscall_event_drops.rate                       now  syscall_event_drops.rate=.77
syscall_event_drops.simulate_drops             now  syscall_event_drops.simulate_drops=true
syscall_event_drops.threshold                  now  syscall_event_drops.threshold=.77
syscall_event_timeouts.max_consecutives        now  syscall_event_timeouts.max_consecutives=77
syslog_output.enabled                          now  syslog_output.enabled=true
syslog_output.spool                            now  syslog_output.spool=true
time_format_iso_8601                           now  time_format_iso_8601=true
watch_config_files                             restart watch_config_files  watch_config_files=true
webserver.enabled                              now  webserver.enabled=false
webserver.k8s_healthz_endpoint                 now  webserver.k8s_healthz_endpoint=/77
webserver.listen_address                       now  webserver.listen_address=127.0.0.7
webserver.listen_port                          now  webserver.listen_port=PORT
webserver.prometheus_metrics_enabled           now  webserver.prometheus_metrics_enabled=true
webserver.ssl_certificate                      now  webserver.ssl_certificate=77
webserver.ssl_enabled                          now  webserver={"enabled":true,"listen_address":"127.0.0.1","listen_port":0,"ssl_enabled":true,"ssl_certificate":"DIR/none.pem"}
webserver.threadiness                          now  webserver.threadiness=77
`

// changed is a daemon before and after a reload that changed one key. Its loop does not run: the test is the loop.
type changed struct {
	*daemon
	log    *watchedLog
	before daemon
}

// runs reports whether the nth rule is enabled.
func (c *changed) runs(n int) bool { return c.set.Runs(c.set.Rules[n]) }

// freePort returns one that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// change makes a daemon, and reloads it with one override more.
func change(t *testing.T, dir, override string) *changed {
	t.Helper()
	log := &watchedLog{more: make(chan struct{}, 1)}
	c := &changed{log: log, daemon: &daemon{stdout: io.Discard, stderr: log, log: newLogger(log), path: filepath.Join(dir, "falco.yaml"),
		opt: &opts{}, stop: make(chan struct{}), mail: make(chan func(), 16)}}
	d := c.daemon
	for _, step := range []func(*daemon) error{(*daemon).loadConfig, (*daemon).loadRules, (*daemon).startOutputs, (*daemon).selectCalls, (*daemon).startHealth, (*daemon).startWeb} {
		if err := step(d); err != nil {
			t.Fatal(err)
		}
	}
	d.silent = true
	t.Cleanup(func() { d.end(); d.unwind() })
	d.pipe.source, d.pipe.state, d.pipe.stop = nothing{}, state.New(state.Options{}), d.stop
	d.pipe.swap(d.set)
	d.tellMetricsLive()
	d.useCaptures(&d.cfg.Capture)
	d.pipe.later.wait = time.Duration(d.cfg.Containers.MaxWaitMs) * time.Millisecond
	c.before = daemon{cfg: d.cfg, web: d.web, set: d.set, calls: d.calls, channels: d.channels}
	c.before.health.file, c.before.health.interval = d.health.file, d.health.interval
	d.opt.override = []string{strings.NewReplacer("DIR", dir, "PORT", freePort(t)).Replace(override)}
	next, err := d.prepare()
	if err != nil {
		t.Fatalf("%s: %v", override, err)
	}
	d.log.configure(next.cfg)
	d.adopt(next)
	return c
}

// Every key either counts after a reload, or it is said that it does not.
func TestReloadOfEachKey(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "r.yaml"), reloadRule+"- rule: off\n  desc: d\n  condition: evt.type = creat\n  output: x\n  priority: INFO\n  tags: [t]\n  enabled: false\n")
	put(t, filepath.Join(dir, "77.yaml"), strings.ReplaceAll(reloadRule, "rule: r", "rule: other"))
	put(t, filepath.Join(dir, "falco.yaml"), strings.ReplaceAll(`
engine: {kind: nodriver}
log_stderr: true
log_syslog: false
watch_config_files: false
state_socket: ''
rules_files: [DIR/r.yaml]
stdout_output: {enabled: true}
file_output: {enabled: true, filename: DIR/alerts}
program_output: {enabled: true, program: cat >/dev/null}
http_output: {enabled: true, url: "http://127.0.0.1:1/"}
metrics: {enabled: true, interval: 1h, output_rule: true, output_file: DIR/metrics}
outputs_spool: {path: DIR/spool}
webserver: {enabled: true, listen_address: 127.0.0.1, listen_port: 0}
`, "DIR", dir))
	spooled := strings.ReplaceAll(content(t, filepath.Join(dir, "falco.yaml")), "stdout_output: {enabled: true}", "stdout_output: {enabled: true, spool: true}")
	var covered []string
	for line := range strings.Lines(strings.TrimSpace(reloadKeys)) {
		words := strings.Fields(line)
		key, what, override := words[0], words[1], words[len(words)-1]
		covered = append(covered, key)
		t.Run(key, func(t *testing.T) {
			if strings.HasPrefix(key, "outputs_spool.") { // of interest where there is a spool
				plain := filepath.Join(dir, "falco.yaml")
				before := content(t, plain)
				put(t, plain, spooled)
				defer put(t, plain, before)
			}
			c := change(t, dir, override)
			said := c.log.String()
			restart := strings.Contains(said, "needs a restart")
			if restart != (what == "restart") || restart && !strings.Contains(said, ": "+words[2]+" has changed, which needs a restart of falco") {
				t.Errorf("it says\n%s", said)
			}
			if look := reloadEffects[key]; look != nil && !look(c) {
				t.Errorf("it does not count after the reload:\n%s", said)
			}
		})
	}
	if want := config.Names(); !slices.Equal(covered, want) {
		t.Errorf("the keys are\n%q, covered are\n%q", want, covered)
	}
}

// reloadEffects look where a key counts, of those that are not read anew each time.
var reloadEffects = map[string]func(*changed) bool{
	"append_output[].extra_output": func(c *changed) bool { return strings.HasSuffix(string(c.set.Text(c.set.Rules[0], nil)), " x") },
	"base_syscalls.custom_set[]":   func(c *changed) bool { return c.calls != c.before.calls },
	"canary_interval":              func(c *changed) bool { return c.health.canary.Load() == nil },
	"capture.enabled":              func(c *changed) bool { return len(c.pipe.tapes) == 1 && c.caps.cfg.Enabled },
	"containers.max_wait_ms":       func(c *changed) bool { return c.pipe.later.wait == 77*time.Millisecond },
	"file_output.enabled":          func(c *changed) bool { return len(c.channels) == 3 && len(c.pipe.outputs) == 3 },
	"file_output.filename":         func(c *changed) bool { return c.channels[0].made != c.before.channels[0].made },
	"http_output.url":              func(c *changed) bool { return c.channels[3].made != c.before.channels[3].made },
	"log_level":                    func(c *changed) bool { return config.Level(c.daemon.log.level.Load()) == config.Debug },
	"metrics.enabled":              func(c *changed) bool { return c.health.interval == 0 && c.health.file == nil },
	"metrics.interval":             func(c *changed) bool { return c.health.interval == 77*time.Second },
	"metrics.output_file": func(c *changed) bool {
		text, err := os.ReadFile(c.health.file.Name())
		return filepath.Base(c.health.file.Name()) == "77" && err == nil && strings.Contains(string(text), `"sample":`)
	},
	"outputs_queue.capacity": func(c *changed) bool { return c.channels[1].made != c.before.channels[1].made },
	"priority":               func(c *changed) bool { return !c.runs(0) },
	"rules":                  func(c *changed) bool { return !c.runs(0) },
	"rules[].enable.tag":     func(c *changed) bool { return c.runs(1) },
	"rules_files[]":          func(c *changed) bool { return c.set.Rules[0].Name == "other" },
	"stdout_output.enabled":  func(c *changed) bool { return len(c.channels) == 3 },
	"stdout_output.spool":    func(c *changed) bool { return c.channels[1].spool },
	"webserver.enabled":      func(c *changed) bool { return c.web == nil },
	"webserver.k8s_healthz_endpoint": func(c *changed) bool {
		status, _, _ := c.web.answer(&http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/77"}})
		return status == http.StatusOK
	},
	"webserver.listen_address": func(c *changed) bool { return strings.HasPrefix(c.web.addr.String(), "127.0.0.7:") },
	"webserver.listen_port":    func(c *changed) bool { return strings.HasSuffix(c.web.addr.String(), fmt.Sprint(":", c.cfg.Web.Port)) },
	"webserver.ssl_enabled": func(c *changed) bool { // there is no such certificate
		return strings.Contains(c.log.String(), "none.pem: no such file or directory; it stays as it was") && c.web != nil && !c.cfg.Web.TLS
	},
	"syslog_output.enabled": func(c *changed) bool { return len(c.channels) == 5 },
}

// A reload turns captures and snapshots on, and off again.
func TestReloadOnAndOff(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "r.yaml"), reloadRule)
	put(t, filepath.Join(dir, "falco.yaml"), "engine: {kind: nodriver}\nlog_syslog: false\nstate_socket: ''\nwatch_config_files: false\nstdout_output: {enabled: true}\n"+
		"rules_files: ["+filepath.Join(dir, "r.yaml")+"]\n")
	file := filepath.Join(dir, "snapshots")
	c := change(t, dir, "metrics={enabled: true, interval: 1h, output_file: "+file+"}")
	if text := content(t, file); strings.Count(text, "\n") != 1 {
		t.Errorf("turned on: %q", text)
	}
	reload := func(override ...string) {
		t.Helper()
		c.opt.override = override
		next, err := c.prepare()
		if err != nil {
			t.Fatal(err)
		}
		c.adopt(next)
	}
	reload("capture={enabled: true, path_prefix: " + dir + "/c}")
	if c.health.interval != 0 || c.health.file != nil || !c.caps.cfg.Enabled {
		t.Errorf("turned off: %+v", &c.health)
	}
	c.health.due.Reset(0)
	(<-c.mail)()
	if text := content(t, file); strings.Count(text, "\n") != 1 {
		t.Errorf("turned off: %q", text)
	}
	reload()
	if c.caps.cfg.Enabled || len(c.pipe.tapes) != 1 {
		t.Error("captures go on")
	}
}
