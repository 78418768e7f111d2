"""The dockerd of this node, found by evidence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from localregistry.agent import dockerapi, endpoint
from localregistry.agent.helper import Runtime
from localregistry.agent.paths import HostRoot
from localregistry.agent.procs import Process, Processes
from localregistry.agent.versions import release
from localregistry.agent.writer import Detected
from localregistry.trust import NodeReason, NodeResult

DEFAULT_CONFIG = "/etc/docker/daemon.json"
DEFAULT_SOCKET = "/var/run/docker.sock"


@dataclass(frozen=True, kw_only=True)
class Found(Detected):
    """The running daemon; `api` serves, `config_path` is the node's path of its daemon.json.

    `reads_hosts_toml`: its image store looks for hosts.toml at each pull.
    """

    process: Process
    api: Path
    config_path: str
    reads_hosts_toml: bool


def detect(*, host: HostRoot, processes: Processes, runtime: Runtime) -> Found | NodeResult:
    """A daemon of the node's own PID namespace, running as root, whose API serves already."""
    process = _daemon(host, processes)
    if isinstance(process, NodeResult):
        return process
    config = process.flags.get("config-file", (DEFAULT_CONFIG,))[-1]
    if not config.startswith("/"):
        return NodeResult(
            NodeReason.UNSUPPORTED,
            f"dockerd reads --config-file {config}, a relative path; make it absolute.",
        )
    api = host.resolve(_socket(process))
    if not dockerapi.ping(api):
        return _waiting(f"dockerd (PID {process.pid}) does not serve its API yet.")
    try:
        info = dockerapi.info(api)
    except dockerapi.NoAnswer as error:
        return _waiting(f"dockerd (PID {process.pid}) does not answer: {error}.")
    at = endpoint.find("docker", host=host, processes=processes, runtime=runtime)
    return Found(
        identity=process.identity,
        cri=at.path if isinstance(at, endpoint.Endpoint) else None,
        process=process,
        api=api,
        config_path=config,
        # Up to 27 the containerd store goes by insecure-registries, like the graphdriver store.
        reads_hosts_toml=info.containerd_store and release(info.version) >= (28, 0, 0),
    )


def _daemon(host: HostRoot, processes: Processes) -> Process | NodeResult:
    found = processes.named("dockerd")
    if len(found) > 1:
        # Another dockerd beside the node's (for builds, say) has another socket.
        owner = endpoint.peer(host.resolve(DEFAULT_SOCKET))
        found = [process for process in found if process.pid == owner] or found
    match found:
        case [process]:
            return process
        case []:
            # Asking its socket would start one that is socket-activated.
            return _waiting("dockerd does not run on this node; it is configured when it does.")
        case _:
            return NodeResult(
                NodeReason.UNSUPPORTED,
                f"{len(found)} dockerd run on this node (PIDs "
                f"{', '.join(str(process.pid) for process in found)}), and none of them owns "
                f"{DEFAULT_SOCKET}: which one the kubelet uses cannot be told.",
            )


def _socket(process: Process) -> str:
    for value in (*process.flags.get("H", ()), *process.flags.get("host", ())):
        if value.startswith("unix://"):
            return value.removeprefix("unix://") or DEFAULT_SOCKET
    return DEFAULT_SOCKET


def _waiting(sentence: str) -> NodeResult:
    return NodeResult(NodeReason.PENDING, sentence)
