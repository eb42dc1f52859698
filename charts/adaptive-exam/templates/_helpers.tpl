{{- define "exam.name" -}}
{{- $name := .Values.fullnameOverride | default .Release.Name -}}
{{- if or (gt (len $name) 40) (not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name)) -}}
{{- fail (printf "the name %s becomes part of Service names: use at most 40 lower-case letters, digits and hyphens, starting with a letter (fullnameOverride, or another release name)" $name) -}}
{{- end -}}
{{- if regexMatch "-(ops|redis|redis-nodes|redis-sentinel|redis-metrics)$" $name -}}
{{- fail (printf "the name %s ends as what is made for another resource does: choose another ending (fullnameOverride, or another release name)" $name) -}}
{{- end -}}
{{ $name }}
{{- end -}}

{{/* The spec, as YAML: fields that have a value, and over them what .Values.spec says. */}}
{{- define "exam.spec" -}}
{{- $spec := dict -}}
{{- range $field := list "allowedOrigins" "auth" "database" "exam" "image" "limits" "monitoring" "networkPolicy" "paused" "redis" "rollback" "service" "traces" "update" -}}
{{- with index $.Values $field -}}
{{- $_ := set $spec $field . -}}
{{- end -}}
{{- end -}}
{{ mergeOverwrite (deepCopy $spec) (deepCopy .Values.spec) | toYaml }}
{{- end -}}

{{- define "exam.validate" -}}
{{- $spec := include "exam.spec" . | fromYaml -}}
{{- $postgres := dig "database" "urlSecretRef" "" $spec -}}
{{- if and (not $postgres) (or (gt (int (dig "service" "replicas" 1 $spec)) 1) (dig "service" "autoscaling" "" $spec)) -}}
{{- fail "more than one pod of the service needs database.urlSecretRef: an embedded SQLite file is held by one pod" -}}
{{- end -}}
{{- if and (eq (dig "redis" "mode" "memory" $spec) "external") (not (dig "redis" "external" "" $spec)) -}}
{{- fail "redis.mode external needs redis.external, which says where that Redis is" -}}
{{- end -}}
{{- if ne (eq (dig "auth" "mode" "token" $spec) "jwt") (not (empty (dig "auth" "jwt" "" $spec))) -}}
{{- fail "auth.mode jwt and the section auth.jwt go together" -}}
{{- end -}}
{{- end -}}
