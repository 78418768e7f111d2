"""What is to be done to a node with Docker's graphdriver store."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from localregistry.agent import dockernode, hostsblock
from localregistry.agent.writer import Plan


@dataclass(frozen=True)
class DockerPlan(Plan):
    """`hosts` is the change of /etc/hosts. daemon.json goes `before` → `listing`, then a reload
    where needed, then `final`: where we made the key the running daemon forgets a name only by a
    list without it, and only then may the key go. `ours` and `stale` map names to UIDs; `needed` is
    what the running daemon must trust, `kept` what it trusted before and must go on to; an entry
    that the administrator took out of the file since the daemon's start is not of these: any reload
    applies his edits. `unsettled`: the journal does not say just that yet.
    """

    hosts: hostsblock.Block | None = None
    path: str = dockernode.DEFAULT_CONFIG
    before: bytes | None = None
    base: bytes | None = None
    listing: bytes | None = None
    final: bytes | None = None
    ours: Mapping[str, str] = field(default_factory=dict)
    stale: Mapping[str, str] = field(default_factory=dict)
    needed: Collection[str] = ()
    kept: Collection[str] = ()
    version: str = ""
    unsettled: bool = False

    @property
    def idle(self) -> bool:
        return not (self.changes or self.reload or self.hosts or self.unsettled)

    def without(self, paths: Collection[str]) -> DockerPlan:
        # Trust without the hosts line sends pulls elsewhere, a line without trust makes them fail.
        if not any(change.path in paths for change in self.changes):
            return self
        return DockerPlan(refused=self.refused, entries=self.entries)
