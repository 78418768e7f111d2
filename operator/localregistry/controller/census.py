"""Counts what the last runs found, over all LocalRegistries, for /metrics.

A few objects for each LocalRegistry, by UID; one that is suspended, going or gone is not counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from localregistry.controller.fleet import NodesSummary
from localregistry.controller.metrics import ConditionKey, NodeState, VolumeState
from localregistry.controller.status import Findings
from localregistry.spec.conditions import Condition, ConditionStatus, ConditionType
from localregistry.spec.reasons import Reason
from localregistry.trust import NodeReason

_WARNED = {
    Reason.STORAGE_ALMOST_FULL: VolumeState.ALMOST_FULL,
    Reason.STORAGE_FULL: VolumeState.FULL,
}


_WRITABLE: ConditionKey = ConditionType.STORAGE_READY, ConditionStatus.TRUE
_Found = tuple[ConditionKey, Reason]


class Census:
    """Single event loop; asked at each scrape, so nothing here may block."""

    def __init__(self) -> None:
        # Without their messages, which are long.
        self._found: dict[str, list[_Found]] = {}
        self._summaries: dict[str, NodesSummary] = {}

    def put(self, uid: str, findings: Findings) -> None:
        """What a whole run found; where it knows nothing of the nodes they are not counted."""
        self._found[uid] = _short(findings.conditions.values())
        self._summaries.pop(uid, None)
        if findings.nodes:
            self._summaries[uid] = findings.nodes

    def put_conditions(self, uid: str, *conditions: Condition) -> None:
        """All that is known of one whose spec cannot be read."""
        self._found[uid] = _short(conditions)
        self._summaries.pop(uid, None)

    def forget(self, uid: str) -> None:
        self._found.pop(uid, None)
        self._summaries.pop(uid, None)

    def conditions(self) -> Mapping[ConditionKey, int]:
        """How many LocalRegistries have a condition in a status."""
        return Counter(key for found in self._found.values() for key, _ in found)

    def volumes(self) -> Mapping[VolumeState, int]:
        """The volumes that can be written to, by how much room is left."""
        return Counter(
            _WARNED.get(reason, VolumeState.ROOMY)
            for found in self._found.values()
            for key, reason in found
            if key == _WRITABLE
        )

    def nodes(self) -> Mapping[NodeState, int]:
        """The nodes by how far they are, summed over the registries that configure nodes."""
        summaries = self._summaries.values()
        return {
            NodeState.READY: sum(summary.ready for summary in summaries),
            NodeState.FAILING: sum(len(summary.failing) for summary in summaries),
            NodeState.WAITING: sum(len(summary.waiting) for summary in summaries),
        }

    def failing(self) -> Mapping[NodeReason, int]:
        """Those that fail, by why."""
        return Counter(
            failure.reason for summary in self._summaries.values() for failure in summary.failing
        )


def _short(conditions: Iterable[Condition]) -> list[_Found]:
    return [((c.type, c.status), c.reason) for c in conditions]
