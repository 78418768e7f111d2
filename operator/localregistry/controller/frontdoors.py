"""Has each registry looked at through its Ingress, after each change of that and once an hour.

A controller needs some seconds to serve what it has just admitted: the first look comes after them,
and what is found twice is told.
Nothing of it makes a registry less ready, and an address that is not reached from here (a load
balancer that leads no pod back in, say) is told of as little as a good one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from localregistry.controller import frontdoor
from localregistry.controller.claims import Key
from localregistry.controller.frontdoor import Door, Stopped
from localregistry.controller.workqueue import WorkQueue
from localregistry.spec.registry import LocalRegistry

logger = logging.getLogger(__name__)

# A look takes a minute of waiting: 1,000 registries are through in half an hour after a start.
# With the 32 that ask agents and volumes, far below the 100 connections of a session.
LOOKERS = 32
# For a controller to serve what it has admitted.
SECOND_LOOK = 10.0
# No watch tells of a proxy that is mended, or of one that somebody puts before the Ingress.
AGAIN, HOURLY = 60.0, 3600.0


@dataclass
class _Looked:
    """`which`: the Ingress as it was asked for; `found`: what stops a push, as of the last look;
    `look`: the one that is under way."""

    key: Key
    door: Door
    which: tuple[str, ...]
    found: str = ""
    told: str = field(default="")
    look: asyncio.Task[None] | None = None


class FrontDoors:
    """Single event loop; `changed(key)` is called when there is other news to tell of one.

    `lasting`: seconds for which a push has to be let through.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        changed: Callable[[Key], None],
        lasting: float = frontdoor.LASTING,
        second_look: float = SECOND_LOOK,
        again: float = AGAIN,
    ) -> None:
        self._session = session
        self._changed = changed
        self._lasting = lasting
        self._second_look, self._again = second_look, again
        self._known: dict[str, _Looked] = {}
        self._queue: WorkQueue[str] = WorkQueue()

    def through(self, registry: LocalRegistry, ingress: Mapping[str, Any]) -> str:
        """What stops pushes through this Ingress, which has an address; "": nothing is known."""
        names = [host for host in registry.spec.hosts if host.address is None]
        first = ingress["status"]["loadBalancer"]["ingress"][0]
        address = str(first.get("ip") or first.get("hostname") or "")
        if not (names and address):
            return ""
        meta = ingress["metadata"]
        door = Door(address, str(names[0]), tls=registry.spec.ingress.tls_secret is not None)
        which = (str(meta.get("uid")), str(meta.get("generation")), str(meta.get("annotations")))
        return self.observe(registry.uid, (registry.namespace, registry.name), door, which)

    def observe(self, uid: str, key: Key, door: Door, which: tuple[str, ...]) -> str:
        """The same of this door; it is looked at where it is another than before."""
        known = self._known.get(uid)
        if known is None or (known.door, known.which) != (door, which):
            self._known[uid] = known = _Looked(key, door, which, told=known.told if known else "")
            self._queue.add_after(uid, self._second_look)
        return known.told

    def told(self, uid: str) -> str:
        """The same as it is known, of a registry that does not answer. A look that is under way is
        put off: its upload would hold a pod that is to end for a minute."""
        known = self._known.get(uid)
        if known and known.look:
            known.look.cancel()
        return known.told if known else ""

    def forget(self, uid: str) -> None:
        """A look that is under way ends."""
        self.told(uid)
        self._known.pop(uid, None)

    async def run(self) -> None:
        """Runs until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(LOOKERS):
                group.create_task(self._look_forever())

    async def _look_forever(self) -> None:
        while True:
            uid = await self._queue.get()
            try:
                await self._look(uid)
            except Exception:
                # What answers may be anybody's, and must not end the operator.
                logger.exception("A look at the Ingress of %s failed", uid)
            finally:
                self._queue.done(uid)

    async def _look(self, uid: str) -> None:
        known = self._known.get(uid)
        if known is None:
            return
        look = frontdoor.look(self._session, known.door, lasting=self._lasting)
        known.look = asyncio.create_task(look)
        try:
            await known.look
            found = ""
        except asyncio.CancelledError:
            if (looker := asyncio.current_task()) and looker.cancelling():
                raise
            if self._known.get(uid) is known:
                self._queue.add_after(uid, self._second_look)
            return
        except Stopped as error:
            found = str(error)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            logger.debug("The Ingress of %s/%s is not reached: %s", *known.key, error)
            found = ""
        finally:
            known.look = None
        if self._known.get(uid) is not known:
            return  # Forgotten, or changed, meanwhile: then it is in the queue again.
        before, known.found = known.found, found
        if found and found != before:
            self._queue.add_after(uid, self._second_look)
            return
        self._queue.add_after(uid, self._again if found else HOURLY)
        if known.told != found:
            known.told = found
            self._changed(known.key)
