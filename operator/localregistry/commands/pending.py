"""What keeps a LocalRegistry from being Ready, in the order in which one follows from the other:
pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from localregistry.commands.cluster import Body
from localregistry.commands.nodes import Row
from localregistry.spec.conditions import ConditionType


class Pending(NamedTuple):
    """`what` is a condition, or a node."""

    what: str
    reason: str
    message: str


# Ready is their conjunction.
_PARTS = (ConditionType.STORAGE_READY, ConditionType.REGISTRY_AVAILABLE, ConditionType.NODES_READY)


def is_ready(body: Body) -> bool:
    """By a status that speaks of the spec as it is now."""
    ready = _conditions(body).get(ConditionType.READY, {})
    generation = body["metadata"].get("generation", 0)
    return bool(ready.get("status") == "True" and ready.get("observedGeneration", 0) >= generation)


def pending(body: Body, rows: Sequence[Row]) -> list[Pending]:
    """Empty where it is Ready; `rows` are its nodes as far as they are known."""
    if is_ready(body):
        return []
    conditions = _conditions(body)
    ready = conditions.get(ConditionType.READY)
    if ready is None:
        return [Pending("Ready", "NotSeen", "No operator has looked at it yet")]
    if ready.get("observedGeneration", 0) < body["metadata"].get("generation", 0):
        return [Pending("Ready", "Reconciling", "The operator has not seen the last change yet")]
    found = [
        Pending(which.value, said["reason"], said["message"])
        for which in _PARTS
        if (said := conditions.get(which)) and said["status"] != "True"
    ]
    waiting = [Pending(f"node {r.name}", r.reason, r.message) for r in rows if r.is_pending]
    return [*found, *waiting] or [Pending("Ready", ready["reason"], ready["message"])]


def _conditions(body: Body) -> dict[str, Body]:
    return {c["type"]: c for c in (body.get("status") or {}).get("conditions") or ()}
