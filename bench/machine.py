"""What figures depend on, and nothing that names the machine: cores, memory, load, versions."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from e2e.cluster import SYSTEM, Cluster
from kind import settings

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Circumstances:
    """Begun before a measurement and closed after it, for the load of both."""

    started: float = field(default_factory=time.monotonic)
    load_start: float = field(default_factory=lambda: _load())

    def close(self, versions: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "commit": _output("git", "describe", "--always", "--dirty"),
            "seconds": round(time.monotonic() - self.started),
            "cores": len(os.sched_getaffinity(0)),
            "memory_gib": round(
                os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1
            ),
            "architecture": platform.machine(),
            "kernel": platform.release().split("-")[0],
            # Processes that ran or waited to, on average of the minute before; the end's is the
            # measurement's own. More than `cores` at the start, and times say little.
            "load_start": self.load_start,
            "load_end": _load(),
            "versions": dict(versions),
        }


def of_control_plane() -> dict[str, str]:
    """Of a measurement with nothing but etcd, API server and the operator as a process."""
    return {
        "python": platform.python_version(),
        "kubernetes": settings.from_environment().kubernetes.removeprefix("v"),
        "registry": settings.REGISTRY_IMAGE.rpartition(":")[2],
    }


def of_cluster(cluster: Cluster) -> dict[str, str]:
    """Of the kind cluster; `python` is the operator's in its image."""
    info = [node["status"]["nodeInfo"] for node in cluster.get("nodes")["items"]]
    operator = ("exec", "deployment/localregistry", "-n", SYSTEM, "--")
    version = cluster.kubectl(
        *operator,
        "/opt/localregistry/bin/python3",
        "-c",
        "import platform; print(platform.python_version())",
        check=False,
    )
    return {
        "python": version.stdout.strip() or "unknown",
        "kubernetes": str(info[0]["kubeletVersion"]).removeprefix("v"),
        "runtimes": ", ".join(_short(node["containerRuntimeVersion"]) for node in info),
        "engine": _output("docker", "version", "--format", "{{.Server.Version}}"),
        "registry": settings.REGISTRY_IMAGE.rpartition(":")[2],
        "ingress": settings.INGRESS_IMAGE.rpartition("/")[2].replace(":v", " "),
    }


def _short(runtime: str) -> str:
    """`containerd://2.1.4` -> `containerd 2.1.4`."""
    return " ".join(part.split("~")[0] for part in runtime.split("://"))


def _load() -> float:
    return round(os.getloadavg()[0], 1)


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"
