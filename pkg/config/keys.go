// SPDX-License-Identifier: Apache-2.0

package config

import "time"

// A key is a row of the table: what falco.yaml may say, and who listens.
//
// read takes the value over. A row without it is known and does nothing: either
// because nothing has to be done, or, if later is set, because the part of the
// program that it speaks to is not there yet; then a value that asks for that
// part is answered by a warning. old marks names of earlier versions.
type key struct {
	path  string // "[]" stands for any item of a list
	read  func(*loader, *node) error
	later func(*node) bool
	old   string // what happens to it
}

// keys lists all of them in the order in which they are read; the first one
// that cannot be used ends the start.
var keys = []key{
	// Log. First, so that the rest can be told.
	{path: "log_level", read: readLogLevel},
	{path: "libs_logger.enabled"},
	{path: "libs_logger.severity"},
	{path: "log_stderr", read: boolean(func(c *Config) *bool { return &c.Log.Stderr })},
	{path: "log_syslog", read: boolean(func(c *Config) *bool { return &c.Log.Syslog })},

	// Where events come from.
	{path: "engine.kind", read: readEngineKind},
	{path: "engine.kmod.buf_size_preset", read: number(func(c *Config) *int { return &c.Engine.BufSizePreset })},
	{path: "engine.kmod.drop_failed_exit", read: boolean(func(c *Config) *bool { return &c.Engine.DropFailed })},
	{path: "engine.modern_ebpf.cpus_for_each_buffer"},
	{path: "engine.modern_ebpf.buf_size_preset"},
	{path: "engine.modern_ebpf.drop_failed_exit"},
	{path: "engine.modern_ebpf.disable_iterators"},
	{path: "engine.replay.capture_file", read: readCaptureFile},
	{path: "falco_libs.thread_table_size", read: number(func(c *Config) *int { return &c.ThreadTableSize })},
	{path: "falco_libs.thread_table_auto_purging_interval_s"},
	{path: "falco_libs.thread_table_auto_purging_thread_timeout_s"},
	{path: "containers.profile", read: readContainerProfile},
	{path: "plugins", read: readPlugins}, // of earlier versions; what is said below wins
	{path: "container_engines", old: "read as containers.engines", read: readEngines},
	{path: "containers.engines", read: readEngines},
	{path: "state_socket", read: text(func(c *Config) *string { return &c.StateSocket })},
	{path: "falco_libs.snaplen", read: number(func(c *Config) *int { return &c.Engine.Snaplen })},
	{path: "base_syscalls.custom_set", read: texts(func(c *Config) *[]string { return &c.BaseSyscalls.Custom })},
	{path: "base_syscalls.repair", read: boolean(func(c *Config) *bool { return &c.BaseSyscalls.Repair })},
	{path: "base_syscalls.all", read: boolean(func(c *Config) *bool { return &c.BaseSyscalls.All })},

	// Files and rules.
	{path: "config_files[].path"},
	{path: "config_files[].strategy"},
	{path: "watch_config_files", read: boolean(func(c *Config) *bool { return &c.WatchFiles })},
	{path: "rules_files", read: readRulesFiles},
	{path: "rules_file", old: "it is now called rules_files"},
	{path: "rule_files"}, // the original's schema knows it and its program does not
	{path: "rules", read: readRules},
	{path: "rules[].enable.rule"},
	{path: "rules[].enable.tag"},
	{path: "rules[].disable.rule"},
	{path: "rules[].disable.tag"},
	{path: "priority", read: readPriority},
	{path: "rule_matching", read: readMatching},
	{path: "strict_upstream", read: boolean(func(c *Config) *bool { return &c.StrictUpstream })},

	// What an alert contains.
	{path: "json_output", read: boolean(func(c *Config) *bool { return &c.JSON })},
	{path: "json_include_output_property", read: boolean(func(c *Config) *bool { return &c.JSONOutput })},
	{path: "json_include_message_property", read: boolean(func(c *Config) *bool { return &c.JSONMessage })},
	{path: "json_include_output_fields_property", read: boolean(func(c *Config) *bool { return &c.JSONFields })},
	{path: "json_include_tags_property", read: boolean(func(c *Config) *bool { return &c.JSONTags })},
	{path: "time_format_iso_8601", read: boolean(func(c *Config) *bool { return &c.ISO8601 })},
	{path: "buffer_format_base64", read: boolean(func(c *Config) *bool { return &c.Base64 })},
	{path: "append_output", read: readAppendOutput},
	{path: "append_output[].match.rule"},
	{path: "append_output[].match.source"},
	{path: "append_output[].match.tags"},
	{path: "append_output[].extra_output"},
	{path: "append_output[].extra_fields"},
	{path: "append_output[].suggested_output"},
	{path: "static_fields", later: set},

	// Outputs.
	{path: "buffered_outputs", read: boolean(func(c *Config) *bool { return &c.Buffered })},
	{path: "outputs_queue.capacity", read: number(func(c *Config) *int { return &c.QueueCapacity })},
	{path: "outputs_queue.recovery", old: "a full queue drops what comes and goes on"},
	{path: "outputs.rate", later: set, old: "alerts are not limited"},
	{path: "outputs.max_burst", old: "alerts are not limited"},
	{path: "output_timeout", read: readTimeout},
	{path: "stdout_output.enabled", read: boolean(func(c *Config) *bool { return &c.Stdout })},
	{path: "syslog_output.enabled", later: on},
	{path: "file_output.enabled", later: on},
	{path: "file_output.keep_alive"},
	{path: "file_output.filename"},
	{path: "program_output.enabled", later: on},
	{path: "program_output.keep_alive"},
	{path: "program_output.program"},
	{path: "http_output.enabled", later: on},
	{path: "http_output.url"},
	{path: "http_output.user_agent"},
	{path: "http_output.insecure"},
	{path: "http_output.ca_cert"},
	{path: "http_output.ca_bundle"},
	{path: "http_output.ca_path"},
	{path: "http_output.mtls"},
	{path: "http_output.client_cert"},
	{path: "http_output.client_key"},
	{path: "http_output.echo"},
	{path: "http_output.compress_uploads"},
	{path: "http_output.keep_alive"},
	{path: "http_output.max_consecutive_timeouts"},

	// Health.
	{path: "webserver.enabled", later: on},
	{path: "webserver.threadiness"},
	{path: "webserver.listen_port"},
	{path: "webserver.listen_address"},
	{path: "webserver.k8s_healthz_endpoint"},
	{path: "webserver.prometheus_metrics_enabled"},
	{path: "webserver.ssl_enabled"},
	{path: "webserver.ssl_certificate"},
	{path: "webserver.k8s_audit_endpoint", old: "ignored, /k8s-audit is not served"},
	{path: "syscall_event_drops.threshold"},
	{path: "syscall_event_drops.actions", later: beyondLog},
	{path: "syscall_event_drops.rate"},
	{path: "syscall_event_drops.max_burst"},
	{path: "syscall_event_drops.simulate_drops", later: on},
	{path: "syscall_event_timeouts.max_consecutives"},
	{path: "metrics.enabled", later: on},
	{path: "metrics.interval"},
	{path: "metrics.output_rule"},
	{path: "metrics.output_file"},
	{path: "metrics.rules_counters_enabled"},
	{path: "metrics.resource_utilization_enabled"},
	{path: "metrics.state_counters_enabled"},
	{path: "metrics.kernel_event_counters_enabled"},
	{path: "metrics.kernel_event_counters_per_cpu_enabled"},
	{path: "metrics.kernel_iter_event_counters_enabled"},
	{path: "metrics.libbpf_stats_enabled"},
	{path: "metrics.plugins_metrics_enabled"},
	{path: "metrics.jemalloc_stats_enabled"},
	{path: "metrics.convert_memory_to_mb"},
	{path: "metrics.include_empty_values"},
	{path: "capture.enabled", read: boolean(func(c *Config) *bool { return &c.Capture.Enabled })},
	{path: "capture.path_prefix", read: readCapturePrefix},
	{path: "capture.mode", read: readCaptureMode},
	{path: "capture.default_duration", read: readCaptureDuration},
	{path: "capture.max_file_size_mb", read: readCaptureSize},
	{path: "capture.max_events", read: readCaptureEvents},

	// Plugins: there are none, but stock files mention them.
	{path: "load_plugins", read: readLoadPlugins},
	{path: "plugins_hostinfo"},

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

// defaults is what holds where nothing is said.
func defaults() *Config {
	c := &Config{WatchFiles: true, Severity: 7, JSONOutput: true, JSONFields: true, JSONTags: true, OutputTimeout: 2 * time.Second}
	c.Engine.Kind, c.Engine.BufSizePreset = KindKmod, 4
	c.Containers = DefaultContainers()
	c.ThreadTableSize, c.StateSocket = 262144, "/run/falco/state.sock"
	c.Log.Syslog, c.Log.Level = true, Info
	c.Capture = Capture{PathPrefix: "/tmp/falco", Duration: 5 * time.Second}
	return c
}
