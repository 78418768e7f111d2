"""A cluster that answers GETs from a table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from localregistry.commands.cluster import Cluster

Answer = tuple[int, Any, Mapping[str, str]]


class StandIn(Cluster):
    """`answers` by path: what it holds, or (status, what, headers). 404 where nothing is."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        super().__init__(None, "https://cluster.test", "default")
        self.answers = dict(answers)
        self.asked: list[tuple[str, str]] = []

    def _request(
        self, method: str, path: str, body: Any, kind: str, accept: str = ""
    ) -> tuple[int, bytes, Any]:
        self.asked.append((method, path))
        bare = path.partition("?")[0]
        found = self.answers.get(path, self.answers.get(bare))
        if callable(found):
            found = found(body)
        if found is None:
            return 404, json.dumps({"kind": "Status", "message": "not found"}).encode(), {}
        if isinstance(found, Exception):
            raise found
        status, what, headers = found if isinstance(found, tuple) else (200, found, {})
        return status, what if isinstance(what, bytes) else json.dumps(what).encode(), headers


def listed(*items: Any) -> dict[str, Any]:
    return {"kind": "List", "items": list(items), "metadata": {}}


def refusal(what: str) -> Answer:
    return 403, {"kind": "Status", "message": f'User "eve" cannot {what}'}, {}
