{{/* SPDX-License-Identifier: Apache-2.0 */}}

{{/* Everybody looks at the node through /host. A privileged container is what may open /dev/falco: the node's devices are
     closed to all others, unless a device plugin hands them out. */}}
{{- define "falco.securityContext" -}}
{{- if .Values.containerSecurityContext }}
{{- toYaml .Values.containerSecurityContext }}
{{- else if not .Values.driver.enabled }}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- else if .Values.driver.kmod.devicePlugin }}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
# PERFMON to open the device, SYS_PTRACE and DAC_READ_SEARCH to read every /proc/PID.
capabilities: {drop: [ALL], add: [PERFMON, SYS_PTRACE, DAC_READ_SEARCH]}
{{- else }}
privileged: true
readOnlyRootFilesystem: true
{{- end }}
{{- end }}

{{- define "falco.probe" -}}
{{- $config := include "falco.config" (index . 0) | fromJson -}}
httpGet:
  path: {{ ($config.webserver).k8s_healthz_endpoint | default "/healthz" }}
  port: {{ ($config.webserver).listen_port | default 8765 | int }}
  {{- if ($config.webserver).ssl_enabled }}
  scheme: HTTPS
  {{- end }}
{{ toYaml (index . 1) }}
{{- end }}

{{- define "falco.pod" -}}
{{- $config := include "falco.config" . | fromJson -}}
{{- $sockets := include "falco.sockets" . | fromJsonArray -}}
{{- $loader := and .Values.driver.enabled .Values.driver.loader.enabled (include "falco.driverKind" .) -}}
metadata:
  labels:
    {{- include "falco.selectorLabels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # What changes these changes the pods.
    checksum/config: {{ include "falco.config" . | sha256sum }}
    checksum/rules: {{ toJson .Values.customRules | sha256sum }}
    checksum/certs: {{ toJson .Values.certs | sha256sum }}
    {{- with merge (dict) .Values.podAnnotations ((.Values.daemonset).podAnnotations | default dict) }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "falco.serviceAccountName" . }}
  automountServiceAccountToken: false
  {{- with .Values.podSecurityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with default .Values.priorityClassName .Values.podPriorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with concat .Values.imagePullSecrets (.Values.image.pullSecrets | default list) }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ if kindIs "map" . }}{{ .name }}{{ else }}{{ . }}{{ end }}
    {{- end }}
  {{- end }}
  {{- if or $loader .Values.extra.initContainers }}
  initContainers:
    {{- with .Values.extra.initContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- if $loader }}
    {{- with .Values.driver.loader.initContainer }}
    - name: falco-driver-loader
      image: {{ include "falco.image" (list $ .image) }}
      imagePullPolicy: {{ .image.pullPolicy }}
      {{- with .args }}
      args:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      env:
        - {name: HOST_ROOT, value: /host}
        {{- with .env }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      securityContext:
        {{- if .securityContext }}
        {{- toYaml .securityContext | nindent 8 }}
        {{- else }}
        privileged: true
        {{- end }}
      {{- with .resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts:
        - {name: proc, mountPath: /host/proc, readOnly: true}
        - {name: etc, mountPath: /host/etc, readOnly: true}
        - {name: boot, mountPath: /host/boot, readOnly: true}
        - {name: modules, mountPath: /host/lib/modules}
        - {name: usr, mountPath: /host/usr, readOnly: true}
        - {name: drivers, mountPath: /root/.falco}
    {{- end }}
    {{- end }}
  {{- end }}
  containers:
    - name: falco
      image: {{ include "falco.image" (list $ .Values.image) }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      securityContext:
        {{- include "falco.securityContext" . | nindent 8 }}
      {{- $resources := deepCopy .Values.resources }}
      {{- if and .Values.driver.enabled .Values.driver.kmod.devicePlugin }}
      {{- $resources = mergeOverwrite $resources (dict "limits" (dict .Values.driver.kmod.devicePlugin 1)) }}
      {{- end }}
      {{- with $resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      args:
        - /usr/bin/falco
        {{- if not .Values.driver.enabled }}
        - --disable-source
        - syscall
        {{- end }}
        {{- with concat .Values.extra.args (.Values.extraArgs | default list) }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      env:
        - {name: HOST_ROOT, value: /host}
        {{- $named := list }}
        {{- range .Values.extra.env }}{{ $named = append $named .name }}{{ end }}
        {{- if and .Values.falcoHostnameEnv (not (has "FALCO_HOSTNAME" $named)) }}
        - name: FALCO_HOSTNAME
          valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
        {{- end }}
        - name: FALCO_K8S_NODE_NAME
          valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
        {{- with .Values.timezone }}
        - {name: TZ, value: {{ . | quote }}}
        {{- end }}
        {{- range $name, $value := dict "http_proxy" (.Values.proxy).httpProxy "https_proxy" (.Values.proxy).httpsProxy "no_proxy" (.Values.proxy).noProxy }}
        {{- if $value }}
        - {name: {{ $name }}, value: {{ $value | quote }}}
        {{- end }}
        {{- end }}
        {{- range $name, $value := (.Values.daemonset).env }}
        - {name: {{ $name }}, value: {{ $value | quote }}}
        {{- end }}
        {{- with .Values.extra.env }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      tty: {{ .Values.tty }}
      {{- if ($config.webserver).enabled }}
      ports:
        - {name: web, containerPort: {{ $config.webserver.listen_port | default 8765 | int }}, protocol: TCP}
      startupProbe:
        {{- include "falco.probe" (list . .Values.healthChecks.startupProbe) | nindent 8 }}
      livenessProbe:
        {{- include "falco.probe" (list . .Values.healthChecks.livenessProbe) | nindent 8 }}
      readinessProbe:
        {{- include "falco.probe" (list . .Values.healthChecks.readinessProbe) | nindent 8 }}
      {{- end }}
      volumeMounts:
        - {name: config, mountPath: /etc/falco/falco.yaml, subPath: falco.yaml, readOnly: true}
        - {name: run, mountPath: /run/falco}
        - {name: state, mountPath: /var/lib/falco}
        - {name: tmp, mountPath: /tmp}
        {{- if .Values.customRules }}
        - {name: rules, mountPath: /etc/falco/rules.d, readOnly: true}
        {{- end }}
        {{- if .Values.driver.enabled }}
        - {name: proc, mountPath: /host/proc, readOnly: true}
        - {name: etc, mountPath: /host/etc, readOnly: true}
        {{- end }}
        {{- if and .Values.driver.enabled $sockets }}
        {{- range $i, $socket := $sockets }}
        - {name: engine-socket-{{ $i }}, mountPath: /host{{ dir $socket }}, readOnly: true}
        {{- end }}
        {{- end }}
        {{- if or .Values.certs.existingSecret (and .Values.certs.server.key .Values.certs.server.crt .Values.certs.ca.crt) }}
        - {name: certs, mountPath: /etc/falco/certs, readOnly: true}
        {{- end }}
        {{- if or .Values.certs.existingClientSecret (and .Values.certs.client.key .Values.certs.client.crt .Values.certs.ca.crt) }}
        - {name: client-certs, mountPath: /etc/falco/certs/client, readOnly: true}
        {{- end }}
        {{- with .Values.mounts.volumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "falco.fullname" . }}
        items: [{key: falco.yaml, path: falco.yaml}]
    - {name: run, emptyDir: {}}
    - {name: state, emptyDir: {}}
    - {name: tmp, emptyDir: {}}
    {{- if .Values.customRules }}
    - name: rules
      configMap: {name: {{ include "falco.fullname" . }}-rules}
    {{- end }}
    {{- if .Values.driver.enabled }}
    - {name: proc, hostPath: {path: /proc}}
    - {name: etc, hostPath: {path: /etc}}
    {{- range $i, $socket := $sockets }}
    - {name: engine-socket-{{ $i }}, hostPath: {path: {{ dir $socket }}}}
    {{- end }}
    {{- end }}
    {{- if $loader }}
    - {name: boot, hostPath: {path: /boot}}
    - {name: modules, hostPath: {path: /lib/modules}}
    - {name: usr, hostPath: {path: /usr}}
    - {name: drivers, emptyDir: {}}
    {{- end }}
    {{- with .Values.certs }}
    {{- if or .existingSecret (and .server.key .server.crt .ca.crt) }}
    - name: certs
      secret: {secretName: {{ .existingSecret | default (printf "%s-certs" (include "falco.fullname" $)) }}}
    {{- end }}
    {{- if or .existingClientSecret (and .client.key .client.crt .ca.crt) }}
    - name: client-certs
      secret: {secretName: {{ .existingClientSecret | default (printf "%s-client-certs" (include "falco.fullname" $)) }}}
    {{- end }}
    {{- end }}
    {{- with .Values.mounts.volumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
