"""The containerd that this node's kubelet uses, found by evidence."""

from __future__ import annotations

from dataclasses import dataclass

from localregistry.agent import containerdconfig, endpoint
from localregistry.agent.helper import Runtime
from localregistry.agent.paths import HostRoot
from localregistry.agent.procs import Process, Processes
from localregistry.agent.writer import Detected
from localregistry.trust import NodeReason, NodeResult


@dataclass(frozen=True)
class Found(Detected):
    """`directory` is containerd's registry directory, or why there is none."""

    directory: str | NodeResult = ""


def detect(*, host: HostRoot, processes: Processes, runtime: Runtime) -> Found | NodeResult:
    """The socket that answers as containerd, the process behind it, its effective config_path."""
    at = endpoint.find("containerd", host=host, processes=processes, runtime=runtime)
    if at is None:
        return _waiting("No CRI socket of containerd answers on this node; it is asked again.")
    if "k3s" in at.version or "rke2" in at.version or "/k3s/" in at.node_path:
        return NodeResult(
            NodeReason.UNSUPPORTED,
            "k3s and RKE2 generate containerd's registry directory themselves, which this version "
            "of the agent does not write into; name the registry in registries.yaml.",
        )
    pid = endpoint.peer(at.path)
    process = processes.get(pid, "containerd") if pid else None
    if process is None:
        return _waiting(
            f"The process behind {at.node_path} is no containerd of the node itself; it is looked "
            "for again."
        )
    return _configured(at, process, host=host, runtime=runtime)


def _configured(
    at: endpoint.Endpoint, process: Process, *, host: HostRoot, runtime: Runtime
) -> Found | NodeResult:
    flags = process.flags.get("config", process.flags.get("c", ()))
    file = flags[0] if flags else containerdconfig.DEFAULT_FILE
    registry = containerdconfig.from_status(runtime.ask("status", at.path).get("ok") or {})
    if registry is None:
        try:
            registry = containerdconfig.from_files(host, file, at.version)
        except ValueError as error:
            return NodeResult(
                NodeReason.FOREIGN_CONFIG_INVALID,
                f"containerd's configuration cannot be read: {error}. Mend it.",
            )
    match containerdconfig.directory(registry, version=at.version, file=file):
        case containerdconfig.Directory(path, hint):
            return Found(process.identity, at.path, hint, directory=path)
        case NodeResult() as missing:
            return Found(process.identity, at.path, directory=missing)


def _waiting(sentence: str) -> NodeResult:
    return NodeResult(NodeReason.PENDING, sentence)
