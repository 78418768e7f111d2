"""Docker, whichever image store its daemon runs with.

The graphdriver store goes by daemon.json and /etc/hosts (see `docker`). The containerd store, from
Docker 28 on, reads `/etc/docker/certs.d/<name>/hosts.toml` at each pull: no edit of daemon.json, no
signal, no hosts block. A daemon that was restarted with the other store is brought over in one
pass; the new way is there before the old one goes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from localregistry.agent import dockernode, hostsblock
from localregistry.agent.dockernode import Found
from localregistry.agent.guest import Guest
from localregistry.agent.helper import Runtime
from localregistry.agent.hostsdir import HostsDirectory
from localregistry.agent.ownfiles import FilesPlan, OwnFiles
from localregistry.agent.procs import Processes
from localregistry.agent.writer import Plan, Writer
from localregistry.trust import NodeResult, TrustedRegistry

if TYPE_CHECKING:
    from localregistry.agent.docker import Docker
    from localregistry.agent.dockerplan import DockerPlan

KIND = "docker"
CERTS = "/etc/docker/certs.d"


@dataclass(frozen=True)
class WaysPlan(Plan):
    """`files` is the containerd store's part, `edits` the graphdriver store's, None where nothing
    of it is wanted or left."""

    files: FilesPlan = field(default_factory=FilesPlan)
    edits: DockerPlan | None = None

    @property
    def idle(self) -> bool:
        return self.files.idle and (self.edits is None or self.edits.idle)

    def without(self, paths: Collection[str]) -> WaysPlan:
        edits = self.edits.without(paths) if self.edits is not None else None
        return replace(
            self,
            changes=tuple(change for change in self.changes if change.path not in paths),
            reload=edits is not None and edits.reload,
            files=self.files.without(paths),
            edits=edits,
        )


class AnyDocker(Writer[Found, WaysPlan]):
    """The writer for Docker."""

    def __init__(
        self,
        guest: Guest,
        processes: Processes,
        runtime: Runtime,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.guest = guest
        self.processes = processes
        self.runtime = runtime
        self._clock = clock
        self._directory = HostsDirectory(OwnFiles(guest, KIND))
        self._editor: Docker | None = None

    def detect(self) -> Found | NodeResult:
        return dockernode.detect(
            host=self.guest.host, processes=self.processes, runtime=self.runtime
        )

    def plan(self, wanted: Sequence[TrustedRegistry], found: Found | NodeResult) -> WaysPlan:
        match found:
            case NodeResult():
                # Which way is not known: neither takes away what is wanted.
                files = self._directory.plan(wanted, found)
                edits = self._edits().plan(wanted, found) if self._edited() else None
            case Found(reads_hosts_toml=True):
                files = self._directory.plan(wanted, CERTS)
                edits = self._edits().plan((), found) if self._edited() else None
            case _:
                files = self._directory.plan((), CERTS)
                edits = self._edits().plan(wanted, found) if wanted or self._edited() else None
        plans = [files] if edits is None else [files, edits]
        entries = {uid: text for plan in plans for uid, text in plan.entries.items()}
        refusals = {uid: result for plan in plans for uid, result in plan.refused.items()}
        # What is left of the other way, and cannot go now, hinders no registry that is served.
        refused = {uid: result for uid, result in refusals.items() if uid not in entries}
        left = {uid: _staying(result) for uid, result in refusals.items() if uid in entries}
        return WaysPlan(
            changes=tuple(change for plan in plans for change in plan.changes),
            refused=refused,
            entries=entries,
            reload=edits is not None and edits.reload,
            lag=edits.lag if edits is not None else 0.0,
            left=left,
            files=files,
            edits=edits,
        )

    def apply(self, plan: WaysPlan, found: Found | NodeResult) -> Mapping[str, NodeResult]:
        failed: dict[str, NodeResult] = {}
        by_files = bool(plan.files.entries)
        if by_files:
            failed |= self._directory.own.apply(plan.files)
        if plan.edits is not None and not plan.edits.idle:
            left = self._edits().apply(plan.edits, found)
            failed |= {uid: r for uid, r in left.items() if uid not in plan.files.entries}
        if not by_files:
            failed |= self._directory.own.apply(plan.files)
        return failed

    def _edited(self) -> bool:
        """Whether something of the graphdriver store's way is on the node."""
        records = self.guest.journal.records().values()
        return any(not record.writer for record in records) or hostsblock.present(self.guest)

    def _edits(self) -> Docker:
        if self._editor is None:
            # A node with the containerd store does without this code.
            from localregistry.agent.docker import Docker

            self._editor = Docker(self.guest, self.processes, self.runtime, self._clock)
        return self._editor


def _staying(result: NodeResult) -> NodeResult:
    words = "Pulls work, but what was written for Docker's other image store stays on this node: "
    return NodeResult(result.reason, words + result.message)
