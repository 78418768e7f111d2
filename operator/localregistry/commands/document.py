"""All that `status` knows of one LocalRegistry, as one document: what -o json prints. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from localregistry.commands.catalogue import Catalogue
from localregistry.commands.cluster import Body
from localregistry.commands.nodes import Row

Document = dict[str, Any]


def summary(body: Body) -> Document:
    """One line of a list: what the resource itself says."""
    meta, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    conditions = status.get("conditions") or ()
    ready: Body = next((c for c in conditions if c.get("type") == "Ready"), {})
    return {
        "namespace": meta["namespace"],
        "name": meta["name"],
        "host": spec.get("host", ""),
        "ready": ready.get("status", "Unknown"),
        "reason": ready.get("reason", "NotSeen"),
        "message": ready.get("message") or _unseen(status),
        "nodes": (status.get("nodes") or {}).get("summary", ""),
        "storage": (status.get("storage") or {}).get("summary", ""),
        "created": meta.get("creationTimestamp", ""),
    }


def whole(
    body: Body, rows: Sequence[Row], catalogue: Catalogue | None, notes: Sequence[str] = ()
) -> Document:
    """`catalogue` None: not asked for. `notes`: what is missing of the nodes, and why."""
    spec, status = body.get("spec") or {}, body.get("status") or {}
    nodes = status.get("nodes") or {}
    document: Document = summary(body) | {
        "aliases": spec.get("aliases") or [],
        "url": status.get("url", ""),
        "conditions": status.get("conditions") or [],
        "nodes": {
            "summary": nodes.get("summary", ""),
            "management": (spec.get("nodes") or {}).get("management", "Managed"),
            "items": [_node(row) for row in rows],
            "notes": list(notes),
        },
        "storage": _storage(spec.get("storage") or {}, status.get("storage") or {}),
    }
    if catalogue is not None:
        document["catalogue"] = _catalogue(catalogue)
    return document


def _unseen(status: Body) -> str:
    if status.get("conditions"):
        return ""
    return "No operator has looked at it: see `localregistry doctor`."


def _node(row: Row) -> Document:
    return {
        "name": row.name,
        "runtime": row.runtime,
        "version": row.version,
        "reason": row.reason,
        "message": row.message,
    }


def _storage(spec: Body, status: Body) -> Document:
    kept = "ephemeral" if spec.get("ephemeral") else spec.get("reclaimPolicy", "Retain")
    found = {
        "summary": status.get("summary"),
        "used": status.get("used"),
        "capacity": status.get("capacity"),
        "claim": status.get("claimName"),
        "whenDeleted": kept,
    }
    return {key: value for key, value in found.items() if value}


def _catalogue(catalogue: Catalogue) -> Document:
    if catalogue.problem is not None:
        return {"problem": catalogue.problem}
    tags = [
        {
            "repository": tag.repository,
            "tag": tag.name,
            "digest": tag.digest,
            "size": tag.size,
            "pushed": tag.pushed,
        }
        for tag in catalogue.tags
    ]
    return {
        "repositories": catalogue.repositories,
        "tags": tags,
        "notes": list(catalogue.notes),
    }
