// SPDX-License-Identifier: Apache-2.0

package config

import (
	"slices"
	"time"
)

// A key is a row of the table: what falco.yaml may say, and who listens.
//
// read takes the value over. A row without it is known and does nothing, because
// nothing has to be done. old marks names of earlier versions.
type key struct {
	path string // "[]" stands for any item of a list
	is   shape
	read func(*loader, *node) error
	old  string // what happens to it
}

// keys lists all of them in the order in which they are read; the first one
// that cannot be used ends the start.
var keys = []key{
	// Log. First, so that the rest can be told.
	{path: "log_level", is: isOne(levelNames...), read: readLogLevel},
	{path: "libs_logger.enabled", is: isYesNo},
	{path: "libs_logger.severity", is: isOne("fatal", "critical", "error", "warning", "notice", "info", "debug", "trace")},
	{path: "log_stderr", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.Log.Stderr })},
	{path: "log_syslog", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.Log.Syslog })},

	// Where events come from.
	{path: "engine.kind", is: isOne(KindKmod, "modern_ebpf", KindReplay, KindNone), read: readEngineKind},
	{path: "engine.kmod.buf_size_preset", is: isFrom(1, 10), read: number(func(c *Config) *int { return &c.Engine.BufSizePreset })},
	{path: "engine.kmod.drop_failed_exit", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.Engine.DropFailed })},
	{path: "engine.modern_ebpf.cpus_for_each_buffer", is: isCount},
	{path: "engine.modern_ebpf.buf_size_preset", is: isFrom(1, 10)},
	{path: "engine.modern_ebpf.drop_failed_exit", is: isYesNo},
	{path: "engine.modern_ebpf.disable_iterators", is: isYesNo},
	{path: "engine.replay.capture_file", is: isText, read: readCaptureFile},
	{path: "falco_libs.thread_table_size", is: isCount, read: number(func(c *Config) *int { return &c.ThreadTableSize })},
	{path: "falco_libs.thread_table_auto_purging_interval_s", is: isCount},
	{path: "falco_libs.thread_table_auto_purging_thread_timeout_s", is: isCount},
	{path: "containers.profile", is: isOne("modern", "classic"), read: readContainerProfile},
	{path: "plugins", read: readPlugins}, // of earlier versions; what is said below wins
	{path: "container_engines", old: "read as containers.engines", read: readEngines},
	{path: "containers.engines", is: isEngines, read: readEngines},
	{path: "containers.max_wait_ms", is: isCount, read: readMaxWait},
	{path: "containers.label_max_len", is: isCount, read: readLabelMax},
	{path: "state_socket", is: isText, read: text(func(c *Config) *string { return &c.StateSocket })},
	{path: "falco_libs.snaplen", is: isCount, read: number(func(c *Config) *int { return &c.Engine.Snaplen })},
	{path: "base_syscalls.custom_set", is: isTexts, read: texts(func(c *Config) *[]string { return &c.BaseSyscalls.Custom })},
	{path: "base_syscalls.repair", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.BaseSyscalls.Repair })},
	{path: "base_syscalls.all", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.BaseSyscalls.All })},

	// Files and rules.
	{path: "config_files[].path", is: isText},
	{path: "config_files[].strategy", is: isOne(strategyAppend, strategyOverride, strategyAddOnly)},
	{path: "watch_config_files", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.WatchFiles })},
	{path: "rules_files", is: isTexts, read: readRulesFiles},
	{path: "rules_file", old: "it is now called rules_files"},
	{path: "rule_files", is: isTexts}, // the original's schema knows it and its program does not
	{path: "rules", read: readRules},
	{path: "rules[].enable.rule", is: isText},
	{path: "rules[].enable.tag", is: isText},
	{path: "rules[].disable.rule", is: isText},
	{path: "rules[].disable.tag", is: isText},
	{path: "priority", is: isPriority, read: readPriority},
	{path: "rule_matching", is: isMatching, read: readMatching},
	{path: "strict_upstream", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.StrictUpstream })},

	// What an alert contains.
	{path: "json_output", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.JSON })},
	{path: "json_include_output_property", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.JSONOutput })},
	{path: "json_include_message_property", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.JSONMessage })},
	{path: "json_include_output_fields_property", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.JSONFields })},
	{path: "json_include_tags_property", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.JSONTags })},
	{path: "json_include_uuid_property", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.JSONUUID })},
	{path: "time_format_iso_8601", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.ISO8601 })},
	{path: "buffer_format_base64", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.Base64 })},
	{path: "append_output", read: readAppendOutput},
	{path: "append_output[].match.rule", is: isText},
	{path: "append_output[].match.source", is: isText},
	{path: "append_output[].match.tags", is: isTexts},
	{path: "append_output[].extra_output", is: isText},
	{path: "append_output[].extra_fields"},
	{path: "append_output[].suggested_output", is: isYesNo},
	{path: "static_fields", is: isTextMap, read: readStaticFields},

	// Outputs.
	{path: "buffered_outputs", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.Buffered })},
	{path: "outputs_queue.capacity", is: isCount, read: number(func(c *Config) *int { return &c.QueueCapacity })},
	{path: "outputs_queue.recovery", old: "what a full queue does; later versions always drop what comes and go on", read: readRecovery},
	{path: "outputs.rate", old: "alerts beyond it are dropped; later versions do not limit them", read: decimal(func(c *Config) *float64 { return &c.Rate.PerSecond })},
	{path: "outputs.max_burst", old: "goes with outputs.rate", read: decimal(func(c *Config) *float64 { return &c.Rate.Burst })},
	{path: "output_timeout", is: isCount, read: milliseconds(func(c *Config) *time.Duration { return &c.OutputTimeout })},
	{path: "stdout_output.enabled", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.Stdout })},
	{path: "stdout_output.spool", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.StdoutSpool })},
	{path: "syslog_output.enabled", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.Syslog })},
	{path: "syslog_output.spool", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.SyslogSpool })},
	{path: "file_output.enabled", is: isYesNo, read: requireOutput(func(c *Config) *bool { return &c.File.Enabled }, "file", "file_output.filename", "filename")},
	{path: "file_output.keep_alive", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.File.KeepAlive })},
	{path: "file_output.filename", is: isText, read: text(func(c *Config) *string { return &c.File.Name })},
	{path: "file_output.spool", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.File.Spool })},
	{path: "program_output.enabled", is: isYesNo, read: requireOutput(func(c *Config) *bool { return &c.Program.Enabled }, "program", "program_output.program", "program")},
	{path: "program_output.keep_alive", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.Program.KeepAlive })},
	{path: "program_output.program", is: isText, read: text(func(c *Config) *string { return &c.Program.Command })},
	{path: "program_output.spool", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.Program.Spool })},
	{path: "http_output.enabled", is: isYesNo, read: requireOutput(func(c *Config) *bool { return &c.HTTP.Enabled }, "http", "http_output.url", "url")},
	{path: "http_output.url", is: isText, read: readURL},
	{path: "http_output.user_agent", is: isText, read: text(func(c *Config) *string { return &c.HTTP.UserAgent })},
	{path: "http_output.insecure", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.HTTP.Insecure })},
	{path: "http_output.ca_cert", is: isText, read: text(func(c *Config) *string { return &c.HTTP.CACert })},
	{path: "http_output.ca_bundle", is: isText, read: text(func(c *Config) *string { return &c.HTTP.CABundle })},
	{path: "http_output.ca_path", is: isText, read: text(func(c *Config) *string { return &c.HTTP.CAPath })},
	{path: "http_output.mtls", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.HTTP.MTLS })},
	{path: "http_output.client_cert", is: isText, read: text(func(c *Config) *string { return &c.HTTP.ClientCert })},
	{path: "http_output.client_key", is: isText, read: text(func(c *Config) *string { return &c.HTTP.ClientKey })},
	{path: "http_output.echo", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.HTTP.Echo })},
	{path: "http_output.compress_uploads", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.HTTP.Compress })},
	{path: "http_output.keep_alive", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.HTTP.KeepAlive })},
	{path: "http_output.max_consecutive_timeouts", is: isCount, read: readMaxTimeouts},
	{path: "http_output.spool", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.HTTP.Spool })},
	{path: "outputs_spool.path", is: isText, read: text(func(c *Config) *string { return &c.Spool.Path })},
	{path: "outputs_spool.max_size_mb", is: isCount, read: readSpoolSize},
	{path: "outputs_spool.max_age", is: isText, read: readSpoolAge},
	{path: "outputs_spool.sync_interval", is: isCount, read: number(func(c *Config) *int { return &c.Spool.SyncMs })},

	// Health.
	{path: "webserver.enabled", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.Web.Enabled })},
	{path: "webserver.threadiness", is: isCount, read: number(func(c *Config) *int { return &c.Web.Threads })},
	{path: "webserver.listen_port", is: isFrom(0, 65535), read: readPort},
	{path: "webserver.listen_address", is: isText, read: readListenAddress},
	{path: "webserver.k8s_healthz_endpoint", is: isText, read: text(func(c *Config) *string { return &c.Web.Healthz })},
	{path: "webserver.prometheus_metrics_enabled", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.Web.Prometheus })},
	{path: "webserver.ssl_enabled", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.Web.TLS })},
	{path: "webserver.ssl_certificate", is: isText, read: text(func(c *Config) *string { return &c.Web.Certificate })},
	{path: "webserver.k8s_audit_endpoint", old: "ignored, /k8s-audit is not served"},
	{path: "syscall_event_drops.threshold", is: shape{kind: decimals, min: 0, max: 1}, read: readThreshold},
	{path: "syscall_event_drops.actions", is: isTexts, read: readActions},
	{path: "syscall_event_drops.rate", is: isDecimal, read: decimal(func(c *Config) *float64 { return &c.Drops.Rate })},
	{path: "syscall_event_drops.max_burst", is: isDecimal, read: decimal(func(c *Config) *float64 { return &c.Drops.Burst })},
	{path: "syscall_event_drops.simulate_drops", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.Drops.Simulate })},
	{path: "syscall_event_timeouts.max_consecutives", is: isCount, read: readMaxConsecutives},
	{path: "canary_interval", is: isCount, read: milliseconds(func(c *Config) *time.Duration { return &c.CanaryInterval })},
	{path: "metrics.enabled", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.Metrics.Enabled })},
	{path: "metrics.interval", is: isText, read: text(func(c *Config) *string { return &c.Metrics.Interval })},
	{path: "metrics.output_rule", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.Metrics.Rule })},
	{path: "metrics.output_file", is: isText, read: text(func(c *Config) *string { return &c.Metrics.File })},
	{path: "metrics.rules_counters_enabled", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.Metrics.Rules })},
	{path: "metrics.resource_utilization_enabled", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.Metrics.Resources })},
	{path: "metrics.state_counters_enabled", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.Metrics.State })},
	{path: "metrics.kernel_event_counters_enabled", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.Metrics.Kernel })},
	{path: "metrics.kernel_event_counters_per_cpu_enabled", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.Metrics.PerCPU })},
	{path: "metrics.kernel_iter_event_counters_enabled", is: isYesNo},
	{path: "metrics.libbpf_stats_enabled", is: isYesNo},
	{path: "metrics.plugins_metrics_enabled", is: isYesNo},
	{path: "metrics.jemalloc_stats_enabled", is: isYesNo},
	{path: "metrics.convert_memory_to_mb", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.Metrics.Megabytes })},
	{path: "metrics.include_empty_values", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.Metrics.Empty })},
	{path: "capture.enabled", is: isYesNo, read: boolean(func(c *Config) *bool { return &c.Capture.Enabled })},
	{path: "capture.path_prefix", is: isText, read: readCapturePrefix},
	{path: "capture.mode", is: isOne("rules", "all_rules"), read: readCaptureMode},
	{path: "capture.default_duration", is: isCount, read: readCaptureDuration},
	{path: "capture.max_file_size_mb", is: isFrom(0, maxCaptureMB), read: readCaptureSize},
	{path: "capture.max_events", is: isCount, read: readCaptureEvents},

	// Plugins: there are none, but stock files mention them.
	{path: "load_plugins", is: isTexts, read: readLoadPlugins},
	{path: "plugins_hostinfo", is: isYesNo},

	// Names of earlier versions.
	{path: "syscall_buf_size_preset", old: "read as engine.kmod.buf_size_preset",
		read: unless("engine.kmod.buf_size_preset", number(func(c *Config) *int { return &c.Engine.BufSizePreset }))},
	{path: "syscall_drop_failed_exit", old: "read as engine.kmod.drop_failed_exit",
		read: unless("engine.kmod.drop_failed_exit", boolean(func(c *Config) *bool { return &c.Engine.DropFailed }))},
	{path: "modern_bpf", old: "ignored, the kernel module has one buffer for each CPU"},
	{path: "engine.ebpf", old: "ignored, there is no such engine"},
	{path: "engine.gvisor", old: "ignored, there is no such engine"},
	{path: "grpc", old: "ignored, the gRPC server is gone"},
	{path: "grpc_output", old: "ignored, the gRPC server is gone"},
	{path: "metadata_download", old: "ignored, nothing is downloaded"},
	{path: "k8s_audit_endpoint", old: "ignored, /k8s-audit is not served"},
}

// whole lists the keys whose inside is free, or of no interest.
var whole = map[string]bool{
	"static_fields": true, "plugins": true, "append_output[].extra_fields": true, "modern_bpf": true, "engine.ebpf": true,
	"engine.gvisor": true, "grpc": true, "grpc_output": true, "metadata_download": true, "container_engines": true,
	"containers.engines": true,
}

// Names returns the names of all keys of today, with the brackets of lists.
func Names() (names []string) {
	for i := range keys {
		switch k := &keys[i]; {
		case k.old != "":
		case k.is.kind == listOfTexts:
			names = append(names, k.path+"[]")
		default:
			names = append(names, k.path)
		}
	}
	slices.Sort(names)
	return names
}

// defaults is what holds where nothing is said.
func defaults() *Config {
	c := &Config{WatchFiles: true, Severity: 7, JSONOutput: true, JSONFields: true, JSONTags: true, OutputTimeout: 2 * time.Second}
	c.Engine.Kind, c.Engine.BufSizePreset = KindKmod, 4
	c.Containers = DefaultContainers()
	c.ThreadTableSize, c.StateSocket = 262144, "/run/falco/state.sock"
	c.Log.Syslog, c.Log.Level = true, Info
	c.QueueRecovery, c.Rate.Burst = RecoverContinue, 1000
	c.Spool = Spool{Path: "/var/lib/falco/spool", Megabytes: 256, MaxAge: 24 * time.Hour, SyncMs: 1000}
	c.HTTP = HTTPOutput{UserAgent: "falcosecurity/falco", CAPath: "/etc/ssl/certs", ClientCert: "/etc/ssl/certs/client.crt", ClientKey: "/etc/ssl/certs/client.key", MaxTimeouts: 5}
	c.Web = Web{Port: 8765, Address: "0.0.0.0", Healthz: "/healthz", Certificate: "/etc/falco/falco.pem"}
	c.Drops = Drops{Threshold: .1, Rate: .03333, Burst: 1}
	c.MaxTimeouts, c.CanaryInterval = 1000, 5*time.Second
	c.Metrics = Metrics{Interval: "5000", Rules: true, Resources: true, State: true, Kernel: true, PerCPU: true, Megabytes: true}
	c.Capture = Capture{PathPrefix: "/tmp/falco", Duration: 5 * time.Second}
	return c
}
