"""Hears of Events on the pods and claims of registries that are not well, so that none are read
again and again: a watch of a namespace's Events, for as long as one in it is not well.

It keeps no Event. It tells that there is news, and whoever wants the words reads them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from localregistry.controller.errors import REFUSALS, ApiError
from localregistry.controller.grants import Key
from localregistry.controller.kinds import EVENT
from localregistry.controller.kube import Api
from localregistry.spec import names
from localregistry.spec.registry import LocalRegistry

logger = logging.getLogger(__name__)

# A connection that died unnoticed is found by then; a watch that is resumed tells nothing twice.
WATCH_SECONDS = 120.0
# After one that failed: the API server is away, or the right is missing. Who is not heard is read.
AGAIN_SECONDS, REFUSED_SECONDS = 5.0, 300.0


class Changed(Protocol):
    def __call__(self, key: Key, /) -> None: ...


@dataclass
class _Followed:
    """`news` counts what was heard of it."""

    key: Key
    child: str
    claims: frozenset[str]
    news: int = 0
    # What repeats itself is none: a kubelet says the same some twenty times before it is silent.
    heard: set[tuple[str, str]] = field(default_factory=set)

    def concerns(self, event: Mapping[str, Any]) -> bool:
        regarding = event.get("regarding") or {}
        name = str(regarding.get("name") or "")
        if regarding.get("kind") == "PersistentVolumeClaim":
            return name in self.claims
        return regarding.get("kind") == "Pod" and name.startswith(f"{self.child}-")

    def is_news(self, event: Mapping[str, Any]) -> bool:
        if event.get("type") != "Warning":
            # What has gone well may end any trouble, and the same trouble may begin after it.
            self.heard.clear()
            return True
        said = (str(event["metadata"].get("uid")), str(event.get("note")))
        known = said in self.heard
        self.heard.add(said)
        return not known


class Hearing:
    """Single event loop; `changed(key)` is called at each news."""

    def __init__(self, api: Api, *, changed: Changed) -> None:
        self._api = api
        self._changed = changed
        self._followed: dict[str, dict[str, _Followed]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        # Where a watch runs, or is being resumed where it was.
        self._open: set[str] = set()

    def follow(self, registry: LocalRegistry, claims: Iterable[str] = ()) -> None:
        """Hear of its pods and of these claims from now on."""
        here = self._followed.setdefault(registry.namespace, {})
        known = here.get(registry.uid)
        if known:
            known.claims |= frozenset(claims)
        else:
            key = (registry.namespace, registry.name)
            child = names.child_name(registry.name)
            here[registry.uid] = _Followed(key, child, frozenset(claims))
        if registry.namespace not in self._tasks:
            task = asyncio.create_task(self._listen(registry.namespace))
            self._tasks[registry.namespace] = task

    def leave(self, uid: str) -> None:
        """It is well, or gone."""
        for namespace, here in list(self._followed.items()):
            if here.pop(uid, None) and not here:
                del self._followed[namespace]
                self._open.discard(namespace)
                self._tasks.pop(namespace).cancel()

    def news(self, registry: LocalRegistry) -> int | None:
        """Another number after each news; None while nobody listens."""
        followed = self._followed.get(registry.namespace, {}).get(registry.uid)
        return followed.news if followed and registry.namespace in self._open else None

    async def close(self) -> None:
        """Ends all watches."""
        tasks = list(self._tasks.values())
        self._tasks, self._followed = {}, {}
        self._open.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, namespace: str) -> None:
        since: str | None = None
        while True:
            wait = 0.0
            try:
                async with asyncio.timeout(WATCH_SECONDS + 2 * AGAIN_SECONDS):
                    async for event in self._api.watch(
                        EVENT, namespace, seconds=WATCH_SECONDS, since=since
                    ):
                        self._open.add(namespace)
                        if event:
                            since = str(event["metadata"]["resourceVersion"])
                            self._hear(namespace, event)
            except (ApiError, TimeoutError) as error:
                # What was said meanwhile is said again by a watch that is begun anew.
                since = None
                self._open.discard(namespace)
                refused = isinstance(error, ApiError) and error.status in REFUSALS
                wait = REFUSED_SECONDS if refused else AGAIN_SECONDS
                logger.info("Events in %s are not heard for now: %s", namespace, error)
            except Exception:
                since, wait = None, REFUSED_SECONDS
                self._open.discard(namespace)
                logger.exception("Hearing of Events in %s failed", namespace)
            await asyncio.sleep(wait)

    def _hear(self, namespace: str, event: Mapping[str, Any]) -> None:
        for followed in self._followed.get(namespace, {}).values():
            if followed.concerns(event) and followed.is_news(event):
                followed.news += 1
                self._changed(followed.key)
