"""Asks each registry's usage container how much of the volume is used, about once a minute.

By the Service, so that no right on pods is needed. Nothing of it ever makes a registry less ready:
who does not answer is asked again later, and after five minutes no figure is told any more.

The question says how many nodes are ready, for the registry's page: so the container needs no right
in the API, and no count is written anywhere for it.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import aiohttp

from localregistry.controller.claims import Key
from localregistry.controller.storageuse import Found, Silent, Told
from localregistry.controller.workqueue import WorkQueue
from localregistry.resources import service
from localregistry.spec.registry import LocalRegistry
from localregistry.usage.report import NODES, PATH, Unreadable, Usage

logger = logging.getLogger(__name__)

# The container answers within 1.5 s, by what it measured last if need be.
TIMEOUT = aiohttp.ClientTimeout(total=3)
# 1,000 registries that all hang take 3,000 s / 16 = 190 s a round, and hold up no reconcile.
ASKERS = 16
# Spread by a fifth: 100 registries are 2.2 questions a second, and none is left unasked for longer
# than 54 s, since what makes it not ready is to be told within a minute.
EVERY_SECONDS = 45.0
# A registry that has just become available: kube-proxy may not have written its rules yet.
RETRY_SECONDS = 2.0
SILENT_SECONDS = 300.0
# Other counts of nodes are told before the next question is due, and few times for many changes.
NEWS_SECONDS = 10.0
NO_COUNTS = "-"
# An answer has some 200 bytes.
MAX_ANSWER = 4096


@dataclass(frozen=True)
class Target:
    """A registry to ask: where, what its status says, and what to tell: `3/4` of the nodes."""

    key: Key
    address: str
    port: int
    told: Told
    nodes: str = NO_COUNTS


@dataclass(frozen=True)
class Known:
    """The last answer, or None; `at` is when it came, or the first question was due (monotonic)."""

    usage: Usage | None
    at: float


class Usages:
    """`changed(key)` is called when a status says something else than what is known now.

    `port` replaces the Service's, for tests without a pod network; `every` is in seconds.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        changed: Callable[[Key], None],
        port: int | None = None,
        every: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._changed = changed
        self._port = port
        self._every = every or EVERY_SECONDS
        self._clock = clock
        self._targets: dict[str, Target] = {}
        self._known: dict[str, Known] = {}
        self._failed: dict[str, int] = {}
        self._queue: WorkQueue[str] = WorkQueue()

    def observe(self, registry: LocalRegistry, *, address: str, nodes: str = NO_COUNTS) -> Found:
        """What is known of this registry's volume; with an address it is asked from now on, and
        told how many nodes are ready: `3/4`."""
        found = self.of(registry.uid)
        if address:
            self.follow(
                registry.uid,
                (registry.namespace, registry.name),
                address=address,
                port=service.usage_port(registry),
                told=Told.by(registry.status).after(found),
                nodes=nodes,
            )
        return found

    def follow(
        self, uid: str, key: Key, *, address: str, port: int, told: Told, nodes: str = NO_COUNTS
    ) -> None:
        """Ask this registry from now on; `told` is what its status says or is about to say."""
        before = self._targets.get(uid)
        self._targets[uid] = Target(key, address, self._port or port, told, nodes)
        if before and before.nodes != nodes:
            self._queue.add_after(uid, NEWS_SECONDS)
        if not before:
            self._known[uid] = Known(None, self._clock())
            # After a start of the operator nobody waits for figures that stand already.
            self._queue.add_after(uid, random.uniform(0, self._every) if told.used else 0.0)

    def forget(self, uid: str) -> None:
        """This LocalRegistry is gone."""
        self._targets.pop(uid, None)
        self._known.pop(uid, None)
        self._failed.pop(uid, None)

    def of(self, uid: str) -> Found:
        """What is known of this registry's volume."""
        known = self._known.get(uid)
        if known is None:
            return None
        if self._clock() - known.at >= SILENT_SECONDS:
            return Silent()
        return known.usage

    async def run(self) -> None:
        """Runs until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(ASKERS):
                group.create_task(self._ask_forever())

    async def _ask_forever(self) -> None:
        while True:
            uid = await self._queue.get()
            try:
                await self._ask(uid)
            except Exception:
                # A registry that answers what nobody thought of must not end the operator.
                logger.exception("Asking for the usage of %s failed", uid)
                self._queue.add_after(uid, self._every)
            finally:
                self._queue.done(uid)

    async def _ask(self, uid: str) -> None:
        target = self._targets.get(uid)
        if target is None:
            return
        usage = await self._answer(target)
        # It may have been forgotten, or told something new, meanwhile.
        target = self._targets.get(uid)
        if target is None:
            return
        if usage is not None:
            self._known[uid] = Known(usage, self._clock() - usage.age)
            self._failed.pop(uid, None)
            seconds = self._every
        else:
            failed = self._failed[uid] = self._failed.get(uid, 0) + 1
            seconds = min(RETRY_SECONDS * 2.0 ** min(failed - 1, 10), self._every)
        self._queue.add_after(uid, seconds * random.uniform(0.8, 1.2))
        told = target.told.after(self.of(uid))
        if told != target.told:
            # Once for each news: when it is written, `follow` says so anew.
            self._targets[uid] = replace(target, told=told)
            self._changed(target.key)

    async def _answer(self, target: Target) -> Usage | None:
        host = f"[{target.address}]" if ":" in target.address else target.address
        try:
            # No redirect: what answers may be anybody's, and must not send the operator elsewhere.
            async with self._session.get(
                f"http://{host}:{target.port}{PATH}",
                params={NODES: target.nodes},
                timeout=TIMEOUT,
                allow_redirects=False,
            ) as answer:
                if answer.status != 200:
                    return None
                return Usage.from_json(await _whole(answer))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            logger.debug("No usage of %s/%s: %s", *target.key, error)
        except Unreadable as error:
            logger.debug("The usage of %s/%s cannot be read: %s", *target.key, error)
        return None


async def _whole(answer: aiohttp.ClientResponse) -> bytes:
    """The body, which comes in pieces. Raises Unreadable where it is too long."""
    body = bytearray()
    async for piece in answer.content.iter_any():
        body += piece
        if len(body) > MAX_ANSWER:
            raise Unreadable(f"usage: more than {MAX_ANSWER} bytes")
    return bytes(body)
