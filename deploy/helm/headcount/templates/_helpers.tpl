{{- define "headcount.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "headcount.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains (include "headcount.name" .) .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "headcount.name" .) | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Every pod of the release. */}}
{{- define "headcount.releaseLabels" -}}
app.kubernetes.io/name: {{ include "headcount.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* The agent's pod, and not the one that `helm test` starts beside it. */}}
{{- define "headcount.agentLabels" -}}
{{ include "headcount.releaseLabels" . }}
app.kubernetes.io/component: agent
{{- end }}

{{- define "headcount.labels" -}}
{{ include "headcount.agentLabels" . }}
{{ include "headcount.commonLabels" . }}
{{- end }}

{{- define "headcount.commonLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: headcount
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "headcount.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "headcount.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "headcount.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}
{{- end }}

{{- define "headcount.claim" -}}
{{- .Values.persistence.existingClaim | default (include "headcount.fullname" .) }}
{{- end }}

{{/* "true" when a source reads the cluster that the agent runs in, "" otherwise. */}}
{{- define "headcount.readsThisCluster" -}}
{{- range .Values.config.sources }}
{{- if and (eq .connector "kubernetes") (not .kubeconfig) }}true{{ end }}
{{- end }}
{{- end }}

{{/* "true" when such a source asks for the metadata of secrets, "" otherwise. */}}
{{- define "headcount.asksForSecretMetadata" -}}
{{- range .Values.config.sources }}
{{- if and (eq .connector "kubernetes") (not .kubeconfig) .secret_metadata }}true{{ end }}
{{- end }}
{{- end }}

{{/* The configuration as the agent reads it. The chart owns where the inventory lies and the port. */}}
{{- define "headcount.config" -}}
{{- $config := deepCopy .Values.config }}
{{- if hasKey $config "data_dir" }}
{{- fail "config.data_dir: the chart sets it; see `persistence`" }}
{{- end }}
{{- if hasKey ($config.server | default dict) "listen" }}
{{- fail "config.server.listen: the chart sets it; see `service.port`" }}
{{- end }}
{{- if and (include "headcount.asksForSecretMetadata" .) .Values.rbac.create (not .Values.rbac.secretMetadata) }}
{{- fail "a source has `secret_metadata: true`, which needs `rbac.secretMetadata: true`: the right to list secrets, which Kubernetes cannot limit to metadata" }}
{{- end }}
{{- $_ := set $config "data_dir" "/var/lib/headcount/data" }}
{{- $_ := set $config "server" (merge (dict "listen" "0.0.0.0:9464") ($config.server | default dict)) }}
{{- toYaml $config }}
{{- end }}

{{- define "headcount.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "headcount.containerSecurityContext" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* What the agent and the test pod both read. */}}
{{- define "headcount.readMounts" -}}
- name: config
  mountPath: /etc/headcount/headcount.yaml
  subPath: headcount.yaml
  readOnly: true
{{- range .Values.secretMounts }}
- name: secret-{{ .name }}
  mountPath: /etc/headcount/secrets/{{ .name }}
  readOnly: true
{{- end }}
- name: tmp
  mountPath: /tmp
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "headcount.readVolumes" -}}
- name: config
  configMap:
    name: {{ include "headcount.fullname" . }}
{{- range .Values.secretMounts }}
- name: secret-{{ .name }}
  secret:
    secretName: {{ .secretName }}
    defaultMode: 0440
    {{- with .keys }}
    items:
      {{- range . }}
      - key: {{ . }}
        path: {{ . }}
      {{- end }}
    {{- end }}
{{- end }}
- name: tmp
  emptyDir:
    sizeLimit: 512Mi
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
