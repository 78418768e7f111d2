"""The protocol that each runtime's writer keeps, and what passes through it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, Self, TypeVar

from localregistry.agent.helper import Running, Runtime
from localregistry.trust import NodeResult, TrustedRegistry


@dataclass(frozen=True)
class Detected:
    """Evidence of a runtime of the node.

    `identity` names the very start of it; `cri` is the socket that the kubelet pulls through, None
    while none answers; `hint` goes with failures that this node's configuration makes likely.
    """

    identity: str
    cri: Path | None
    hint: str = ""


@dataclass(frozen=True)
class Change:
    """One file of the node: what is there and what shall be; None is no file."""

    path: str
    before: bytes | None
    after: bytes | None


@dataclass(frozen=True)
class Plan:
    """What a writer would do; nothing has been done.

    `refused` are the UIDs that stay as they are, withdrawn ones among them, and why. `entries` are
    the wanted UIDs that the plan serves, each with the text that stands for it on this node: a
    proof holds for one text. `reload`: `daemon` would be sent a SIGHUP. `lag`: for so many seconds
    the runtime may go by what it remembers from before, so that a pull proves nothing yet. `left`
    are those of `entries` for which something stays that was written in another way, and why.
    """

    changes: tuple[Change, ...] = ()
    refused: Mapping[str, NodeResult] = field(default_factory=dict)
    entries: Mapping[str, str] = field(default_factory=dict)
    reload: bool = False
    daemon: str = "dockerd"
    lag: float = 0.0
    left: Mapping[str, NodeResult] = field(default_factory=dict)

    @property
    def idle(self) -> bool:
        """Whether nothing would be written or signalled."""
        return not self.changes and not self.reload

    def without(self, paths: Collection[str]) -> Self:
        """The plan that leaves these files alone; where its parts hang together, an idle one."""
        return replace(self, changes=tuple(c for c in self.changes if c.path not in paths))


Found = TypeVar("Found", bound=Detected)
Planned = TypeVar("Planned", bound=Plan)


class Writer(ABC, Generic[Found, Planned]):
    """One runtime's way of being told whom to trust."""

    @abstractmethod
    def detect(self) -> Found | NodeResult:
        """By evidence (process, socket, flags, effective configuration); or why not."""

    @abstractmethod
    def plan(self, wanted: Sequence[TrustedRegistry], found: Found | NodeResult) -> Planned:
        """Reads only. Raises files.Refused."""

    @abstractmethod
    def apply(self, plan: Planned, found: Found | NodeResult) -> Mapping[str, NodeResult]:
        """Does it, with the node held by this process. Gives what the runtime did not take, by UID.
        Raises files.Outrun and files.Refused; it may be run again after any of its steps."""

    def revert(self) -> Mapping[str, NodeResult]:
        """Takes away all that is ours, as far as the runtime lets it; gives what stayed."""
        found = self.detect()
        plan = self.plan((), found)
        return {**plan.refused, **(self.apply(plan, found) if not plan.idle else {})}

    def verify(
        self, runtime: Runtime, found: Detected, registry: TrustedRegistry
    ) -> Running | None:
        """Starts the pull that proves a registry, the same for every runtime as for the kubelet;
        None where no CRI socket answers."""
        if found.cri is None:
            return None
        probe = registry.probe
        return runtime.probe(found.cri, probe.image, probe.config, probe.manifest)
