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

{{/* dict "image" .Values.….image "root" $ -> repository:tag[@digest], below imageRegistry where that
     is set: whatever stands before the first slash and holds a dot or a port is a registry. */}}
{{- define "localregistry.image" -}}
{{- $repository := .image.repository -}}
{{- with .root.Values.imageRegistry -}}
{{- $repository = printf "%s/%s" . (regexReplaceAll "^([^/]*[.:][^/]*|localhost)/" $repository "") -}}
{{- end -}}
{{- $tag := .image.tag | default .root.Chart.AppVersion -}}
{{- if and .image.digest (contains "@" $tag) -}}
{{- fail (printf "the image %s has a digest in its tag and another beside it: leave one of them out" $repository) -}}
{{- end -}}
{{- printf "%s:%s" $repository $tag -}}
{{- with .image.digest -}}{{- printf "@%s" . -}}{{- end -}}
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

{{/* Where the operator's pods, and what it takes them away by, may run. */}}
{{- define "localregistry.placement" -}}
nodeSelector: {{- merge (dict "kubernetes.io/os" "linux") .Values.nodeSelector | toYaml | nindent 2 }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{/* The pod of the operator, and of what speaks to it: nobody, and no right on the node. */}}
{{- define "localregistry.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "localregistry.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
privileged: false
capabilities:
  drop: [ALL]
{{- end -}}
