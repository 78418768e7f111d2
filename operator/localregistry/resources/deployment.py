"""The registry's pod."""

from __future__ import annotations

import copy
from typing import Any

from localregistry.spec.names import CONFIG_CHECKSUM_ANNOTATION, child_name
from localregistry.spec.registry import LocalRegistry
from localregistry.spec.storage import AccessMode
from localregistry.usage import report

from . import configmap, rollout
from .claim import claim_name
from .config import OperatorConfig
from .meta import REGISTRY, child_metadata, registry_labels, registry_selector

PORT_NAME = "registry"
USAGE_PORT_NAME = "usage"
CONFIG_DIRECTORY = "/etc/localregistry"
# Distroless images' "nonroot"; distribution needs nothing of root.
USER = 65532
# The drain, and some seconds for the process to end after it.
GRACE_SECONDS = configmap.DRAIN_SECONDS + 15

# An idle registry takes some 20 MiB; a push some more per connection. No CPU limit: it would only
# make pushes slow.
DEFAULT_RESOURCES = {
    "requests": {"cpu": "50m", "memory": "128Mi"},
    "limits": {"memory": "1Gi"},
}


def build(registry: LocalRegistry, config: OperatorConfig) -> dict[str, Any] | None:
    """A Deployment of one replica of distribution v3."""
    deployment: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": child_metadata(registry),
        "spec": {
            "replicas": 1,
            "revisionHistoryLimit": 2,
            "strategy": {"type": _strategy(registry)},
            "selector": {"matchLabels": registry_selector(registry)},
            "template": {
                "metadata": {
                    "labels": registry_labels(registry),
                    "annotations": {CONFIG_CHECKSUM_ANNOTATION: configmap.checksum(registry)},
                },
                "spec": _pod(registry, config),
            },
        },
    }
    return rollout.marked(deployment)


def _strategy(registry: LocalRegistry) -> str:
    """A volume for one node cannot be mounted by the new pod before the old one is gone."""
    shared = AccessMode.READ_WRITE_MANY.value in registry.spec.storage.access_modes
    return "RollingUpdate" if shared and claim_name(registry) else "Recreate"


def _pod(registry: LocalRegistry, config: OperatorConfig) -> dict[str, Any]:
    spec = registry.spec
    pod: dict[str, Any] = {
        "automountServiceAccountToken": False,
        # The environment of a Service named `registry` would be read as the engine's settings.
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(registry, config), _usage(config)],
        "volumes": [
            {"name": "config", "configMap": {"name": child_name(registry.name)}},
            {"name": "data", **_data_volume(registry)},
        ],
    }
    if spec.image_pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in spec.image_pull_secrets]
    if spec.node_selector:
        pod["nodeSelector"] = dict(spec.node_selector)
    if spec.tolerations:
        pod["tolerations"] = [dict(toleration) for toleration in spec.tolerations]
    if spec.affinity:
        pod["affinity"] = dict(spec.affinity)
    return pod


def _container(registry: LocalRegistry, config: OperatorConfig) -> dict[str, Any]:
    return {
        "name": REGISTRY,
        "image": registry.spec.image or config.registry_image,
        "imagePullPolicy": config.image_pull_policy,
        "args": ["serve", f"{CONFIG_DIRECTORY}/{configmap.CONFIG_KEY}"],
        # Without it, some builds of distribution 3 log a failed export every few seconds.
        "env": [{"name": "OTEL_TRACES_EXPORTER", "value": "none"}],
        "ports": [
            {"name": PORT_NAME, "containerPort": configmap.HTTP_PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": configmap.METRICS_PORT, "protocol": "TCP"},
        ],
        # `/` answers 503 while the storage is sick: no traffic then, but no restart either.
        "readinessProbe": {
            "httpGet": {"path": "/", "port": PORT_NAME},
            "periodSeconds": 5,
            "timeoutSeconds": 3,
            "failureThreshold": 2,
        },
        # Asks each second until the engine listens, so that readiness is asked at once then.
        "startupProbe": {
            "tcpSocket": {"port": PORT_NAME},
            "periodSeconds": 1,
            "failureThreshold": 60,
        },
        "livenessProbe": {
            "tcpSocket": {"port": PORT_NAME},
            "periodSeconds": 10,
            "timeoutSeconds": 3,
            "failureThreshold": 3,
        },
        "resources": copy.deepcopy(dict(registry.spec.resources) or DEFAULT_RESOURCES),
        "securityContext": _restricted(),
        "volumeMounts": [
            {"name": "config", "mountPath": CONFIG_DIRECTORY, "readOnly": True},
            {"name": "data", "mountPath": configmap.STORAGE_ROOT},
        ],
    }


def _usage(config: OperatorConfig) -> dict[str, Any]:
    """Says how much of the volume is used, and serves the page. It takes part in nothing that the
    registry does. The page's port is not named here: that would be another template, and so a new
    pod for each registry that there is.

    Without probes: a restart of it makes the pod not ready for a moment, which no wrong figure is
    worth, and it never ends by itself.
    """
    return {
        "name": rollout.USAGE,
        "image": config.agent_image,
        "imagePullPolicy": config.image_pull_policy,
        "args": ["usage"],
        "ports": [{"name": USAGE_PORT_NAME, "containerPort": report.PORT, "protocol": "TCP"}],
        # About 15 MiB, half of it the interpreter's files; 100,000 blobs add less than one, 10,000
        # tags on the page three, and the worst that a crowd can ask of it stays below 48.
        "resources": {
            "requests": {"cpu": "5m", "memory": "24Mi"},
            "limits": {"memory": "64Mi"},
        },
        "securityContext": _restricted(),
        "volumeMounts": [
            {"name": "data", "mountPath": configmap.STORAGE_ROOT, "readOnly": True},
        ],
    }


def _restricted() -> dict[str, Any]:
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def _data_volume(registry: LocalRegistry) -> dict[str, Any]:
    name = claim_name(registry)
    if name is None:
        return {"emptyDir": {}}
    return {"persistentVolumeClaim": {"claimName": name}}
