{{/* SPDX-License-Identifier: Apache-2.0 */}}

{{- define "falcosidekick.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 60 | trimSuffix "-" }}
{{- end }}

{{/* The release's name if the chart's is in it, else both. Short enough for what is put behind it. */}}
{{- define "falcosidekick.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "falcosidekick.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{/* What pods are found by: (list $ "core"), "ui" or "node". */}}
{{- define "falcosidekick.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "falcosidekick.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "falcosidekick.labels" -}}
{{- $root := index . 0 -}}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "falcosidekick.selectorLabels" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
{{- with $root.Values.customLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* name, namespace, labels, annotations: (list $ "ui" "-ui"), or (list $ "ui" "-ui" $annotations) */}}
{{- define "falcosidekick.metadata" -}}
{{- $root := index . 0 }}
{{- $annotations := deepCopy $root.Values.customAnnotations }}
{{- if gt (len .) 3 }}{{ $annotations = mergeOverwrite $annotations (index . 3 | default dict) }}{{ end -}}
name: {{ include "falcosidekick.fullname" $root }}{{ index . 2 }}
namespace: {{ include "falcosidekick.namespace" $root }}
labels:
  {{- include "falcosidekick.labels" (list $root (index . 1)) | nindent 2 }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "falcosidekick.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "falcosidekick.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "falcosidekick.image" -}}
{{- with .Values.image.registry }}{{ . }}/{{ end }}{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end }}

{{/* What stops a release. */}}
{{- define "falcosidekick.refuse" -}}
{{- if and .Values.webui.enabled (gt (int .Values.webui.replicaCount) 1) (not .Values.webui.database.url) (not .Values.webui.database.existingSecret) }}
{{- fail "webui.replicaCount is more than 1: that needs webui.database.url (or existingSecret), a PostgreSQL that they share" }}
{{- end }}
{{- if .Values.fleet.enabled }}
{{- if not (has .Values.fleet.engine (list "nats" "kafka")) }}
{{- fail (printf "fleet.engine %q: there is nats and kafka" .Values.fleet.engine) }}
{{- end }}
{{- if not .Values.fleet.connection.hostport }}
{{- fail "fleet.connection.hostport is missing: where the message system is" }}
{{- end }}
{{- if and (eq .Values.fleet.engine "kafka") (not .Values.fleet.consume.topic) (not .Values.fleet.publish.topic) }}
{{- fail "fleet.publish.topic is missing" }}
{{- end }}
{{- end }}
{{- end }}

{{/* Of config, what is the chart's and not the forwarder's. */}}
{{- define "falcosidekick.own" -}}
{{- $config := omit .Values.config "existingSecret" "extraEnv" "extraArgs" -}}
{{- with $config.tlsserver }}{{ $config = set $config "tlsserver" (omit . "existingSecret" "servercrt" "serverkey" "cacrt") }}{{ end -}}
{{- with $config.aws }}{{ $config = set $config "aws" (omit . "useirsa") }}{{ end -}}
{{- toJson $config }}
{{- end }}

{{/* What every forwarder of the chart is told. */}}
{{- define "falcosidekick.common" -}}
unknown_keys: warn
state_dir: /var/lib/falcosidekick
shutdown_timeout: {{ printf "%ds" (max 5 (sub (int .Values.terminationGracePeriodSeconds) 10)) }}
{{- end }}

{{/* The settings of the Deployment: later ones win. */}}
{{- define "falcosidekick.config" -}}
{{- $config := include "falcosidekick.common" . | fromYaml }}
{{- if .Values.webui.enabled }}
{{- $url := printf "http://%s-ui:%v" (include "falcosidekick.fullname" .) .Values.webui.service.port }}
{{- $config = merge (dict "webui" (dict "url" $url)) $config }}
{{- end }}
{{- if (.Values.config.tlsserver).deploy }}
{{- $config = merge (dict "tlsserver" (dict "notlspaths" (list "/metrics" "/healthz" "/readyz" "/ping"))) $config }}
{{- end }}
{{- if .Values.fleet.enabled }}
{{- $from := dict }}
{{- if eq .Values.fleet.engine "kafka" }}
{{- with .Values.fleet.publish.topic }}{{ $from = dict "topic" . }}{{ end }}
{{- end }}
{{- $from = mergeOverwrite $from (deepCopy .Values.fleet.connection) (deepCopy .Values.fleet.consume) }}
{{- $config = merge (dict "consume" (dict .Values.fleet.engine $from)) $config }}
{{- end }}
{{- toYaml (mergeOverwrite $config (include "falcosidekick.own" . | fromJson)) }}
{{- end }}

{{/* The settings of a node's forwarder. */}}
{{- define "falcosidekick.nodeConfig" -}}
{{- $config := include "falcosidekick.common" . | fromYaml }}
{{- $to := mergeOverwrite (ternary (dict "jetstream" true) (dict) (eq .Values.fleet.engine "nats")) (deepCopy .Values.fleet.connection) (deepCopy .Values.fleet.publish) }}
{{- toYaml (mergeOverwrite $config (dict .Values.fleet.engine $to) (deepCopy .Values.fleet.node.config)) }}
{{- end }}

{{- define "falcosidekick.uiConfig" -}}
{{- $config := include "falcosidekick.common" . | fromYaml }}
{{- $ui := dict "enabled" true "listenaddress" "0.0.0.0" "listenport" 2802 "anonymous_read" .Values.webui.disableauth }}
{{- with .Values.webui.user }}{{ $ui = set $ui "user" (first (splitList ":" .)) }}{{ end }}
{{- toYaml (mergeOverwrite $config (dict "listenport" 0 "webui" (mergeOverwrite $ui (deepCopy .Values.webui.config)))) }}
{{- end }}

{{- define "falcosidekick.securityContext" -}}
{{- if .Values.securityContext -}}
{{ toYaml .Values.securityContext }}
{{- else -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}
{{- end }}

{{/* Variables that every container has: (list $ "secret to read variables from" ...) */}}
{{- define "falcosidekick.envFrom" -}}
{{- $names := compact (rest .) }}
{{- if $names }}
envFrom:
  {{- range $names }}
  - secretRef: {name: {{ . }}}
  {{- end }}
{{- end }}
{{- end }}
