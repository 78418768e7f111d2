"""Which writer serves a node, by what its kubelet reports as container runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localregistry.agent.guest import Guest
from localregistry.agent.helper import Runtime
from localregistry.agent.journal import Journal
from localregistry.agent.procs import Processes
from localregistry.agent.writer import Detected, Plan, Writer
from localregistry.trust import NodeReason, NodeResult, TrustedRegistry


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


def kinds_of(journal: Journal) -> set[str]:
    """Whose files a journal names: another writer's are there after a node's runtime changed."""
    # Entries in somebody else's file are docker's: no other writer makes such.
    return {record.writer or "docker" for record in journal.records().values()}


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
            from localregistry.agent.dockerways import AnyDocker

            return AnyDocker(guest, processes, calls, clock)
        case "containerd":
            from localregistry.agent.containerd import Containerd

            return Containerd(guest, processes, calls)
        case "k3s":
            from localregistry.agent.k3s import K3s

            return K3s(guest, processes, calls)
        case "cri-o":
            from localregistry.agent.crio import Crio

            return Crio(guest, processes, calls)
        case _:
            known = "docker, containerd, CRI-O, k3s and RKE2"
            return Unsupported(
                f"The runtime {runtime or 'of this node'!r} is not known to this agent, which "
                f"configures {known}."
            )
