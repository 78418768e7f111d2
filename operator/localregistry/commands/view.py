"""The status document as tables: pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from localregistry.commands.document import Document
from localregistry.commands.screen import Part, Table
from localregistry.spec.quantity import format_bytes


def overview(documents: Sequence[Document], *, now: datetime, everywhere: bool) -> list[Part]:
    """One line for each LocalRegistry."""
    columns = ["name", "host", "ready", "nodes", "used", "age", "reason"]
    table = Table(
        ["namespace", *columns] if everywhere else columns, empty="There are no LocalRegistries."
    )
    for one in documents:
        age = ago(one["created"], now)
        row = [one["name"], one["host"], one["ready"], one["nodes"], one["storage"], age]
        row.append(one["reason"])
        table.rows.append([one["namespace"], *row] if everywhere else row)
    return [table]


def details(document: Document, *, now: datetime) -> list[Part]:
    """All of one LocalRegistry."""
    names = ", ".join([document["host"], *document["aliases"]])
    head = f"{document['namespace']}/{document['name']}   {names}   {document['url'] or ''}"
    parts: list[Part] = [head.rstrip(), "", _conditions(document, now), ""]
    if not document["conditions"]:
        parts += [document["message"], ""]
    nodes = document["nodes"]
    parts += [_nodes(document), *_notes(nodes["notes"]), ""]
    parts += _storage(document["storage"])
    if "catalogue" in document:
        parts += ["", *_catalogue(document["catalogue"], now)]
    return parts


def ago(timestamp: str | None, now: datetime) -> str:
    """How long it is since, in one unit as kubectl has it: 40s, 12m, 5h, 9d."""
    try:
        seconds = int((now - datetime.fromisoformat(timestamp or "")).total_seconds())
    except (ValueError, TypeError):
        return ""
    # The clocks of two machines differ.
    seconds = max(0, seconds)
    for unit, size, until in (("s", 1, 120), ("m", 60, 7200), ("h", 3600, 172_800)):
        if seconds < until:
            return f"{seconds // size}{unit}"
    return f"{seconds // 86_400}d"


def _conditions(document: Document, now: datetime) -> Table:
    rows = [
        [c["type"], c["status"], c["reason"], ago(c["lastTransitionTime"], now), c["message"]]
        for c in document["conditions"]
    ]
    columns = ["condition", "status", "reason", "since", "message"]
    return Table(columns, [*rows], title="Conditions", empty="None yet.")


def _nodes(document: Document) -> Table:
    nodes = document["nodes"]
    said = [text for text in (nodes["management"], nodes["summary"]) if text]
    keys = ("name", "runtime", "version", "reason", "message")
    return Table(
        ["node", "runtime", "version", "reason", "message"],
        [[node[key] for key in keys] for node in nodes["items"]],
        title=f"Nodes ({', '.join(said)})",
        empty="None that it selects." if not nodes["notes"] else "Not known.",
    )


def _storage(storage: Document) -> list[Part]:
    row = [storage.get(key, "") for key in ("used", "capacity", "claim", "whenDeleted")]
    return [Table(["used", "size", "claim", "when deleted"], [row], title="Storage")]


def _catalogue(catalogue: Document, now: datetime) -> list[Part]:
    if "problem" in catalogue:
        return [f"Catalogue: not read. {catalogue['problem']}"]
    rows = [
        [
            one["repository"],
            one["tag"],
            "" if one["size"] is None else format_bytes(one["size"]),
            ago(one["pushed"], now),
            (one["digest"] or "")[:19],
        ]
        for one in catalogue["tags"]
    ]
    title = f"Catalogue ({catalogue['repositories']} repositories, {len(rows)} tags)"
    table = Table(
        ["repository", "tag", "size", "pushed", "digest"], [*rows], title=title, empty="Empty."
    )
    return [table, *_notes(catalogue["notes"])]


def _notes(notes: Iterable[str]) -> list[Part]:
    return [f"  {note}" for note in notes]
