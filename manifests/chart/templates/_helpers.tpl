{{/* The name of everything this release installs: "localregistry" is not said twice. */}}
{{- define "localregistry.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Never the version: a Deployment's selector cannot be changed. */}}
{{- define "localregistry.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "localregistry.labels" -}}
{{ include "localregistry.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: localregistry
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* dict "image" .Values.….image "chart" .Chart -> repository:tag */}}
{{- define "localregistry.image" -}}
{{- printf "%s:%s" .image.repository (.image.tag | default .chart.AppVersion) -}}
{{- end -}}

{{/* [{name: a}, {name: b}] -> a,b */}}
{{- define "localregistry.secretNames" -}}
{{- range $index, $secret := . -}}
{{- if $index }},{{ end }}{{ $secret.name }}
{{- end -}}
{{- end -}}

{{/* The table as JSON; an empty one grants every namespace every name. */}}
{{- define "localregistry.hostPolicy" -}}
{{- .Values.hostPolicy | default (list (dict "namespaces" (list "*") "hosts" (list "*"))) | toJson -}}
{{- end -}}
