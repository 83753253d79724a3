{{/* SPDX-License-Identifier: Apache-2.0 */}}

{{/* The pod of the forwarders behind the service. */}}
{{- define "falcosidekick.pod" -}}
{{- $tls := .Values.config.tlsserver | default dict }}
{{- $certs := or $tls.existingSecret $tls.servercrt }}
{{- $port := ternary ($tls.notlsport | default 2810 | int) (.Values.config.listenport | default 2801 | int) (default false $tls.deploy) }}
metadata:
  labels:
    {{- include "falcosidekick.labels" (list . "core") | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    checksum/config: {{ include "falcosidekick.config" . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "falcosidekick.serviceAccountName" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  containers:
    - name: falcosidekick
      image: {{ include "falcosidekick.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      command: [/usr/bin/falcosidekick]
      args:
        - -c
        - /etc/falcosidekick/falcosidekick.yaml
        {{- with .Values.config.extraArgs }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with .Values.config.extraEnv }}
      env:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- include "falcosidekick.envFrom" (list . .Values.config.existingSecret (ternary .Values.fleet.existingSecret "" .Values.fleet.enabled) (ternary (printf "%s-ui-token" (include "falcosidekick.fullname" .)) "" .Values.webui.enabled)) | nindent 6 }}
      ports:
        - {name: http, containerPort: {{ .Values.config.listenport | default 2801 | int }}, protocol: TCP}
        {{- if $tls.deploy }}
        - {name: http-notls, containerPort: {{ $port }}, protocol: TCP}
        {{- end }}
      livenessProbe:
        httpGet: {path: /healthz, port: {{ $port }}}
        initialDelaySeconds: 10
        periodSeconds: 10
      readinessProbe:
        httpGet: {path: /readyz, port: {{ $port }}}
        periodSeconds: 5
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      securityContext:
        {{- include "falcosidekick.securityContext" . | nindent 8 }}
      volumeMounts:
        - {name: config, mountPath: /etc/falcosidekick, readOnly: true}
        - {name: state, mountPath: /var/lib/falcosidekick}
        {{- if $certs }}
        - {name: certs, mountPath: /etc/certs/server, readOnly: true}
        {{- end }}
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: config
      secret: {secretName: {{ include "falcosidekick.fullname" . }}}
    {{- if not .Values.persistence.enabled }}
    - name: state
      emptyDir: {}
    {{- end }}
    {{- if $certs }}
    - name: certs
      secret: {secretName: {{ $tls.existingSecret | default (printf "%s-certs" (include "falcosidekick.fullname" .)) }}}
    {{- end }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
