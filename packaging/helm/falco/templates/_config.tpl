{{/* SPDX-License-Identifier: Apache-2.0 */}}

{{/* What falco.yaml says where nobody says anything. It stands here and not in values.yaml, since an
     alias of old charts that somebody sets must win over it, and helm merges defaults in before we look. */}}
{{- define "falco.defaults" -}}
rules_files: [/etc/falco/falco_rules.yaml, /etc/falco/falco_rules.local.yaml, /etc/falco/rules.d]
config_files: [/etc/falco/config.d]
watch_config_files: true
priority: debug
json_output: false
json_include_output_property: true
json_include_message_property: false
json_include_output_fields_property: true
json_include_tags_property: true
time_format_iso_8601: true
append_output:
  - suggested_output: true
log_stderr: true
log_syslog: false
log_level: info
stdout_output: {enabled: true}
syslog_output: {enabled: false}
webserver:
  enabled: true
  listen_address: 0.0.0.0
  listen_port: 8765
  k8s_healthz_endpoint: /healthz
  prometheus_metrics_enabled: false
{{- end }}

{{/* Names of charts 1.x, and the key that each is today. */}}
{{- define "falco.aliases" -}}
rulesFile: rules_files
rules_file: rules_files
timeFormatISO8601: time_format_iso_8601
jsonOutput: json_output
jsonIncludeOutputProperty: json_include_output_property
jsonIncludeTagsProperty: json_include_tags_property
logStderr: log_stderr
logSyslog: log_syslog
logLevel: log_level
bufferedOutputs: buffered_outputs
outputTimeout: output_timeout
syscallEventDrops: syscall_event_drops
syslogOutput: syslog_output
stdoutOutput: stdout_output
fileOutput: file_output
programOutput: program_output
httpOutput: http_output
webserver: webserver
{{- end }}

{{/* The same inside of what they hold. */}}
{{- define "falco.innerAliases" -}}
maxBurst: max_burst
keepAlive: keep_alive
userAgent: user_agent
listenPort: listen_port
sslEnabled: ssl_enabled
sslCertificate: ssl_certificate
{{- end }}

{{/* Of charts 1.x, and without meaning here: taken, and told in the notes. */}}
{{- define "falco.ignored" -}}
- outputs
- grpc
- grpcOutput
- grpc_output
- nodePort
{{- end }}

{{/* The name of the forwarder's Service, as its own chart makes it. */}}
{{- define "falco.forwarder" -}}
{{- $name := .Values.falcosidekick.nameOverride | default "falcosidekick" }}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- .Values.falcosidekick.fullnameOverride | default $full | trunc 52 | trimSuffix "-" }}
{{- end }}

{{/* falco.yaml, as a dict in JSON: defaults, then old names, then today's. */}}
{{- define "falco.config" -}}
{{- $aliases := include "falco.aliases" . | fromYaml }}
{{- $inner := include "falco.innerAliases" . | fromYaml }}
{{- $ignored := include "falco.ignored" . | fromYamlArray }}
{{- $config := include "falco.defaults" . | fromYaml }}
{{- $engine := dict "kind" "kmod" "kmod" (dict "buf_size_preset" (.Values.driver.kmod.bufSizePreset | int) "drop_failed_exit" .Values.driver.kmod.dropFailedExit) }}
{{- if not .Values.driver.enabled }}{{ $engine = dict "kind" "nodriver" }}{{ end }}
{{- $_ := set $config "engine" $engine }}
{{- $containers := dict "engines" (dict) }}
{{- range $name, $e := .Values.collectors.containerEngine.engines }}
{{- $legacy := index $.Values $name | default dict }}
{{- $on := and $.Values.collectors.enabled $.Values.collectors.containerEngine.enabled $e.enabled }}
{{- if hasKey $legacy "enabled" }}{{ $on = $legacy.enabled }}{{ end }}
{{- $one := dict "enabled" $on }}
{{- if $on }}
{{- $sockets := $e.sockets | default list }}
{{- if $legacy.socket }}{{ $sockets = list $legacy.socket }}{{ end }}
{{- $_ := set $one "sockets" $sockets }}
{{- end }}
{{- $_ := set (index $containers "engines") $name $one }}
{{- end }}
{{- $_ := set $config "containers" $containers }}
{{- if .Values.metrics.enabled }}
{{- with .Values.metrics }}
{{- $_ := set $config "metrics" (dict "enabled" true "interval" .interval "output_rule" .outputRule "rules_counters_enabled" .rulesCountersEnabled
  "resource_utilization_enabled" .resourceUtilizationEnabled "state_counters_enabled" .stateCountersEnabled
  "kernel_event_counters_enabled" .kernelEventCountersEnabled "kernel_event_counters_per_cpu_enabled" .kernelEventCountersPerCPUEnabled
  "convert_memory_to_mb" .convertMemoryToMB "include_empty_values" .includeEmptyValues) }}
{{- end }}
{{- $_ := set (index $config "webserver") "prometheus_metrics_enabled" true }}
{{- end }}
{{- if .Values.falcosidekick.enabled }}
{{- $_ := set $config "json_output" true }}
{{- $_ := set $config "json_include_output_property" true }}
{{- $host := include "falco.forwarder" . }}
{{- if .Values.falcosidekick.fullfqdn }}{{ $host = printf "%s.%s.svc.cluster.local" $host (include "falco.namespace" .) }}{{ end }}
{{- $_ := set $config "http_output" (dict "enabled" true "url" (printf "http://%s:%v/" $host (.Values.falcosidekick.listenPort | default (.Values.falcosidekick.service).port | default 2801))) }}
{{- end }}
{{- $old := dict }}{{- $new := dict }}
{{- range $key, $value := .Values.falco }}
{{- if kindIs "map" $value }}
{{- $renamed := dict }}
{{- range $k, $v := $value }}{{- $_ := set $renamed (get $inner $k | default $k) $v }}{{- end }}
{{- range $k, $v := $value }}{{- if not (hasKey $inner $k) }}{{- $_ := set $renamed $k $v }}{{- end }}{{- end }}
{{- $_ := unset $renamed "k8sAuditEndpoint" }}{{- $_ := unset $renamed "nodePort" }}
{{- $value = $renamed }}
{{- end }}
{{- if has $key $ignored }}
{{- else if and (hasKey $aliases $key) (ne (get $aliases $key) $key) }}{{- $_ := set $old (get $aliases $key) $value }}
{{- else }}{{- $_ := set $new $key $value }}
{{- end }}
{{- end }}
{{- $config = mergeOverwrite $config $old $new }}
{{- if not .Values.driver.enabled }}{{- $_ := set $config "engine" (dict "kind" "nodriver") }}{{- end }}
{{- toJson $config }}
{{- end }}
