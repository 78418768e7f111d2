"""Of two installs in one cluster the younger does nothing, and says so.

Each has a Lease in its own namespace, so both would lead. They would write the same children and
the same node files with different agents, and neither could be removed. The older Lease decides,
by the API server's clock; whether its holder lives is seen by its renewals, by no clock at all.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from localregistry.controller import leader
from localregistry.controller.errors import ApiError
from localregistry.controller.kinds import LEASE
from localregistry.controller.kube import Api

logger = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
# A Lease of 15 s that is not renewed in this time is nobody's.
DEAD_SECONDS = 20.0

Body = dict[str, Any]


class Rivals:
    """`told` takes what is in the way, and "" once nothing is; `clock` is monotonic seconds."""

    def __init__(
        self,
        api: Api,
        namespace: str,
        *,
        told: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._api = api
        self._namespace = namespace
        self._told = told
        self._clock = clock
        self._sleep = sleep
        self._seen: dict[str, tuple[object, float]] = {}

    async def gone(self) -> None:
        """Returns when no older operator is at work. To be called while our Lease is held."""
        said = ""
        while True:
            words = await self._look()
            if words != said:
                said = words
                self._told(words)
                if words:
                    logger.warning("%s", words)
            if not words:
                return
            await self._sleep(LOOK_SECONDS)

    async def _look(self) -> str:
        try:
            leases = await self._api.list_all(LEASE, fields={"metadata.name": leader.NAME})
        except ApiError as error:
            if error.unreachable:
                return f"Cannot see whether another operator is at work: {error}"
            # An older ClusterRole without this right: as it was before anybody looked.
            logger.warning("Cannot see whether another operator is at work: %s", error)
            return ""
        mine = [lease for lease in leases if _where(lease) == self._namespace]
        if not mine:
            return ""
        older = [lease for lease in leases if _age(lease) < _age(mine[0]) and self._lives(lease)]
        if not older:
            return ""
        where = ", ".join(sorted(map(_where, older)))
        return (
            f"The operator in namespace {where} is at work in this cluster already, so this one in"
            f" {self._namespace} does nothing. Uninstall one of the two"
        )

    def _lives(self, lease: Body) -> bool:
        spec = lease.get("spec") or {}
        if not spec.get("holderIdentity"):
            return False  # given back
        sign = (spec["holderIdentity"], spec.get("renewTime"))
        known, since = self._seen.get(_where(lease), (None, 0.0))
        if known != sign:
            since = self._clock()
            self._seen[_where(lease)] = (sign, since)
        return self._clock() - since < DEAD_SECONDS


def _where(lease: Body) -> str:
    return str(lease["metadata"]["namespace"])


def _age(lease: Body) -> tuple[str, str]:
    return str(lease["metadata"].get("creationTimestamp") or ""), _where(lease)
