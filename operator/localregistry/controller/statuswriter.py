"""Writes a LocalRegistry's status by server-side apply, once a reconcile and only if it is news."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from localregistry.controller import events, status
from localregistry.controller.events import Events
from localregistry.controller.kinds import LOCAL_REGISTRY
from localregistry.controller.kube import Api
from localregistry.controller.status import Findings
from localregistry.controller.timestamps import rfc3339
from localregistry.spec import names
from localregistry.spec.conditions import Condition
from localregistry.spec.registry import LocalRegistry

Body = dict[str, Any]

# Mere numbers of nodes are written at most this often.
COUNTS_EVERY = 10.0


class StatusWriter:
    """`wrote(uid, live)` is told of each write; `clock` is seconds since the epoch, for
    lastTransitionTime."""

    def __init__(
        self,
        api: Api,
        posts: Events,
        *,
        wrote: Callable[[str, Body], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._api = api
        self._wrote = wrote
        self._events = posts
        self._clock = clock
        self._counts_written: dict[str, float] = {}

    async def write(self, body: Body, registry: LocalRegistry, findings: Findings) -> float | None:
        """Returns in how many seconds to come back, where writing can wait."""
        new = status.build(registry, findings, now=rfc3339(self._clock()))
        old = body.get("status") or {}
        if new == old:
            return None
        since = self._clock() - self._counts_written.get(registry.uid, 0.0)
        if status.only_counts_differ(old, new) and 0 <= since < COUNTS_EVERY:
            return COUNTS_EVERY - since
        await self._apply(body, new)
        self._counts_written[registry.uid] = self._clock()
        return None

    async def write_conditions(self, body: Body, conditions: Iterable[Condition]) -> None:
        """Only these conditions and observedGeneration; all else stays."""
        old = body.get("status") or {}
        generation = int(body["metadata"].get("generation") or 0)
        now = rfc3339(self._clock())
        new = status.conditions_only(old, conditions, generation=generation, now=now)
        if new != old:
            await self._apply(body, new)

    def forget(self, uid: str) -> None:
        self._counts_written.pop(uid, None)

    async def _apply(self, body: Body, new: Mapping[str, Any]) -> None:
        meta = body["metadata"]
        live = await self._api.apply(
            LOCAL_REGISTRY,
            {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "metadata": {
                    "name": meta["name"],
                    "namespace": meta["namespace"],
                    # A status apply checks no UID: this keeps it off a namesake made meanwhile.
                    "resourceVersion": meta["resourceVersion"],
                },
                "status": dict(new),
            },
            subresource="status",
        )
        self._wrote(meta["uid"], live)
        before = (body.get("status") or {}).get("conditions") or ()
        await self._events.conditions(body, events.changes(before, new["conditions"]))
