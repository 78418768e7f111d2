"""What keeps dockerd alive: the checks before anything is written or signalled.

Each gate is pure, and gives None (pass) or why this node is left alone. They are judged by the
running daemon's own flags, version and file. Without them a SIGHUP is refused, or changes what it
should not, or leaves a daemon that cannot start again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localregistry.agent import daemonjson, names
from localregistry.agent.versions import release
from localregistry.trust import NodeReason, NodeResult

Flags = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Facts:
    """`config` is daemon.json parsed, {} where there is none; `content` its bytes."""

    flags: Flags
    version: str
    containerd_store: bool
    path: str
    content: bytes | None

    @property
    def _invalid(facts: Facts, words: str) -> NodeResult:
    return NodeResult(
        NodeReason.FOREIGN_CONFIG_INVALID, f"{facts.path} is left alone: {words}. Mend it."
    )
