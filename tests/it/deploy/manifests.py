"""Validates the manifests of a file against Kubernetes' own description, refusing unknown keys.

    python manifests.py FILE VERSION...
"""

import sys

import kubernetes_validate
import yaml

# Kinds of the Prometheus operator, which Kubernetes does not describe.
ELSEWHERE = {"ServiceMonitor", "PrometheusRule"}

path, *versions = sys.argv[1:]
with open(path) as file:
    manifests = [manifest for manifest in yaml.safe_load_all(file) if manifest]
for version in versions:
    for manifest in manifests:
        if manifest["kind"] not in ELSEWHERE:
            kubernetes_validate.validate(manifest, version, strict=True)
print(len(manifests))
