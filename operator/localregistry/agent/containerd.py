"""containerd: one hosts.toml per name below its `config_path`.

Never a signal (SIGHUP kills containerd), never a restart, never another file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from localregistry.agent import containerdnode
from localregistry.agent.containerdnode import Found
from localregistry.agent.guest import Guest
from localregistry.agent.helper import Runtime
from localregistry.agent.hostsdir import HostsDirectory
from localregistry.agent.ownfiles import FilesPlan, OwnFiles
from localregistry.agent.procs import Processes
from localregistry.agent.writer import Writer
from localregistry.trust import NodeResult, TrustedRegistry


@dataclass(frozen=True)
class Containerd(Writer[Found, FilesPlan]):
    """The writer for containerd 1.x and 2.x."""

    guest: Guest
    processes: Processes
    runtime: Runtime

    def detect(self) -> Found | NodeResult:
        return containerdnode.detect(
            host=self.guest.host, processes=self.processes, runtime=self.runtime
        )

    def plan(self, wanted: Sequence[TrustedRegistry], found: Found | NodeResult) -> FilesPlan:
        directory = found.directory if isinstance(found, Found) else found
        return self._directory().plan(wanted, directory)

    def apply(self, plan: FilesPlan, found: Found | NodeResult) -> Mapping[str, NodeResult]:
        return self._directory().own.apply(plan)

    def _directory(self) -> HostsDirectory:
        return HostsDirectory(OwnFiles(self.guest, "containerd"))
