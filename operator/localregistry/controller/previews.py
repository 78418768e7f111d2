"""What nodes would change for a registry that is only looked at, grouped by what is the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localregistry.controller.fleet import Fleet, NodeFailure
from localregistry.spec.selector import Selector
from localregistry.trust import NodeReason, TrustDocument

# What the status shows: 10 groups of 2 KiB stay far below what an object may have.
MAX_GROUPS = 10
MAX_DIFF_BYTES = 2048
MAX_NAMES = 20
MAX_RUNTIME = 256


@dataclass(frozen=True)
class PreviewGroup:
    """Nodes of one runtime that would do the same; `nodes` are sorted."""

    runtime: str
    nodes: tuple[str, ...]
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Previews:
    """Of `desired` nodes `answered` have said what they would do; groups come largest first.

    `failing` are nodes that could not be configured; they have answered too.
    """

    desired: int
    answered: int
    groups: tuple[PreviewGroup, ...]
    failing: tuple[NodeFailure, ...]
    misses: bool = False


def collect(fleet: Fleet, uid: str, document: TrustDocument, selector: Selector) -> Previews:
    """The answers of the nodes that count, for the registry as it is previewed now."""
    entry = document.by_uid.get(uid)
    wanted = entry.digest() if entry and entry.preview else None
    same: defaultdict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    failing: list[NodeFailure] = []
    desired, answered = 0, 0
    for node in fleet.selected(selector):
        desired += 1
        report = fleet.answer(node.name, uid, wanted)
        if report is None:
            continue
        result = report.exceptions.get(uid)
        if result and result.reason is NodeReason.PENDING:
            continue
        answered += 1
        if result:
            failing.append(NodeFailure(node.name, node.runtime, result.reason, result.message))
        if uid in report.previews or not result:
            same[node.runtime, report.previews.get(uid, ())].append(node.name)
    groups = [PreviewGroup(runtime, tuple(names), k) for (runtime, k), names in same.items()]
    groups.sort(key=lambda group: (-len(group.nodes), group.runtime, group.nodes))
    return Previews(
        desired=desired,
        answered=answered,
        groups=tuple(groups),
        failing=tuple(failing),
        misses=fleet.misses(selector),
    )


def shown(group: PreviewGroup) -> Mapping[str, Any]:
    """One element of `status.nodes.preview`."""
    return {
        "runtime": group.runtime[:MAX_RUNTIME],
        "count": len(group.nodes),
        "nodes": list(group.nodes[:MAX_NAMES]),
        "diff": diff(group.lines),
    }


def diff(lines: tuple[str, ...]) -> str:
    """The lines as one text of at most 2 KiB; where some are left out, the last says how many."""
    clean = [plain(line) for line in lines]
    if len("\n".join(clean).encode()) <= MAX_DIFF_BYTES:
        return "\n".join(clean)
    # The longest last line, with a number of 20 digits.
    room = MAX_DIFF_BYTES - len("(and 18446744073709551615 more lines)")
    kept: list[str] = []
    for line in clean:
        room -= len(line.encode()) + 1
        if room < 0:
            break
        kept.append(line)
    return "\n".join([*kept, f"(and {len(clean) - len(kept)} more lines)"])


def plain(text: str) -> str:
    """Without what JSON can say and UTF-8 cannot: the API server would store something else, and
    the status would be written again and again."""
    return text.encode("utf-8", "replace").decode()
