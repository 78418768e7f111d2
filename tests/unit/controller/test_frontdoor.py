"""A push through the front door, against fronts that stop one in each of the ways there are."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from localregistry.controller.claims import Key
from localregistry.controller.frontdoor import CONTENT, LENGTH, Door, Stopped, look
from localregistry.controller.frontdoors import FrontDoors
from unit.controller.bodies import KEY, until

HOST = "dev.example.internal"
API = {"Docker-Distribution-Api-Version": "registry/2.0"}
UPLOAD = "/v2/localregistry-probe/blobs/uploads/"
LASTING = 0.5


class Front:
    """Answers as a registry behind a proxy does; what a test sets is what the proxy does to it."""

    def __init__(self) -> None:
        self.begins: dict[str, Any] = {
            "status": 202,
            "headers": API | {"Location": f"{UPLOAD}7?_state=a"},
        }
        self.goes_on: dict[str, Any] = {
            "status": 202,
            "headers": API | {"Location": f"{UPLOAD}7?_state=b%3D"},
        }
        self.sent: list[bytes] = []
        # nginx's `client_max_body_size`, and after how many seconds an upload is cut.
        self.most = 1 << 40
        self.cut: float | None = None
        self.asked: list[str] = []
        self.port = 0

    @property
    def door(self) -> Door:
        return Door("127.0.0.1", HOST, port=self.port)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.host} {request.path_qs}")
        if request.method == "POST":
            return web.Response(**self.begins)
        if int(request.headers.get("Content-Length", 0)) > self.most:
            return web.Response(status=413)
        if request.method == "PATCH":
            assert request.transport
            if self.cut is not None:
                await asyncio.sleep(self.cut)
                request.transport.close()
            self.sent.append(await request.read())
            return web.Response(**self.goes_on)
        return web.Response(status=201 if request.method == "PUT" else 200, headers=API)


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    found = Front()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", found.handle)
    server = TestServer(app)
    await server.start_server(shutdown_timeout=0.1)
    assert server.port
    found.port = server.port
    yield found
    await server.close()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


async def test_a_push_that_is_let_through_leaves_one_blob(
    front: Front, session: aiohttp.ClientSession
) -> None:
    await look(session, front.door, lasting=LASTING)
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert front.asked == [
        f"GET {HOST} /v2/",
        f"GET {HOST} /v2/",
        f"POST {HOST} {UPLOAD}",
        f"PATCH {HOST} {UPLOAD}7?_state=a",
        f"PUT {HOST} {UPLOAD}7?_state=b%3D&digest=sha256%3A{digest}",
    ]
    assert front.sent == [CONTENT]


async def stopped(front: Front, session: aiohttp.ClientSession) -> str:
    """By what."""
    with pytest.raises(Stopped) as raised:
        await look(session, front.door, lasting=LASTING)
    return str(raised.value)


def moved(status: int, location: str, **headers: str) -> dict[str, Any]:
    return {"status": status, "headers": {"Location": location, **headers}}


@pytest.mark.parametrize(
    ("begins", "words"),
    [
        (moved(308, f"https://{HOST}{UPLOAD}"), f"redirected to https://{HOST} (308)"),
        (moved(302, "https://login.example.com/x?token=1"), "https://login.example.com (302)"),
        (moved(202, f"http://internal:5000{UPLOAD}7", **API), "sent on to http://internal:5000 "),
        (moved(202, f"https://{HOST}{UPLOAD}7", **API), f"sent on to https://{HOST} "),
        ({"status": 404}, "something else than the registry answers there, with 404"),
        ({"status": 200}, "something else than the registry answers there, with 200"),
        ({"status": 413}, "refused with 413"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
async def test_what_stops_a_push_is_told(
    front: Front, session: aiohttp.ClientSession, begins: dict[str, Any], words: str
) -> None:
    front.begins = begins
    told = await stopped(front, session)
    assert words in told
    assert "token" not in told


async def test_a_limit_of_the_size_is_found_without_sending_that_much(
    front: Front, session: aiohttp.ClientSession
) -> None:
    front.most = LENGTH - 1
    with pytest.raises(Stopped, match="bodies of 512 MiB are refused with 413"):
        await look(session, front.door, lasting=LASTING)
    assert front.asked == [f"GET {HOST} /v2/"] * 2, "nothing was begun"
    front.most = LENGTH
    await look(session, front.door, lasting=LASTING)


async def test_a_cut_is_found(
    front: Front, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localregistry.controller.frontdoor.AT_ONCE", 0.1)
    front.cut = 0.3
    with pytest.raises(Stopped, match="an upload is cut after 0 s"):
        await look(session, front.door, lasting=5)
    assert front.asked[-1].startswith("DELETE "), "what was begun is cancelled"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"status": 408}, "an upload is answered with 408 before it has ended"),
        ({"status": 504}, "an upload is answered with 504 before it has ended"),
        (moved(202, f"http://internal:5000{UPLOAD}7"), "sent on to http://internal:5000 "),
        (moved(308, f"https://{HOST}{UPLOAD}"), f"redirected to https://{HOST} (308)"),
    ],
    ids=["too slow", "a time-out behind it", "another place", "a redirect"],
)
async def test_what_stops_an_upload_that_was_begun_is_told(
    front: Front, session: aiohttp.ClientSession, answer: dict[str, Any], words: str
) -> None:
    front.goes_on = answer
    assert words in await stopped(front, session)


async def test_a_registry_that_fails_in_the_middle_is_no_fault_of_the_front(
    front: Front, session: aiohttp.ClientSession
) -> None:
    front.goes_on = {"status": 500}
    with pytest.raises(aiohttp.ClientError):
        await look(session, front.door, lasting=LASTING)


@pytest.mark.parametrize(
    "begins", [{"status": 503}, {"status": 403}, {"status": 405, "headers": API}]
)
async def test_what_says_nothing_of_users_is_not_told(
    front: Front, session: aiohttp.ClientSession, begins: dict[str, Any]
) -> None:
    """The registry is not well, the front lets in others alone, the registry itself refuses."""
    front.begins = begins
    with pytest.raises(aiohttp.ClientError):
        await look(session, front.door, lasting=LASTING)


# When it is looked at


class Doors:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.news: list[Key] = []
        self.doors = FrontDoors(
            session, changed=self.news.append, lasting=0.1, second_look=0.2, again=0.4
        )

    def seen(self, door: Door, which: str = "1") -> str:
        return self.doors.observe("u1", KEY, door, (which,))


@pytest.fixture
async def doors(session: aiohttp.ClientSession) -> AsyncIterator[Doors]:
    found = Doors(session)
    task = asyncio.create_task(found.doors.run())
    yield found
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_is_found_twice_is_told_and_looked_at_until_it_is_mended(
    front: Front, doors: Doors
) -> None:
    front.most = 1 << 20
    assert doors.seen(front.door) == ""
    await until(lambda: bool(doors.news))
    assert len(front.asked) == 4
    assert "413" in doors.seen(front.door)
    assert "413" in doors.doors.told("u1")
    front.most = LENGTH
    await until(lambda: len(doors.news) == 2)
    assert doors.seen(front.door) == ""


async def test_a_door_that_is_good_or_out_of_reach_is_left_alone_for_long(
    front: Front, doors: Doors
) -> None:
    doors.seen(front.door)
    await until(lambda: any(line.startswith("PUT") for line in front.asked))
    for _ in range(3):
        doors.seen(front.door)
    await asyncio.sleep(0.8)
    assert len(front.asked) == 5
    doors.seen(front.door, "2")
    await until(lambda: len(front.asked) == 10)
    doors.seen(Door("127.0.0.1", HOST, port=1))
    await asyncio.sleep(0.3)
    assert doors.news == []


async def test_nothing_is_kept_of_one_that_is_gone(front: Front, doors: Doors) -> None:
    front.begins = {"status": 404}
    doors.seen(front.door)
    await until(lambda: bool(front.asked))
    doors.doors.forget("u1")
    await asyncio.sleep(0.5)
    assert len(front.asked) == 3
    assert doors.news == []
    assert doors.doors._known == {}


async def test_a_push_under_way_ends_when_its_registry_goes(
    front: Front, session: aiohttp.ClientSession
) -> None:
    """The registry's pod waits for it. Others are looked at as before, until the operator ends."""
    doors = FrontDoors(session, changed=lambda _: None, lasting=60, second_look=0)
    task = asyncio.create_task(doors.run())
    for uid in ("u1", "u2"):
        del front.asked[:]
        doors.observe(uid, KEY, front.door, ())
        await until(lambda: any(line.startswith("PATCH") for line in front.asked))
        doors.forget(uid)
        await until(lambda: any(line.startswith("DELETE") for line in front.asked))
    assert not task.done()
    doors.observe("u3", KEY, front.door, ())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, timeout=5)


async def test_a_push_under_way_is_put_off_while_the_registry_does_not_answer(
    front: Front, session: aiohttp.ClientSession
) -> None:
    doors = FrontDoors(session, changed=lambda _: None, lasting=60, second_look=0.1)
    task = asyncio.create_task(doors.run())
    doors.observe("u1", KEY, front.door, ())
    for _ in range(2):
        await until(lambda: any(line.startswith("PATCH") for line in front.asked))
        assert doors.told("u1") == ""
        await until(lambda: any(line.startswith("DELETE") for line in front.asked))
        del front.asked[:]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
