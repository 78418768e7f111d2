"""Asks the API for the Events that say why a registry does not come up: read when it is needed.

Nothing is asked while all is well or for the first seconds of a start, nothing is watched and
nothing kept: the one right for it is to list Events. Failing to read them is no failure of a run.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from localregistry.controller import claimstate, eventwords
from localregistry.controller.errors import ApiError
from localregistry.controller.kinds import EVENT
from localregistry.controller.kube import Api
from localregistry.controller.timestamps import epoch
from localregistry.controller.work import LOOK_AGAIN
from localregistry.spec.conditions import Condition, ConditionStatus, ConditionType
from localregistry.spec.reasons import Reason
from localregistry.spec.registry import LocalRegistry

logger = logging.getLogger(__name__)

Body = Mapping[str, Any]

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


class Causes:
    """`clock` is seconds since 1970, as conditions are dated by it."""

    def __init__(self, api: Api, *, clock: Callable[[], float] = time.time) -> None:
        self._api = api
        self._clock = clock

    async def of_registry(
        self, registry: LocalRegistry, deployment: Body, judged: Condition
    ) -> Condition:
        """`judged` (RegistryAvailable, not True) with its cause, if there are words for one."""
        if not self._due(registry, judged.type):
            return judged
        on_pods = {"regarding.kind": "Pod"}
        told = eventwords.of_deployment(await self._events(registry, on_pods), deployment)
        if cause := eventwords.of_pod(told):
            return Condition(judged.type, ConditionStatus.FALSE, cause.reason, cause.message)
        return judged if told else _stands(registry, judged)

    async def of_claim(self, registry: LocalRegistry, claim: Body, judged: Condition) -> Condition:
        """`judged` (StorageReady of a claim that waits) with what it waits for."""
        if not self._due(registry, judged.type):
            return judged
        on_claim = {
            "regarding.kind": "PersistentVolumeClaim",
            "regarding.uid": str(claim["metadata"]["uid"]),
        }
        words = eventwords.of_claim(await self._events(registry, on_claim))
        if words is None:
            return _stands(registry, judged)
        return claimstate.pending(registry, claim, words=words[0], failed=words[1])

    def again(self, registry: LocalRegistry, which: ConditionType) -> float:
        """When to look again for as long as the condition is not True, in seconds."""
        return LOOK_AGAIN if self._due(registry, which) else PATIENCE

    def _due(self, registry: LocalRegistry, which: ConditionType) -> bool:
        """Whether it has lasted for long enough to be no mere start."""
        before = _before(registry, which)
        if before is None or before.get("status") == ConditionStatus.TRUE.value:
            return False
        since = self._clock() - epoch(before.get("lastTransitionTime"))
        return before.get("reason") in FROM_EVENTS or not 0 <= since < PATIENCE

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
