"""Usage containers as HTTP servers on loopback that answer as they do, and what asks them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from localregistry.controller import usages
from localregistry.controller.claims import Key
from localregistry.controller.storageuse import Told
from localregistry.controller.usages import Usages
from localregistry.usage.report import Kind, Usage
from unit.controller.bodies import Clock
from unit.controller.serving import Handler, serving

GIB = 1 << 30


def usage(used: int = GIB, *, free: int = 9 * GIB, age: float = 0.0) -> Usage:
    return Usage(Kind.VOLUME, used, 10 * GIB, free, free, age=age)


def says(*answers: Usage) -> Handler:
    """One after the other, then the last again and again."""
    left = list(answers)

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=(left.pop(0) if len(left) > 1 else left[0]).to_json())

    return answer


class Lab:
    """Usage containers on 127.0.2.N, one port, and what asks them."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self.port = port
        self.clock = Clock(1000.0)
        self.answers: dict[str, Handler] = {}
        self.asked: list[str] = []
        self.said: list[str] = []
        self.changes: list[Key] = []
        self.usages = Usages(session, changed=self.changes.append, clock=self.clock, port=port)

    def follow(
        self,
        index: int = 1,
        *,
        told: Told = Told(),  # noqa: B008 - frozen
        nodes: str = "-",
    ) -> str:
        uid = f"u{index}"
        address = f"127.0.2.{index}"
        self.usages.follow(uid, ("team", uid), address=address, port=9810, told=told, nodes=nodes)
        return uid

    def answer(self, answer: Handler, *, index: int = 1) -> None:
        self.answers[f"127.0.2.{index}"] = answer

    async def handle(self, request: web.Request) -> web.StreamResponse:
        assert request.path == "/usage"
        self.said.append(request.query_string)
        address = request.host.partition(":")[0]
        self.asked.append(address)
        return await self.answers[address](request)

    def times(self, index: int = 1) -> int:
        return self.asked.count(f"127.0.2.{index}")


async def open_lab(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lab]:
    """One, and what asks is at it; it ends with the test."""
    # Times are in the same order as in earnest, only shorter.
    monkeypatch.setattr(usages, "EVERY_SECONDS", 0.2)
    monkeypatch.setattr(usages, "RETRY_SECONDS", 0.02)
    monkeypatch.setattr(usages, "TIMEOUT", aiohttp.ClientTimeout(total=0.2))
    made: list[Lab] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        return await made[0].handle(request)

    async with (
        serving(handle, method="GET", address="0.0.0.0") as port,
        aiohttp.ClientSession() as session,
    ):
        made.append(Lab(session, port))
        running = asyncio.create_task(made[0].usages.run())
        yield made[0]
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
