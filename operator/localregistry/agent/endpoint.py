"""The CRI socket that the kubelet of this node uses."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from localregistry.agent.helper import Runtime
from localregistry.agent.paths import HostRoot
from localregistry.agent.procs import Processes

KNOWN = {
    "docker": ("/run/cri-dockerd.sock", "/var/run/cri-dockerd.sock"),
    "containerd": (
        "/run/containerd/containerd.sock",
        "/run/k0s/containerd.sock",
        "/var/snap/microk8s/common/run/containerd.sock",
    ),
}


@dataclass(frozen=True)
class Endpoint:
    """A socket that answered a CRI Version call, and the version of the runtime behind it."""

    node_path: str
    path: Path
    version: str


def find(
    runtime_name: str, *, host: HostRoot, processes: Processes, runtime: Runtime
) -> Endpoint | None:
    """The socket of `runtime_name` ("docker", "containerd"): the kubelet's flag where it is
    visible, else the known paths. Which one exists proves nothing: a Docker node has containerd's
    socket too, so each must name its runtime."""
    for node_path in _candidates(runtime_name, processes):
        path = host.resolve(node_path)
        if not path.is_socket():
            continue
        answer = runtime.ask("version", path).get("ok") or {}
        if answer.get("name") == runtime_name:
            return Endpoint(node_path, path, str(answer.get("version", "")))
    return None


def peer(path: Path) -> int | None:
    """PID of the process that listens on a Unix socket (of the init system where it is socket
    activated); None where nobody does."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            connection.connect(str(path))
            raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            return int(struct.unpack("iII", raw)[0]) or None
    except OSError:
        return None


def _candidates(runtime_name: str, processes: Processes) -> Sequence[str]:
    flags = [
        value.removeprefix("unix://")
        for kubelet in processes.named("kubelet")
        for value in kubelet.flags.get("container-runtime-endpoint", ())
    ]
    return list(dict.fromkeys([*flags, *KNOWN.get(runtime_name, ())]))
