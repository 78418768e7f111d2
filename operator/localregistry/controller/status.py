"""Builds `status` from what a reconcile found, and tells whether it must be written: pure."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from localregistry.controller import previews, storageuse
from localregistry.controller.fleet import MAX_EXAMPLES, NodeFailure, NodesSummary
from localregistry.controller.previews import Previews
from localregistry.controller.storageuse import Found, Told, summary
from localregistry.spec import names
from localregistry.spec.conditions import (
    Condition,
    ConditionStatus,
    ConditionType,
    merge_conditions,
    ready_condition,
)
from localregistry.spec.nodes import Management
from localregistry.spec.reasons import Reason
from localregistry.spec.registry import LocalRegistry
from localregistry.spec.storage import StorageKind

# How much of one node's message the status holds: ten of them stay far below any limit.
MAX_NODE_MESSAGE = 512


@dataclass
class Findings:
    """What one reconcile found out.

    `nodes` and `previews` None: nothing is known of the nodes, so the old counts stand; so does
    what is used with `usage` None.
    """

    conditions: dict[ConditionType, Condition] = field(default_factory=dict)
    claim: Mapping[str, Any] | None = None
    nodes: NodesSummary | None = None
    previews: Previews | None = None
    usage: Found = None

    def put(self, condition: Condition) -> None:
        self.conditions[condition.type] = condition

    def add(self, which: ConditionType, words: str) -> None:
        """Says more in a condition that was found, if there is more to say."""
        found = self.conditions.get(which)
        if found and words:
            message = f"{found.message}. {words}" if found.message else words
            self.put(replace(found, message=message))


def complete(registry: LocalRegistry, findings: Findings) -> None:
    """Adds what follows from the rest: Ready, NodesReady as it stood while nobody knows, and a
    warning of a full volume."""
    found = findings.conditions
    told = Told.by(registry.status).after(findings.usage)
    stored = found[ConditionType.STORAGE_READY]
    findings.put(storageuse.judge(registry, stored, told, findings.usage))
    if ConditionType.NODES_READY not in found:
        findings.put(_nodes_before(registry))
    findings.put(
        ready_condition(
            found[ConditionType.STORAGE_READY],
            found[ConditionType.REGISTRY_AVAILABLE],
            found[ConditionType.NODES_READY],
        )
    )


def build(registry: LocalRegistry, findings: Findings, *, now: str) -> dict[str, Any]:
    """The whole status as it is to be applied. `now` is RFC 3339."""
    old = registry.status
    host = registry.spec.host
    scheme = "https" if registry.spec.ingress.tls_secret else "http"
    status: dict[str, Any] = {
        "observedGeneration": registry.generation,
        "conditions": merge_conditions(
            old.get("conditions"),
            findings.conditions.values(),
            generation=registry.generation,
            now=now,
        ),
        "url": f"{scheme}://{host}",
        "endpoint": names.endpoint(registry.namespace, registry.name),
        "storage": _storage(registry, findings),
        "nodes": _nodes(registry, findings),
    }
    return {key: value for key, value in status.items() if value}


def conditions_only(
    old: Mapping[str, Any], conditions: Iterable[Condition], *, generation: int, now: str
) -> dict[str, Any]:
    """The old status with other conditions: for a resource whose spec cannot be read."""
    merged = merge_conditions(old.get("conditions"), conditions, generation=generation, now=now)
    return {**old, "observedGeneration": generation, "conditions": merged}


def only_counts_differ(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether writing can wait: nothing but the number of nodes, what is used, and words about
    them moved."""
    return bool(_without_counts(old) == _without_counts(new))


# Of status.storage; a summary says what `capacity` and `used` say.
_COUNTS = ("used", "summary")


def _without_counts(status: Mapping[str, Any]) -> Any:
    conditions = [
        (c["type"], c["status"], c["reason"], c.get("observedGeneration"))
        for c in status.get("conditions") or ()
    ]
    stored = {k: v for k, v in (status.get("storage") or {}).items() if k not in _COUNTS}
    rest = {k: v for k, v in status.items() if k not in ("nodes", "conditions", "storage")}
    return rest, stored, conditions


def node_counts(registry: LocalRegistry, findings: Findings) -> str:
    """How many nodes are ready, of how many: `3/4`; `-` where nobody knows or none is to be."""
    if registry.spec.nodes.management is not Management.MANAGED:
        return "-"
    return str(_nodes(registry, findings).get("summary") or "-")


def _storage(registry: LocalRegistry, findings: Findings) -> dict[str, Any]:
    told, claim = Told.by(registry.status).after(findings.usage), findings.claim
    if registry.spec.storage.kind is StorageKind.EPHEMERAL:
        found = {"used": told.used, "summary": summary(told, "ephemeral")}
        return {key: value for key, value in found.items() if value}
    if claim is None:
        # Above all claimUID stays: it is how a lost claim is told from one never made.
        return dict(registry.status.get("storage") or {})
    capacity = ((claim.get("status") or {}).get("capacity") or {}).get("storage")
    requests = ((claim.get("spec") or {}).get("resources") or {}).get("requests") or {}
    found = {
        "claimName": claim["metadata"]["name"],
        "claimUID": claim["metadata"]["uid"],
        "capacity": capacity,
        "used": told.used,
        "summary": summary(told, str(capacity or requests.get("storage") or "?")),
    }
    return {key: value for key, value in found.items() if value}


def _nodes(registry: LocalRegistry, findings: Findings) -> dict[str, Any]:
    match registry.spec.nodes.management:
        case Management.UNMANAGED:
            return {"summary": "-"}
        case Management.PREVIEW if found := findings.previews:
            groups = [previews.shown(group) for group in found.groups[: previews.MAX_GROUPS]]
            shown = {"failing": _failing(found.failing), "preview": groups}
            return {"summary": "-"} | {key: value for key, value in shown.items() if value}
        case Management.MANAGED if summary := findings.nodes:
            counts = {"desired": summary.desired, "ready": summary.ready, "summary": summary.text}
            failing = _failing(summary.failing)
            return counts | ({"failing": failing} if failing else {})
    return dict(registry.status.get("nodes") or {})


def _failing(failures: tuple[NodeFailure, ...]) -> list[dict[str, Any]]:
    return [
        {
            "name": failure.name,
            "runtime": failure.runtime[: previews.MAX_RUNTIME],
            "reason": failure.reason.value,
            "message": previews.plain(failure.message[:MAX_NODE_MESSAGE]),
        }
        for failure in failures[:MAX_EXAMPLES]
    ]


def _nodes_before(registry: LocalRegistry) -> Condition:
    """After a start of the operator the agents are asked first; until then nothing has changed."""
    which = ConditionType.NODES_READY
    for condition in registry.status.get("conditions") or ():
        if condition.get("type") == which.value:
            # A reason of a newer version, after a downgrade, is not known here.
            with contextlib.suppress(ValueError):
                status = ConditionStatus(condition["status"])
                return Condition(which, status, Reason(condition["reason"]), condition["message"])
    message = "The nodes have not been asked yet"
    return Condition(which, ConditionStatus.UNKNOWN, Reason.RECONCILING, message)
