"""Asks the API for the Events that say why a registry does not come up: read when it is needed.

Nothing is asked while all is well or for the first seconds of a start, and then only after news of
Events, where those can be heard of. Failing to read them is no failure of a run.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from localregistry.controller import claimstate, eventwords
from localregistry.controller.errors import ApiError
from localregistry.controller.hearing import Hearing
from localregistry.controller.kinds import EVENT
from localregistry.controller.kube import Api
from localregistry.controller.timestamps import epoch
from localregistry.controller.work import LOOK_AGAIN
from localregistry.spec.conditions import Condition, ConditionStatus, ConditionType
from localregistry.spec.reasons import Reason
from localregistry.spec.registry import LocalRegistry

logger = logging.getLogger(__name__)

Body = Mapping[str, Any]
W = TypeVar("W")

# A pod whose image the node has is ready sooner, and takes no look at Events.
PATIENCE = 5.0
# Of a namespace's Events on pods; they are kept for an hour. Busy ones have some thousands.
AT_MOST = 2000
# Reasons that were read off Events: who finds one in the status need not be patient again.
FROM_EVENTS = frozenset(
    {
        Reason.POD_UNSCHEDULABLE,
        Reason.VOLUME_NOT_MOUNTED,
        Reason.IMAGE_PULL_FAILED,
        Reason.POD_CRASHING,
        Reason.PROVISIONING_FAILED,
    }
)


# Where Events are heard of: what else no watch tells this registry, as the loss of its node where
# its nodes are not managed. That costs applies that change nothing, and no LIST.
HEARD_AGAIN = 30.0
# What was read stands for so long, where no news of it was heard: an Event may be lost.
READ_AGAIN = 300.0


@dataclass(frozen=True)
class _Read:
    """What Events have said: `words` as eventwords has them. `of`: what it was said about, `news`
    what had been heard by then."""

    words: Any
    of: str
    news: int
    at: float


class Causes:
    """`clock` is seconds since 1970, as conditions are dated by it; `hearing` tells of news."""

    def __init__(
        self, api: Api, *, hearing: Hearing | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._api = api
        self._hearing = hearing
        self._clock = clock
        self._asked: set[str] = set()
        # By UID and kind of what is asked about; of registries that are not well only.
        self._read: dict[tuple[str, str], _Read] = {}

    def start(self, uid: str) -> None:
        """A run for this LocalRegistry begins."""
        self._asked.discard(uid)

    def end(self, uid: str) -> None:
        """It has ended. Who was asked for nothing in it is well, and is listened to no more."""
        if uid not in self._asked:
            self.forget(uid)

    def forget(self, uid: str) -> None:
        self._asked.discard(uid)
        for kind in ("Pod", "PersistentVolumeClaim"):
            self._read.pop((uid, kind), None)
        if self._hearing:
            self._hearing.leave(uid)

    async def of_registry(
        self, registry: LocalRegistry, deployment: Body, judged: Condition
    ) -> Condition:
        """`judged` (RegistryAvailable, not True) with its cause, if there are words for one."""
        self._asked.add(registry.uid)
        if not self._due(registry, judged.type):
            return judged
        pods = eventwords.pods_of(deployment)
        told = await self._words(
            registry,
            {"regarding.kind": "Pod"},
            of=pods.pattern,
            words=lambda events: eventwords.of_pods(events, pods),
        )
        if cause := eventwords.of_pod(told):
            return Condition(judged.type, ConditionStatus.FALSE, cause.reason, cause.message)
        return judged if told else _stands(registry, judged)

    async def of_claim(self, registry: LocalRegistry, claim: Body, judged: Condition) -> Condition:
        """`judged` (StorageReady of a claim that waits) with what it waits for."""
        self._asked.add(registry.uid)
        if not self._due(registry, judged.type):
            return judged
        on_claim = {
            "regarding.kind": "PersistentVolumeClaim",
            "regarding.uid": str(claim["metadata"]["uid"]),
        }
        words = await self._words(
            registry,
            on_claim,
            of=str(claim["metadata"]["uid"]),
            words=eventwords.of_claim,
            claims=(str(claim["metadata"]["name"]),),
        )
        if words is None:
            return _stands(registry, judged)
        return claimstate.pending(registry, claim, words=words[0], failed=words[1])

    def again(self, registry: LocalRegistry, which: ConditionType) -> float:
        """When to look again for as long as the condition is not True, in seconds."""
        if not self._due(registry, which):
            return PATIENCE
        heard = self._hearing is not None and self._hearing.news(registry) is not None
        return HEARD_AGAIN if heard else LOOK_AGAIN

    def _due(self, registry: LocalRegistry, which: ConditionType) -> bool:
        """Whether it has lasted for long enough to be no mere start."""
        before = _before(registry, which)
        if before is None or before.get("status") == ConditionStatus.TRUE.value:
            return False
        since = self._clock() - epoch(before.get("lastTransitionTime"))
        return before.get("reason") in FROM_EVENTS or not 0 <= since < PATIENCE

    async def _words(
        self,
        registry: LocalRegistry,
        fields: Mapping[str, str],
        *,
        of: str,
        words: Callable[[list[Body]], W],
        claims: tuple[str, ...] = (),
    ) -> W:
        """What the Events say now: read, unless nothing is new since they were."""
        news: int | None = None
        if self._hearing:
            self._hearing.follow(registry, claims)
            news = self._hearing.news(registry)
        place = (registry.uid, fields["regarding.kind"])
        known = self._read.get(place)
        fresh = known is not None and 0 <= self._clock() - known.at < READ_AGAIN
        if known and fresh and (known.of, known.news) == (of, news):
            found: W = known.words
            return found
        found = words(await self._events(registry, fields))
        if news is not None:
            self._read[place] = _Read(found, of, news, self._clock())
        return found

    async def _events(self, registry: LocalRegistry, fields: Mapping[str, str]) -> list[Body]:
        try:
            found = await self._api.list_all(
                EVENT, registry.namespace, fields=fields, at_most=AT_MOST
            )
        except ApiError as error:
            logger.info("Could not read the Events in %s: %s", registry.namespace, error)
            return []
        return list(found)


def _stands(registry: LocalRegistry, judged: Condition) -> Condition:
    """What was read before, where the Events have expired since and the spec is still the same."""
    before = _before(registry, judged.type) or {}
    reason, message = before.get("reason"), str(before.get("message") or "")
    if before.get("observedGeneration") != registry.generation or not message:
        return judged
    if reason in FROM_EVENTS:
        return Condition(judged.type, ConditionStatus.FALSE, Reason(reason), message)
    if reason == judged.reason and before.get("status") == judged.status.value:
        return Condition(judged.type, judged.status, judged.reason, message)
    return judged


def _before(registry: LocalRegistry, which: ConditionType) -> Mapping[str, Any] | None:
    for condition in registry.status.get("conditions") or ():
        if condition.get("type") == which.value:
            return dict(condition)
    return None
