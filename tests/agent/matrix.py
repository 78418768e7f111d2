"""The runtimes of the matrix."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One column of the matrix. `suite` is the Debian root; `built` are programs of Go modules that
    take the place of the suite's; `flags` choose the image store where it is not the default. What
    is not `core` runs, but for the few cases of `every_runtime`, in the long part alone.
    """

    name: str
    engine: str
    suite: str
    built: tuple[str, ...] = ()
    containerd_store: bool = False
    flags: tuple[str, ...] = ()
    core: bool = False

    @property
    def graphdriver(self) -> bool:
        """Docker's own image store: daemon.json, /etc/hosts and a signal. All else: hosts.toml."""
        return self.engine == "docker" and not self.containerd_store


STORE_BY_FLAG = ("--feature=containerd-snapshotter=true",)
DRIVER_BY_FLAG = ("--storage-driver=overlay2",)
CONTAINERD = ("containerd", "containerd-shim-runc-v2")

KINDS = (
    Kind("docker-20.10", "docker", "bookworm", core=True),
    Kind("docker-26.1", "docker", "trixie"),
    Kind("docker-28.5", "docker", "forky"),
    Kind("docker-28.5-store", "docker", "forky", containerd_store=True, flags=STORE_BY_FLAG),
    Kind("docker-29", "docker", "forky", ("dockerd",), flags=DRIVER_BY_FLAG),
    Kind("docker-29-store", "docker", "forky", ("dockerd",), containerd_store=True, core=True),
    Kind("containerd-1.6", "containerd", "bookworm"),
    Kind("containerd-1.7", "containerd", "trixie", core=True),
    Kind("containerd-2.1", "containerd", "forky"),
    Kind("containerd-2.4", "containerd", "forky", CONTAINERD, core=True),
)
