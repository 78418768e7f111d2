"""Hears of Events on the pods and claims of registries that are not well, so that none are read
again and again: a watch of a namespace's Events, for as long as one in it is not well.

It keeps no Event. It tells that there is news, and whoever wants the words reads them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from localregistry.controller.claims import Key
from localregistry.controller.kube import Api
from localregistry.controller.listening import listen
from localregistry.spec import names
from localregistry.spec.registry import LocalRegistry

# A connection that died unnoticed is found by then; a watch that is resumed tells nothing twice.
WATCH_SECONDS = 120.0


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
        await listen(
            self._api,
            namespace,
            seconds=WATCH_SECONDS,
            heard=lambda event: self._hear(namespace, event),
            opened=lambda: self._open.add(namespace),
            closed=lambda: self._open.discard(namespace),
        )

    def _hear(self, namespace: str, event: Mapping[str, Any]) -> None:
        for followed in self._followed.get(namespace, {}).values():
            if followed.concerns(event) and followed.is_news(event):
                followed.news += 1
                self._changed(followed.key)
