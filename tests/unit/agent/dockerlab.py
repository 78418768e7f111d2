"""A Docker node of these tests, with its writer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localregistry.agent.docker import Docker
from localregistry.agent.guest import Guest
from localregistry.agent.journal import Journal
from localregistry.agent.paths import HostRoot
from localregistry.trust import NodeResult, TrustedRegistry

from .standins import Calls, Clock, Dockerd, Node, Signalled, listen

CONFIG = "/etc/docker/daemon.json"
HIS = '{\n    "exec-opts": ["native.cgroupdriver=cgroupfs"],\n    "mtu": 1450\n}\n'


class Lab:
    """A node with a dockerd and the writer for it."""

    def __init__(self, directory: Path, *flags: str, content: str | None = HIS) -> None:
        self.directory = directory
        self.node = Node(directory)
        if content is not None:
            self.node.write(CONFIG, content)
        self.daemon = Dockerd(self.node, *flags)
        self.clock = Clock()
        self._cri = listen(self.node.root / "run/cri-dockerd.sock")
        self.restart_agent()
        self.before = self.node.snapshot()

    def restart_agent(self) -> None:
        self.journal = Journal(self.directory / "state")
        guest = Guest(HostRoot(self.node.root), self.journal)
        calls = Calls("docker", "26.1.5")
        self.writer = Docker(guest, Signalled(self.daemon), calls, self._tick)

    def _tick(self) -> float:
        self.clock.now += 1.0
        return self.clock.now

    def bring(self, *wanted: TrustedRegistry) -> Mapping[str, NodeResult]:
        found = self.writer.detect()
        plan = self.writer.plan(wanted, found)
        failed = {} if plan.idle else self.writer.apply(plan, found)
        return {**plan.refused, **failed}

    def idle(self, *wanted: TrustedRegistry) -> bool:
        return self.writer.plan(wanted, self.writer.detect()).idle

    def config(self) -> dict[str, Any]:
        return dict(json.loads(self.node.read(CONFIG)))

    def close(self) -> None:
        self.daemon.close()
        self._cri.close()
