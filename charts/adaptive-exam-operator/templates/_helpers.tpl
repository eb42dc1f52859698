{{/* Name of all objects. Suffixes of at most 10 characters follow; 63 is the limit of a label. */}}
{{- define "operator.name" -}}
{{- .Values.fullnameOverride | default .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "operator.account" -}}
{{- .Values.serviceAccount.name | default (include "operator.name" .) -}}
{{- end -}}

{{- define "operator.selector" -}}
app.kubernetes.io/name: adaptive-exam-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "operator.labels" -}}
{{ include "operator.labelsWith" (list . dict) }}
{{- end -}}

{{/* Labels of an object, with more of them. In: a list of the root, and a map. The chart's own labels win. */}}
{{- define "operator.labelsWith" -}}
{{- $root := index . 0 -}}
{{- $own := include "operator.selector" $root | fromYaml -}}
{{- $own = merge $own (dict
  "app.kubernetes.io/version" $root.Chart.AppVersion
  "app.kubernetes.io/managed-by" $root.Release.Service
  "app.kubernetes.io/part-of" "adaptive-exam"
  "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version)
) -}}
{{ merge $own (index . 1) $root.Values.commonLabels | toYaml }}
{{- end -}}

{{/* A reference from {registry, repository, tag, digest}. In: a list of the root, these values, and the tag if they have none. */}}
{{- define "operator.reference" -}}
{{- $root := index . 0 -}}{{- $image := index . 1 -}}{{- $tag := index . 2 -}}
{{- $registry := $root.Values.global.imageRegistry | default $image.registry -}}
{{- $repository := ternary $image.repository (printf "%s/%s" (trimSuffix "/" $registry) $image.repository) (empty $registry) -}}
{{- if $image.digest -}}
{{ $repository }}@{{ $image.digest }}
{{- else -}}
{{ $repository }}:{{ $image.tag | default $tag }}
{{- end -}}
{{- end -}}

{{- define "operator.image" -}}
{{ include "operator.reference" (list . .Values.image .Chart.AppVersion) }}
{{- end -}}

{{- define "operator.serviceImage" -}}
{{ .Values.defaults.serviceImage | default (include "operator.reference" (list . .Values.defaults.service .Chart.AppVersion)) }}
{{- end -}}

{{- define "operator.redisImage" -}}
{{ .Values.defaults.redisImage | default (include "operator.reference" (list . .Values.defaults.redis "")) }}
{{- end -}}

{{- define "operator.exporterImage" -}}
{{ .Values.defaults.exporterImage | default (include "operator.reference" (list . .Values.defaults.exporter "")) }}
{{- end -}}

{{/* Pull secrets of a pod, as a YAML list; empty if there are none. */}}
{{- define "operator.pullSecrets" -}}
{{- with concat .Values.global.imagePullSecrets .Values.imagePullSecrets | uniq -}}
{{ toYaml . }}
{{- end -}}
{{- end -}}

{{/* Whether the cluster knows a kind. In: a list of the root, and the kind with its API version. */}}
{{- define "operator.knows" -}}
{{- if (index . 0).Capabilities.APIVersions.Has (index . 1) -}}yes{{- end -}}
{{- end -}}
