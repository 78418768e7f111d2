"""What the proxy does to watches and lists, by the plural of what is watched."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web


@dataclass
class Streams:
    """Sets of plurals (`localregistries`, `nodes`, …), changed by a test from its own thread.

    `held` passes nothing on until it is let go; `dropping` loses events for ever; `gone` answers
    410 to each watch; `forgotten` tells the next one, by an event as an API server does, that the
    place where it was is not known any more; `cut` ends a running watch at its next event; `old`
    answers a LIST with what an earlier one said.
    """

    held: set[str] = field(default_factory=set)
    dropping: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    forgotten: set[str] = field(default_factory=set)
    cut: set[str] = field(default_factory=set)
    old: set[str] = field(default_factory=set)
    dropped: int = 0
    refused: int = 0
    replayed: int = 0
    _lists: dict[str, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def clear(self) -> None:
        for which in (self.held, self.dropping, self.gone, self.forgotten, self.cut, self.old):
            which.clear()

    def expired(self, request: web.BaseRequest) -> bool:
        expired = plural(request) in self.gone
        self.refused += expired
        return expired

    def forgets(self, request: web.BaseRequest) -> bool:
        if plural(request) not in self.forgotten:
            return False
        self.forgotten.discard(plural(request))
        self.refused += 1
        return True

    def listed(self, request: web.BaseRequest, body: bytes) -> None:
        """Keeps a LIST's answer, unless old ones are wanted of it."""
        if plural(request) in self.old:
            return
        try:
            answer = json.loads(body)
        except ValueError:
            return
        if isinstance(answer, dict) and str(answer.get("kind", "")).endswith("List"):
            self._lists[request.path] = answer

    def old_list(self, request: web.BaseRequest) -> Any:
        """What an earlier LIST said, where that is wanted."""
        if plural(request) not in self.old or request.path not in self._lists:
            return None
        self.replayed += 1
        return self._lists[request.path]

    async def pass_through(
        self, request: web.BaseRequest, content: aiohttp.StreamReader
    ) -> AsyncIterator[bytes]:
        what = plural(request)
        async for line in content:
            while what in self.held:  # noqa: ASYNC110 - set from another thread
                await asyncio.sleep(0.05)
            if what in self.cut:
                self.cut.discard(what)
                raise ConnectionResetError("cut by the test")
            if what in self.dropping:
                self.dropped += 1
                continue
            yield line


def plural(request: web.BaseRequest) -> str:
    return request.path.rpartition("/")[2]
