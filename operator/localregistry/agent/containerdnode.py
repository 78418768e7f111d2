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
    match behind("containerd", host=host, processes=processes, runtime=runtime):
        case NodeResult() as missing:
            return missing
        case at, process:
            file = config_file(process) or containerdconfig.DEFAULT_FILE
            return configured(at, process, file, host=host, runtime=runtime)


def behind(
    kind: str, *, host: HostRoot, processes: Processes, runtime: Runtime
) -> tuple[endpoint.Endpoint, Process] | NodeResult:
    """The kind's socket and the containerd that owns it."""
    at = endpoint.find(kind, host=host, processes=processes, runtime=runtime)
    if at is None:
        return _waiting("No CRI socket of containerd answers on this node; it is asked again.")
    if isinstance(at, NodeResult):
        return at
    pid = endpoint.peer(at.path)
    process = processes.get(pid, "containerd") if pid else None
    if process is None:
        return _waiting(
            f"The process behind {at.node_path} is no containerd of the node itself; it is looked "
            "for again."
        )
    return at, process


def config_file(process: Process) -> str | None:
    """The file that the running daemon was given by flag."""
    flags = process.flags.get("config", process.flags.get("c", ()))
    return flags[-1] if flags else None


def configured(
    at: endpoint.Endpoint, process: Process, file: str, *, host: HostRoot, runtime: Runtime
) -> Found | NodeResult:
    """By what the daemon says of itself (1.x), else by its files."""
    registry = containerdconfig.from_status(runtime.ask("status", at.path).get("ok") or {})
    try:
        if registry is None:
            registry = containerdconfig.from_files(host, file, at.version)
        table = containerdconfig.table_of(host, file, at.version)
    except ValueError as error:
        return NodeResult(
            NodeReason.FOREIGN_CONFIG_INVALID,
            f"containerd's configuration cannot be read: {error}. Mend it.",
        )
    match containerdconfig.directory(registry, version=at.version, file=file, table=table):
        case containerdconfig.Directory(path, hint):
            return Found(process.identity, at.path, hint, directory=path)
        case NodeResult() as missing:
            return Found(process.identity, at.path, directory=missing)


def _waiting(sentence: str) -> NodeResult:
    return NodeResult(NodeReason.PENDING, sentence)
