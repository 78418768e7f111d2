"""A cluster of three nodes and one LocalRegistry, as the API server would give it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from localregistry.commands.catalogue import Catalogue, Tag
from unit.spec.bodies import body

Body = dict[str, Any]

NOW = datetime(2026, 1, 2, 5, 0, 0, tzinfo=UTC)
MISSING_PATH = (
    "containerd has no config_path, so no hosts.toml is read: add "
    "config_path = '/etc/containerd/certs.d' under [plugins.'io.containerd.cri.v1.images'.registry]"
    " of /etc/containerd/config.toml and restart containerd on this node once."
)


def condition(kind: str, status: str, reason: str, message: str = "") -> Body:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": "2026-01-02T04:18:00Z",
    }


def node(name: str, runtime: str = "containerd://2.1.9", *, ready: bool = True) -> Body:
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/os": "linux"}},
        "status": {
            "nodeInfo": {"containerRuntimeVersion": runtime},
            "conditions": [{"type": "Ready", "status": "True" if ready else "Unknown"}],
        },
    }


NODES = [node("node-a"), node("node-b", "docker://28.5.2"), node("node-c", "containerd://1.7.24")]


def failing(name: str, reason: str, message: str) -> Body:
    return {"name": name, "runtime": "", "reason": reason, "message": message}


def registry(spec: Body | None = None, *, status: Body | None = None, name: str = "dev") -> Body:
    """One that two of three nodes can pull from; `status` over that."""
    found = body(spec, name=name)
    words = f"2/3 nodes can pull; node-c: {MISSING_PATH}"
    found["status"] = {
        "observedGeneration": 1,
        "url": "http://registry.example.internal",
        "conditions": [
            condition("Ready", "False", "NodesFailing", words),
            condition("StorageReady", "True", "ClaimBound", "The claim is bound"),
            condition("RegistryAvailable", "True", "DeploymentAvailable", "The registry answers"),
            condition("Exposed", "Unknown", "IngressPending", "The Ingress waits"),
            condition("NodesReady", "False", "NodesFailing", words),
        ],
        "nodes": {
            "desired": 3,
            "ready": 2,
            "summary": "2/3",
            "failing": [failing("node-c", "ConfigPathMissing", MISSING_PATH)],
        },
        "storage": {
            "claimName": "dev-registry",
            "capacity": "20Gi",
            "used": "1.2Gi",
            "summary": "1.2Gi/20Gi",
        },
        **(status or {}),
    }
    return found


CATALOGUE = Catalogue(
    tags=(
        Tag("app", "1", "sha256:" + "a1" * 32, 52_428_800, "2026-01-02T04:59:20Z"),
        Tag("app", "2", "sha256:" + "b2" * 32, 52_500_000, "2026-01-02T03:00:00Z"),
        Tag("team/web", "latest", None, None, None),
    ),
    repositories=2,
)
