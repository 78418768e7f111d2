"""The DaemonSet `node-agent`: one agent on every Linux node."""

from __future__ import annotations

from typing import Any

from localregistry.spec.names import COMPONENT_LABEL
from localregistry.trust import AGENT_PORT, TASK_ANNOTATION

from . import trust_config
from .config import OperatorConfig
from .meta import MANAGED, labels, selector

NAME = "node-agent"
COMPONENT = "node-agent"
CONTAINER = "agent"
PORT_NAME = "status"

# Selects the agents' pods.
PODS = f"{MANAGED},{COMPONENT_LABEL}={COMPONENT}"

HOST_PATH = "/host"
TRUST_PATH = "/var/run/localregistry/trust"
POD_PATH = "/var/run/localregistry/pod"
TASK_FILE = "task"


def selector_labels() -> dict[str, str]:
    """The labels by which the operator finds the agents' pods."""
    return selector(NAME, NAME, COMPONENT)


def build(config: OperatorConfig) -> dict[str, Any]:
    """Nothing of any LocalRegistry is in it: a change of trust is never a roll-out."""
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {
            "name": NAME,
            "namespace": config.namespace,
            "labels": labels(NAME, NAME, COMPONENT),
        },
        "spec": {
            "revisionHistoryLimit": 2,
            "selector": {"matchLabels": selector_labels()},
            # A broken image stops at a tenth of the nodes; what the others wrote stays.
            "updateStrategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": "10%"},
            },
            "template": {
                "metadata": {"labels": labels(NAME, NAME, COMPONENT)},
                "spec": _pod(config),
            },
        },
    }


def _pod(config: OperatorConfig) -> dict[str, Any]:
    pod: dict[str, Any] = {
        # The agent has no right in the API, and no credential to ask for one.
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "hostPID": True,
        "priorityClassName": "system-node-critical",
        "terminationGracePeriodSeconds": 10,
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": _eligible_nodes()},
        "containers": [_container(config)],
        "volumes": [
            {"name": "host", "hostPath": {"path": "/", "type": "Directory"}},
            # Optional: the pods may be there before the first document is.
            {"name": "trust", "configMap": {"name": trust_config.NAME, "optional": True}},
            {"name": "pod", "downwardAPI": {"items": [_task()]}},
        ],
    }
    if config.image_pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in config.image_pull_secrets]
    return pod


def _eligible_nodes() -> dict[str, Any]:
    """Linux nodes with a runtime of their own; a virtual kubelet's node has none."""
    expressions = [
        {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]},
        {"key": "type", "operator": "NotIn", "values": ["virtual-kubelet"]},
    ]
    terms = [{"matchExpressions": expressions}]
    return {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}


def _task() -> dict[str, Any]:
    field_path = f"metadata.annotations['{TASK_ANNOTATION}']"
    return {"path": TASK_FILE, "fieldRef": {"apiVersion": "v1", "fieldPath": field_path}}


def _container(config: OperatorConfig) -> dict[str, Any]:
    health = {"httpGet": {"path": "/healthz", "port": PORT_NAME}, "timeoutSeconds": 5}
    return {
        "name": CONTAINER,
        "image": config.agent_image,
        "imagePullPolicy": config.image_pull_policy,
        "args": ["agent"],
        "ports": [{"name": PORT_NAME, "containerPort": AGENT_PORT, "protocol": "TCP"}],
        # The process only: a node that cannot be configured must not stop a roll-out.
        "readinessProbe": {**health, "periodSeconds": 5},
        "livenessProbe": {
            **health,
            "initialDelaySeconds": 10,
            "periodSeconds": 20,
            "failureThreshold": 3,
        },
        "resources": {kind: dict(amounts) for kind, amounts in config.agent_resources.items()},
        "securityContext": _security(privileged=config.agent_privileged),
        "volumeMounts": [
            # Mounts that the node makes later, a tmpfs for instance, must be seen too.
            {"name": "host", "mountPath": HOST_PATH, "mountPropagation": "HostToContainer"},
            {"name": "trust", "mountPath": TRUST_PATH, "readOnly": True},
            {"name": "pod", "mountPath": POD_PATH, "readOnly": True},
        ],
    }


def _security(*, privileged: bool) -> dict[str, Any]:
    """Either way root of the node: it writes the runtime's files and signals the runtime."""
    common: dict[str, Any] = {"runAsUser": 0, "runAsGroup": 0, "readOnlyRootFilesystem": True}
    if privileged:
        return {"privileged": True, **common}
    return {
        "privileged": False,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
        # AppArmor's and SELinux' defaults keep a container from signalling the host's processes.
        "appArmorProfile": {"type": "Unconfined"},
        "seLinuxOptions": {"type": "spc_t"},
        **common,
    }
