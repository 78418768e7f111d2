"""One node per runtime, each with its writer, all handled alike by the conformance suite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localregistry.agent import runtimes
from localregistry.agent.guest import Guest
from localregistry.agent.journal import Journal
from localregistry.agent.paths import HostRoot
from localregistry.agent.procs import Process, Processes
from localregistry.agent.writer import Plan
from localregistry.trust import NodeResult, TrustedRegistry

from .standins import Calls, Clock, Dockerd, Node, listen

NAME = "registry.example.internal"
DAEMON = 4242

K3S_DATA = "/var/lib/rancher/k3s/agent/etc/containerd"
RKE2_DATA = "/data/rke2/agent/etc/containerd"
CONTAINERD_2 = "version = 3\n[plugins.'io.containerd.cri.v1.images'.registry]\nconfig_path = '{}'\n"


@dataclass(frozen=True)
class Kind:
    """What is peculiar to a runtime. `file` is the one that serves NAME alone, "" where none does;
    `cri` its socket; `command` its daemon; `table` what 1.x tells of itself."""

    runtime: str
    name: str
    command: tuple[str, ...]
    cri: str
    file: str = ""
    files: Mapping[str, str] | None = None
    table: Mapping[str, Any] | None = None
    store: bool = False
    signals: int = 0


def _hosts(directory: str) -> str:
    return f"{directory}/{NAME}/hosts.toml"


KINDS = {
    "docker, graphdriver store": Kind(
        runtime="docker://26.1.5",
        name="docker",
        command=("/usr/bin/dockerd", "-H", "fd://"),
        cri="run/cri-dockerd.sock",
        files={"/etc/docker/daemon.json": '{\n  "mtu": 1450\n}\n'},
        signals=1,
    ),
    "docker, containerd store": Kind(
        runtime="docker://29.1.0",
        name="docker",
        command=("/usr/bin/dockerd", "-H", "fd://"),
        cri="run/cri-dockerd.sock",
        files={"/etc/docker/daemon.json": '{\n  "mtu": 1450\n}\n'},
        file=_hosts("/etc/docker/certs.d"),
        store=True,
    ),
    "containerd 1.7": Kind(
        runtime="containerd://1.7.24",
        name="containerd",
        command=("/usr/bin/containerd",),
        cri="run/containerd/containerd.sock",
        file=_hosts("/etc/containerd/certs.d"),
        table={"configPath": "/etc/containerd/certs.d"},
    ),
    "containerd 2.4": Kind(
        runtime="containerd://2.4.0",
        name="containerd",
        command=("/usr/bin/containerd", "--config", "/etc/c.toml"),
        cri="run/containerd/containerd.sock",
        file=_hosts("/srv/certs"),
        files={"/etc/c.toml": CONTAINERD_2.format("/srv/certs:/etc/docker/certs.d")},
    ),
    "k3s": Kind(
        runtime="containerd://1.7.23-k3s2",
        name="containerd",
        command=("containerd", "-c", f"{K3S_DATA}/config.toml"),
        cri="run/k3s/containerd/containerd.sock",
        file=_hosts(f"{K3S_DATA}/certs.d"),
        files={"/etc/rancher/k3s/registries.yaml": "mirrors:\n  docker.io:\n"},
        table={"configPath": f"{K3S_DATA}/certs.d"},
    ),
    "RKE2": Kind(
        runtime="containerd://2.1.4-k3s1",
        name="containerd",
        command=("containerd", "-c", f"{RKE2_DATA}/config.toml"),
        cri="run/k3s/containerd/containerd.sock",
        file=_hosts(f"{RKE2_DATA}/certs.d"),
        files={f"{RKE2_DATA}/config.toml": CONTAINERD_2.format(f"{RKE2_DATA}/certs.d")},
    ),
    "CRI-O": Kind(
        runtime="cri-o://1.34.0",
        name="cri-o",
        command=("/usr/bin/crio",),
        cri="run/crio/crio.sock",
        file=f"/etc/containers/registries.conf.d/50-localregistry-{NAME}.conf",
        files={
            "/etc/containers/registries.conf": 'unqualified-search-registries = ["docker.io"]\n',
            "/etc/containers/registries.conf.d/00-his.conf": '[[registry]]\nlocation = "his"\n',
        },
        signals=1,
    ),
}


class SignalledLab(Processes):
    """Counts the signals, and hands them to the daemon's stand-in."""

    def __init__(self, lab: RuntimeLab) -> None:
        super().__init__(lab.node.proc)
        object.__setattr__(self, "lab", lab)

    def signal_hup(self, process: Process) -> bool:
        lab: RuntimeLab = self.lab  # type: ignore[attr-defined]
        if not self.alive(process.identity):
            return False
        lab.signals += 1
        if lab.dockerd is not None:
            lab.dockerd.reload()
        return True


class RuntimeLab:
    """A node with one runtime, and the writer that the agent has for it."""

    def __init__(self, directory: Path, label: str) -> None:
        self.directory, self.label, self.kind = directory, label, KINDS[label]
        kind = self.kind
        self.node = Node(directory)
        self.signals = 0
        self.clock = Clock()
        for path, content in (kind.files or {}).items():
            self.node.write(path, content)
        self.dockerd: Dockerd | None = None
        if kind.name == "docker":
            self.dockerd = Dockerd(self.node)
            self.switch_store(containerd=kind.store)
        else:
            self.node.process(DAEMON, *kind.command)
        self._cri = listen(self.node.root / kind.cri)
        version = kind.runtime.partition("://")[2]
        config = {"registry": kind.table} if kind.table is not None else None
        self.calls = Calls(kind.name, version, config)
        self.restart_agent()
        self.before = self.node.snapshot()

    def switch_store(self, *, containerd: bool) -> None:
        """As dockerd shows it once it was restarted with another setting."""
        assert self.dockerd is not None
        self.dockerd.version = "29.1.0" if containerd else "26.1.5"
        snapshotter = [["driver-type", "io.containerd.snapshotter.v1"]]
        self.dockerd.driver_status = snapshotter if containerd else [["Supports d_type", "true"]]

    def restart_agent(self) -> None:
        self.journal = Journal(self.directory / "state")
        self.writer = runtimes.writer(
            self.kind.runtime,
            guest=Guest(HostRoot(self.node.root), self.journal),
            processes=SignalledLab(self),
            calls=self.calls,
            clock=self._tick,
        )

    def plan(self, *wanted: TrustedRegistry) -> Plan:
        plan: Plan = self.writer.plan(wanted, self.writer.detect())
        return plan

    def bring(self, *wanted: TrustedRegistry) -> Mapping[str, NodeResult]:
        found = self.writer.detect()
        plan = self.writer.plan(wanted, found)
        failed = {} if plan.idle else self.writer.apply(plan, found)
        return {**plan.refused, **failed}

    def path(self, node_path: str) -> Path:
        return self.node.root / node_path.lstrip("/")

    def close(self) -> None:
        if self.dockerd is not None:
            self.dockerd.close()
        self._cri.close()

    def _tick(self) -> float:
        self.clock.now += 1.0
        return self.clock.now


def peer(_: Path) -> int:
    """In the place of `endpoint.peer`: the node's daemon listens."""
    return DAEMON
