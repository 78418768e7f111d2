"""The conditions of a LocalRegistry's status, and how they are merged into it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .reasons import Reason as Reason

# metav1.Condition allows 32,768; a status stays readable and far below etcd's limit with this.
MAX_MESSAGE = 1024


class ConditionType(StrEnum):
    """Ready = StorageReady and RegistryAvailable and NodesReady; Exposed stands beside it."""

    READY = "Ready"
    STORAGE_READY = "StorageReady"
    REGISTRY_AVAILABLE = "RegistryAvailable"
    EXPOSED = "Exposed"
    NODES_READY = "NodesReady"


class ConditionStatus(StrEnum):
    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True)
class Condition:
    """One condition; the message names the next step where there is one to take."""

    type: ConditionType
    status: ConditionStatus
    reason: Reason
    message: str = ""

    @property
    def is_true(self) -> bool:
        return self.status is ConditionStatus.TRUE


_ORDER = {condition_type.value: place for place, condition_type in enumerate(ConditionType)}


def ready_condition(storage: Condition, registry: Condition, nodes: Condition) -> Condition:
    """Ready as the conjunction of the three.

    False where any of them is False, else Unknown where any is Unknown. Reason and message are
    those of the first that is so, since what comes later often only follows from it.
    """
    parts = (storage, registry, nodes)
    is_false = any(part.status is ConditionStatus.FALSE for part in parts)
    status = ConditionStatus.FALSE if is_false else ConditionStatus.UNKNOWN
    first = next((part for part in parts if part.status is status), None)
    if first is None:
        message = "Storage, registry and nodes are ready"
        return Condition(ConditionType.READY, ConditionStatus.TRUE, Reason.READY, message)
    return Condition(ConditionType.READY, status, first.reason, first.message)


def merge_conditions(
    old: Any, new: Iterable[Condition], *, generation: int, now: str
) -> list[dict[str, Any]]:
    """The list to write: `new`, and of `old` those of our types that `new` does not speak of.

    `old` is `status.conditions` as read, whatever it holds. `now` is an RFC 3339 time; a condition
    keeps its lastTransitionTime until its status changes, so that writing the same again changes
    nothing. Conditions of other managers are left out: they are not ours to write.
    """
    before = _by_type(old)
    after = dict(before)
    for condition in new:
        known = before.get(condition.type.value, {})
        kept = known.get("lastTransitionTime")
        same = known.get("status") == condition.status.value and isinstance(kept, str) and kept
        after[condition.type.value] = {
            "type": condition.type.value,
            "status": condition.status.value,
            "reason": condition.reason.value,
            "message": _trim(condition.message),
            "lastTransitionTime": kept if same else now,
            "observedGeneration": generation,
        }
    return sorted(after.values(), key=lambda item: _ORDER[item["type"]])


def observed_generation(status: Mapping[str, Any]) -> int:
    """Of the spec that an operator has looked at last; 0 where none has looked at any, which is -1
    by the schema's default, so that kstatus takes nothing new for done."""
    return max(0, int(status.get("observedGeneration") or 0))


def _by_type(old: Any) -> dict[str, dict[str, Any]]:
    items = old if isinstance(old, list | tuple) else ()
    return {
        item["type"]: dict(item)
        for item in items
        if isinstance(item, Mapping)
        and isinstance(item.get("type"), str)
        and item["type"] in _ORDER
    }


def _trim(message: str) -> str:
    return message if len(message) <= MAX_MESSAGE else message[: MAX_MESSAGE - 1] + "…"
