"""The CRI socket that the kubelet of this node uses."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from localregistry.agent.helper import Runtime
from localregistry.agent.paths import HostRoot
from localregistry.agent.procs import Processes
from localregistry.trust import NodeReason, NodeResult

KNOWN = {
    "docker": (
        "/run/cri-dockerd.sock",
        "/var/run/cri-dockerd.sock",
        "/run/k3s/cri-dockerd/cri-dockerd.sock",
    ),
    "containerd": (
        "/run/containerd/containerd.sock",
        "/run/k0s/containerd.sock",
        "/var/snap/microk8s/common/run/containerd.sock",
    ),
    # RKE2's containerd listens where k3s's does.
    "k3s": ("/run/k3s/containerd/containerd.sock",),
    "cri-o": ("/run/crio/crio.sock", "/var/run/crio/crio.sock"),
}

# What the kind's runtime calls itself where that is another word.
_OWN_NAMES = {"k3s": "containerd"}

# In the kubelet's configuration file, which is YAML of one key per line.
_IN_FILE = re.compile(r"""^containerRuntimeEndpoint:\s*["']?(?:unix://)?(/[^\s"'#]+)""", re.M)


@dataclass(frozen=True)
class Endpoint:
    """A socket that answered a CRI Version call, and the version of the runtime behind it."""

    node_path: str
    path: Path
    version: str


def find(
    kind: str, *, host: HostRoot, processes: Processes, runtime: Runtime
) -> Endpoint | NodeResult | None:
    """The socket of the kind ("docker", "containerd", "k3s", "cri-o"): the kubelet's own where it
    shows, else the known one that answers. Which one exists proves nothing: a Docker node has
    containerd's socket too, so each must name its runtime. Several are not chosen from."""
    name = _OWN_NAMES.get(kind, kind)
    found: dict[Path, Endpoint] = {}
    for node_path in _of_kubelet(host, processes) or KNOWN.get(kind, ()):
        path = host.resolve(node_path)
        if path in found or not path.is_socket():
            continue
        answer = runtime.ask("version", path).get("ok") or {}
        if answer.get("name") == name:
            found[path] = Endpoint(node_path, path, str(answer.get("version", "")))
    match list(found.values()):
        case []:
            return None
        case [one]:
            return one
        case several:
            return NodeResult(
                NodeReason.UNSUPPORTED,
                f"Several sockets answer as {name}: {', '.join(e.node_path for e in several)}. "
                "Which one the kubelet uses cannot be told; name it by the kubelet's "
                "--container-runtime-endpoint.",
            )


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


def _of_kubelet(host: HostRoot, processes: Processes) -> Sequence[str]:
    """By its flag, which wins, or by its configuration file."""
    paths: list[str] = []
    for kubelet in processes.named("kubelet"):
        flags = kubelet.flags.get("container-runtime-endpoint", ())
        paths += [flag.removeprefix("unix://") for flag in flags]
        for file in kubelet.flags.get("config", ()) if not flags else ():
            try:
                paths += _IN_FILE.findall(host.resolve(file).read_text())
            except (OSError, ValueError):
                continue
    return [path for path in paths if path.startswith("/")]
