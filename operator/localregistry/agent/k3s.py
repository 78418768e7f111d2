"""k3s and RKE2: our own hosts.toml in the registry directory that they generate.

They remove, at each start, what carries their first line or is for a host that they write anew;
releases before September 2024 remove the whole directory. What is ours is then put back. They read
`registries.yaml` at their start only, and it is never touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from localregistry.agent import k3snode
from localregistry.agent.guest import Guest
from localregistry.agent.helper import Runtime
from localregistry.agent.hostsdir import HostsDirectory
from localregistry.agent.k3snode import Found
from localregistry.agent.ownfiles import FilesPlan, OwnFiles
from localregistry.agent.procs import Processes
from localregistry.agent.writer import Writer
from localregistry.trust import NodeReason, NodeResult, TrustedRegistry


@dataclass(frozen=True)
class K3s(Writer[Found, FilesPlan]):
    """The writer for the containerd that k3s and RKE2 run."""

    guest: Guest
    processes: Processes
    runtime: Runtime

    def detect(self) -> Found | NodeResult:
        return k3snode.detect(host=self.guest.host, processes=self.processes, runtime=self.runtime)

    def plan(self, wanted: Sequence[TrustedRegistry], found: Found | NodeResult) -> FilesPlan:
        directory = found.directory if isinstance(found, Found) else found
        return self._directory(found).plan(wanted, directory)

    def apply(self, plan: FilesPlan, found: Found | NodeResult) -> Mapping[str, NodeResult]:
        return self._directory(found).own.apply(plan)

    def _directory(self, found: Found | NodeResult) -> HostsDirectory:
        # 0700, as theirs: a hosts.toml of the administrator's may hold credentials.
        own = OwnFiles(self.guest, "k3s", mode=0o700)
        if isinstance(found, NodeResult):
            return HostsDirectory(own)
        content = self.guest.read(found.registries) or b""
        keys = k3snode.hosts_named(content.decode(errors="replace"))

        def claimed(name: str) -> NodeResult | None:
            if name not in keys:
                return None
            return NodeResult(
                NodeReason.CONTENDED,
                f"{found.registries} names {name}, so that it is left to the administrator: take "
                "it out there and restart, or take the name out of the LocalRegistry.",
            )

        return HostsDirectory(own, claimed)
