"""A watch by our own client, against a server on loopback: what it asks, what it makes of lines."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from localregistry.controller.errors import ApiError
from localregistry.controller.kinds import EVENT
from localregistry.controller.kube import Api
from unit.controller.bodies import until
from unit.controller.spoken import speaking


def line(which: str, body: dict[str, Any]) -> bytes:
    return json.dumps({"type": which, "object": body}).encode() + b"\n"


ONE = {"metadata": {"name": "one"}, "note": "x" * 20_000}
TWO = {"metadata": {"name": "two"}}
GONE = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}


class Server:
    """Sends `lines`, then ends; with `held` it waits before that. `left` counts those who went."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.lines: list[bytes] = []
        self.status = 200
        self.held = False
        self.left = 0
        self.told: list[tuple[str, int]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append({"path": request.path, **request.query})
        if self.status != 200:
            return web.json_response({"message": "no"}, status=self.status)
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            for sent in self.lines:
                await response.write(sent)
            while self.held:
                await asyncio.sleep(0.01)
                await response.write(b"")
                if request.transport is None or request.transport.is_closing():
                    raise ConnectionResetError
        except (ConnectionError, asyncio.CancelledError):
            self.left += 1
            raise
        return response


@pytest.fixture
async def server() -> Server:
    return Server()


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Api]:
    async with speaking(
        server.handle, lambda verb, status: server.told.append((verb, status))
    ) as found:
        yield found


async def heard(api: Api, since: str | None = None) -> list[dict[str, Any]]:
    return [body async for body in api.watch(EVENT, "team", seconds=30, since=since)]


async def listen(api: Api, came: list[dict[str, Any]]) -> None:
    async for body in api.watch(EVENT, "team", seconds=30):
        came.append(body)


async def test_it_tells_that_it_has_begun_and_then_each_object(server: Server, api: Api) -> None:
    server.lines = [line("ADDED", ONE), line("MODIFIED", TWO), line("DELETED", TWO)]
    assert await heard(api) == [{}, ONE, TWO, TWO]
    path = "/apis/events.k8s.io/v1/namespaces/team/events"
    assert server.asked == [{"path": path, "watch": "true", "timeoutSeconds": "30"}]
    assert server.told == [], "the metric is of all requests but watches"


async def test_all_namespaces_are_watched_for_what_has_certain_fields(
    server: Server, api: Api
) -> None:
    fields = {"reason": "Failed", "regarding.kind": "Pod"}
    assert [body async for body in api.watch(EVENT, None, seconds=30, fields=fields)] == [{}]
    [asked] = server.asked
    assert asked["path"] == "/apis/events.k8s.io/v1/events"
    assert asked["fieldSelector"] == "reason=Failed,regarding.kind=Pod"


async def test_it_is_resumed_where_it_was(server: Server, api: Api) -> None:
    assert await heard(api, since="7") == [{}]
    assert server.asked[0]["resourceVersion"] == "7"


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([line("ERROR", GONE)], 410),
        ([line("ERROR", {})], 0),
        ([b"<html>\n"], 0),
        ([b'{"type": "ADDED", "obj'], 0),
    ],
    ids=[
        "its place is forgotten",
        "an error without words",
        "a proxy's page",
        "a line that is cut",
    ],
)
async def test_what_is_no_object_ends_it_as_an_error(
    server: Server, api: Api, lines: list[bytes], status: int
) -> None:
    server.lines = [line("ADDED", TWO), *lines]
    came: list[dict[str, Any]] = []
    with pytest.raises(ApiError) as raised:
        await listen(api, came)
    assert came == [{}, TWO]
    assert raised.value.status == status


@pytest.mark.parametrize("status", [403, 503])
async def test_a_refusal_is_an_error(server: Server, api: Api, status: int) -> None:
    server.status = status
    with pytest.raises(ApiError) as raised:
        await heard(api)
    assert raised.value.status == status


async def test_whoever_stops_listening_leaves_no_connection_behind(
    server: Server, api: Api
) -> None:
    server.lines, server.held = [line("ADDED", TWO)], True
    came: list[dict[str, Any]] = []
    listening = asyncio.create_task(listen(api, came))
    await until(lambda: came == [{}, TWO])
    listening.cancel()
    await asyncio.wait({listening}, timeout=2)
    await until(lambda: server.left == 1)
