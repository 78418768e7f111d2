"""When a watch is begun anew, seen from the requests that it makes.

kopf tells its handlers of objects and never of a list, and of an empty one nothing at all. But it
takes a session of ours, and aiohttp tells of each request that a session makes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import aiohttp

from localregistry.controller.kinds import Kind


class Listings:
    """`listing(kind)`: a list is asked for. `listed(kind)`: the watch after it is, so the list has
    been read to its end. Nothing is told of a watch that is resumed where it was."""

    def __init__(
        self,
        kinds: Iterable[Kind],
        *,
        listing: Callable[[Kind], None],
        listed: Callable[[Kind], None],
    ) -> None:
        self._kinds = {kind.plural: kind for kind in kinds}
        self._listing = listing
        self._listed = listed
        self._open: set[Kind] = set()

    def requested(self, method: str, path: str, query: Iterable[str]) -> None:
        """`query`: the names of its parameters."""
        kind = self._kinds.get(path.rpartition("/")[2])
        if kind is None or method.upper() != "GET":
            return
        if "watch" in query:
            if kind in self._open:
                self._open.discard(kind)
                self._listed(kind)
        elif "continue" not in query:
            self._open.add(kind)
            self._listing(kind)

    def tracing(self) -> aiohttp.TraceConfig:
        """What a session needs to tell this of its requests."""

        async def on_request_start(
            _: aiohttp.ClientSession, __: Any, request: aiohttp.TraceRequestStartParams
        ) -> None:
            self.requested(request.method, request.url.path, request.url.query)

        config = aiohttp.TraceConfig()
        config.on_request_start.append(on_request_start)
        return config
