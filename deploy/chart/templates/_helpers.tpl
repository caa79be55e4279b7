{{/* SPDX-License-Identifier: Apache-2.0 */}}
{{- define "wirespan.name" -}}
{{- ternary .Release.Name (printf "%s-wirespan" .Release.Name | trunc 63 | trimSuffix "-") (contains "wirespan" .Release.Name) }}
{{- end }}

{{- define "wirespan.selector" -}}
app.kubernetes.io/name: wirespan
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "wirespan.labels" -}}
{{ include "wirespan.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{- define "wirespan.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "wirespan.name" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{- define "wirespan.priorityClass" -}}
{{- .Values.priorityClass.name | default (ternary (include "wirespan.name" .) "" .Values.priorityClass.create) }}
{{- end }}

{{- define "wirespan.config" -}}
{{- $config := deepCopy .Values.config }}
{{- if .Values.state.enabled }}{{ $_ := set $config "state-dir" "/run/wirespan" }}{{ end }}
{{- if .Values.spool.enabled }}{{ $_ := set $config "spool" "/var/lib/wirespan" }}{{ end }}
{{- if .Values.rbac.services }}{{ $_ := set $config "kubernetes-services" true }}{{ end }}
{{- $self := printf "pod=%s/%s-*" .Release.Namespace (include "wirespan.name" .) }}
{{- $_ := set $config "not" (append (get $config "not" | default list) $self) }}
{{- toYaml $config }}
{{- end }}

{{/* Not empty: `wirespan health` has an address to ask at. Else a probe would fail for ever, and the agent be ended each time. */}}
{{- define "wirespan.answers" -}}
{{- $where := get .Values.config "metrics" | default "" }}
{{- range .Values.extraEnv }}{{ if eq .name "WIRESPAN_METRICS" }}{{ $where = .value | default "" }}{{ end }}{{ end }}
{{- if not (or (eq $where "off") (regexMatch ":0+$" $where)) }}yes{{ end }}
{{- end }}
