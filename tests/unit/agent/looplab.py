"""A whole agent on a containerd node of these tests."""

from __future__ import annotations

from pathlib import Path

from localregistry.agent import app
from localregistry.agent.paths import HostRoot
from localregistry.trust import Report, Task, TrustDocument, TrustedRegistry

from .standins import Calls, Clock, Node, listen, put

RUNTIME = "containerd://1.7.24"
FILE = "/etc/containerd/certs.d/registry.example.internal/hosts.toml"


class Lab:
    """A containerd node with an agent."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.node = Node(directory)
        self.node.process(77, "/usr/bin/containerd")
        self._socket = listen(self.node.root / "run/containerd/containerd.sock")
        table = {"configPath": "/etc/containerd/certs.d"}
        self.calls = Calls("containerd", "1.7.24", {"registry": table})
        self.clock = Clock()
        self.logged: list[str] = []
        self.restart()
        self.before = self.node.snapshot()

    def restart(self, *, clean: bool = False) -> None:
        self.agent = app.assemble(
            host=HostRoot(self.node.root),
            state_dir=self.directory / "state",
            trust_file=self.directory / "trust.json",
            task_file=self.directory / "task",
            processes=self.node.processes,
            calls=self.calls,
            clock=self.clock,
            log=self.logged.append,
            clean=clean,
        )

    def tell(self, *wanted: TrustedRegistry, runtime: str = RUNTIME, excluded: str = "") -> str:
        document = TrustDocument(wanted)
        put(self.directory / "trust.json", document.to_json())
        put(
            self.directory / "task",
            Task(document.revision, runtime, tuple(excluded.split())).to_json(),
        )
        return document.revision

    def run(self, seconds: float = 0.0) -> Report:
        self.clock.now += seconds
        for _ in range(4):
            self.agent.step()
        return self.agent.report

    def close(self) -> None:
        self._socket.close()
