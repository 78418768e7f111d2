"""Which writer serves a node, by what its kubelet reports as container runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localregistry.agent.guest import Guest
from localregistry.agent.helper import Runtime
from localregistry.agent.procs import Processes
from localregistry.agent.writer import Detected, Plan, Writer
from localregistry.trust import NodeReason, NodeResult, TrustedRegistry

_SENTENCES = {
    "cri-o": "CRI-O is not configured by this version of the agent; name the registry in a file "
    "below /etc/containers/registries.conf.d of this node.",
    "k3s": "k3s and RKE2 are not configured by this version of the agent; name the registry in "
    "registries.yaml of this node.",
}


@dataclass(frozen=True)
class Unsupported(Writer[Detected, Plan]):
    """Says so, and writes nothing."""

    sentence: str

    def detect(self) -> NodeResult:
        return NodeResult(NodeReason.UNSUPPORTED, self.sentence)

    def plan(self, wanted: Sequence[TrustedRegistry], found: Detected | NodeResult) -> Plan:
        return Plan(refused={registry.uid: self.detect() for registry in wanted})

    def apply(self, plan: Plan, found: Detected | NodeResult) -> Mapping[str, NodeResult]:
        return {}


AnyWriter = Writer[Any, Any]


def kind(runtime: str) -> str:
    """`containerd://1.7.24` → `containerd`; k3s's and RKE2's own containerd are `k3s`."""
    name, _, version = runtime.partition("://")
    return "k3s" if "k3s" in version or "rke2" in version else name


def kinds_of(paths: Iterable[str]) -> set[str]:
    """Whose files a journal names: another writer's are there after a node's runtime changed."""
    return {"containerd" if path.endswith("/hosts.toml") else "docker" for path in paths}


def writer(
    runtime: str,
    *,
    guest: Guest,
    processes: Processes,
    calls: Runtime,
    clock: Callable[[], float],
) -> AnyWriter:
    """The writer for `nodeInfo.containerRuntimeVersion`. A node holds the code of one in memory."""
    match kind(runtime):
        case "docker":
            from localregistry.agent.docker import Docker

            return Docker(guest, processes, calls, clock)
        case "containerd":
            from localregistry.agent.containerd import Containerd

            return Containerd(guest, processes, calls)
        case other:
            unknown = f"The runtime {runtime or 'of this node'!r} is not known to this agent."
            return Unsupported(_SENTENCES.get(other, unknown))
