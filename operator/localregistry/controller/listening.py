"""Listens to Events for as long as it is let, whatever becomes of the watch."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from localregistry.controller.errors import REFUSALS, ApiError
from localregistry.controller.kinds import EVENT
from localregistry.controller.kube import Api

logger = logging.getLogger(__name__)

# After a watch that failed: the API server is away, or the right is missing.
AGAIN_SECONDS, REFUSED_SECONDS = 5.0, 300.0
# 400: an API server that does not know a field that the watch selects by.
HOPELESS = (400, *REFUSALS)


async def listen(
    api: Api,
    namespace: str | None,
    *,
    seconds: float,
    heard: Callable[[Mapping[str, Any]], None],
    opened: Callable[[], None] = lambda: None,
    closed: Callable[[], None] = lambda: None,
    fields: Mapping[str, str] | None = None,
) -> None:
    """Never ends by itself, and never raises but where it is cancelled.

    `heard` gets every Event of the namespace (None: of all) that has these `fields`, first all that
    are there, some of them more than once. One watch lasts for `seconds`: a connection that died
    unnoticed is found by then, and the next goes on where it was. `opened` and `closed` are told
    when it begins to hear, and when it does not any more.
    """
    where = namespace or "all namespaces"
    since: str | None = None
    while True:
        wait = 0.0
        try:
            async with asyncio.timeout(seconds + 2 * AGAIN_SECONDS):
                async for event in api.watch(
                    EVENT, namespace, seconds=seconds, since=since, fields=fields
                ):
                    opened()
                    if event:
                        since = str(event["metadata"]["resourceVersion"])
                        heard(event)
        except (ApiError, TimeoutError) as error:
            # What was said meanwhile is said again by a watch that is begun anew.
            since = None
            closed()
            refused = isinstance(error, ApiError) and error.status in HOPELESS
            wait = REFUSED_SECONDS if refused else AGAIN_SECONDS
            logger.info("Events in %s are not heard for now: %s", where, error)
        except Exception:
            since, wait = None, REFUSED_SECONDS
            closed()
            logger.exception("Hearing of Events in %s failed", where)
        await asyncio.sleep(wait)
