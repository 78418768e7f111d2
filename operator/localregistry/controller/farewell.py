"""What a LocalRegistry's status says when the operator has been removed: pure.

The last one to write it has left, so what it said would stand for ever. What is known is that nodes
have forgotten the name; of all else nobody looks any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localregistry.controller.latecomers import REFUSED
from localregistry.spec.conditions import (
    Condition,
    ConditionStatus,
    ConditionType,
    merge_conditions,
    observed_generation,
)
from localregistry.spec.nodes import Management
from localregistry.spec.reasons import Reason

FORGOTTEN = (
    "The operator was removed, and nodes have forgotten this name: they do not pull by it any more."
    " The registry and its images stay. Install the operator again, or delete this LocalRegistry"
)
UNSEEN = (
    "The operator was removed: nobody looks after this any more. Install it again, or delete this"
    " LocalRegistry"
)


def status(body: Mapping[str, Any], *, now: str) -> dict[str, Any] | None:
    """The whole status to be written, `now` in RFC 3339; None where there is nothing to say.

    Which spec was looked at last stays, and so does a refused name: an operator that is installed
    again judges by them who came late. So does the claim's UID, by which it knows lost data.
    """
    old = body.get("status") or {}
    observed = observed_generation(old)
    if not observed or body["metadata"].get("deletionTimestamp"):
        return None
    refused = {
        condition.get("type")
        for condition in old.get("conditions") or ()
        if condition.get("reason") in REFUSED
    } - {ConditionType.READY}
    said = [_said(which, _managed(body)) for which in ConditionType if which not in refused]
    new = {
        **old,
        "conditions": merge_conditions(old.get("conditions"), said, generation=observed, now=now),
        "nodes": {"summary": "-"},
        "storage": _stored(old.get("storage") or {}),
    }
    return {key: value for key, value in new.items() if value}


def _said(which: ConditionType, managed: bool) -> Condition:
    if managed and which in (ConditionType.READY, ConditionType.NODES_READY):
        return Condition(which, ConditionStatus.FALSE, Reason.OPERATOR_REMOVED, FORGOTTEN)
    return Condition(which, ConditionStatus.UNKNOWN, Reason.OPERATOR_REMOVED, UNSEEN)


def _managed(body: Mapping[str, Any]) -> bool:
    """Whether nodes were to pull by its name; the schema has the default."""
    nodes = (body.get("spec") or {}).get("nodes") or {}
    return bool(nodes.get("management", Management.MANAGED) == Management.MANAGED)


def _stored(old: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is used, which nobody measures now."""
    kept = {key: value for key, value in old.items() if key != "used"}
    if of := str(kept.get("summary") or "").partition("/")[2]:
        kept["summary"] = f"-/{of}"
    return kept
