{{/* SPDX-License-Identifier: Apache-2.0 */}}

{{- define "falco.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The release's name if the chart's is in it, else both. */}}
{{- define "falco.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "falco.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{- define "falco.selectorLabels" -}}
app.kubernetes.io/name: {{ include "falco.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "falco.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "falco.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "falco.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "falco.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* An image: (list $ .Values.image) */}}
{{- define "falco.image" -}}
{{- $root := index . 0 }}{{- $image := index . 1 -}}
{{- with $image.registry }}{{ . }}/{{ end }}{{ $image.repository }}:{{ default $root.Chart.AppVersion $image.tag }}
{{- end }}

{{/* kmod, whatever it is called; what can never be fails. */}}
{{- define "falco.driverKind" -}}
{{- $kind := .Values.driver.kind }}
{{- if (.Values.ebpf).enabled }}{{ $kind = "modern_ebpf" }}{{ end }}
{{- if has $kind (list "auto" "kmod" "module" "modern_ebpf" "modern-bpf") }}kmod
{{- else }}{{ fail (printf "driver.kind %q: there is auto, kmod and, taken for kmod, modern_ebpf" $kind) }}
{{- end }}
{{- end }}

{{/* Keys that stop a release, all of them in one message. */}}
{{- define "falco.refuse" -}}
{{- $gone := list }}
{{- if hasKey .Values.falco "grpc" }}{{- if (.Values.falco.grpc).enabled }}{{ $gone = append $gone "falco.grpc" }}{{ end }}{{ end }}
{{- if hasKey .Values.falco "grpc_output" }}{{ $gone = append $gone "falco.grpc_output" }}{{ end }}
{{- if hasKey .Values.driver "ebpf" }}{{ $gone = append $gone "driver.ebpf" }}{{ end }}
{{- if hasKey .Values.driver "gvisor" }}{{ $gone = append $gone "driver.gvisor" }}{{ end }}
{{- if has .Values.driver.kind (list "ebpf" "gvisor") }}{{ $gone = append $gone (printf "driver.kind=%s" .Values.driver.kind) }}{{ end }}
{{- if $gone }}
{{- fail (printf "no longer there, remove them: %s" (join ", " $gone)) }}
{{- end }}
{{- end }}

{{/* Where container engines listen, each path once. Values of charts 1.x come first. */}}
{{- define "falco.sockets" -}}
{{- $sockets := list }}
{{- if and .Values.collectors.enabled .Values.collectors.containerEngine.enabled }}
{{- range $name, $engine := .Values.collectors.containerEngine.engines }}
{{- $legacy := index $.Values $name | default dict }}
{{- $on := $engine.enabled }}
{{- if hasKey $legacy "enabled" }}{{ $on = $legacy.enabled }}{{ end }}
{{- if $on }}
{{- if $legacy.socket }}{{ $sockets = append $sockets $legacy.socket }}{{ else }}{{ $sockets = concat $sockets ($engine.sockets | default list) }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
{{- toJson ($sockets | uniq) }}
{{- end }}
