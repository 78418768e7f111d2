"""A watch that is begun anew, seen from the requests that are made for it."""

from __future__ import annotations

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from localregistry.controller.kinds import DEPLOYMENT, POD, SERVICE
from localregistry.controller.listings import Listings

SERVICES, PODS = "/api/v1/services", "/api/v1/namespaces/system/pods"
LIST, MORE, WATCH = ("limit",), ("limit", "continue"), ("watch", "resourceVersion")


class Told:
    """What a Listings has told, in words."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.listings = Listings(
            (SERVICE, POD, DEPLOYMENT),
            listing=lambda kind: self.words.append(f"listing {kind.plural}"),
            listed=lambda kind: self.words.append(f"listed {kind.plural}"),
        )


@pytest.mark.parametrize(
    ("requests", "told"),
    [
        ([("GET", SERVICES, LIST), ("GET", SERVICES, WATCH)], ["listing", "listed"]),
        ([("get", SERVICES, LIST), ("get", SERVICES, WATCH)], ["listing", "listed"]),
        ([("GET", SERVICES, LIST), *[("GET", SERVICES, MORE)] * 3], ["listing"]),
        ([("GET", SERVICES, LIST)] * 2 + [("GET", SERVICES, WATCH)], ["listing"] * 2 + ["listed"]),
        ([("GET", SERVICES, WATCH)], []),
        ([("GET", SERVICES, LIST), *[("GET", SERVICES, WATCH)] * 3], ["listing", "listed"]),
        ([("POST", SERVICES, ()), ("GET", "/api/v1/secrets", LIST), ("GET", "/api/v1", ())], []),
    ],
    ids=[
        "a list, and the watch after it",
        "in whatever spelling",
        "further pages are of the same list",
        "a list that failed is begun once more",
        "a watch that is resumed tells nothing",
        "nor does it after a list",
        "what is none of ours tells nothing",
    ],
)
def test_what_is_told_of_these_requests(
    requests: list[tuple[str, str, tuple[str, ...]]], told: list[str]
) -> None:
    heard = Told()
    for method, path, query in requests:
        heard.listings.requested(method, path, query)
    assert heard.words == [f"{word} services" for word in told]


def test_two_kinds_do_not_end_each_other_s_lists() -> None:
    heard = Told()
    heard.listings.requested("GET", SERVICES, LIST)
    heard.listings.requested("GET", PODS, LIST)
    heard.listings.requested("GET", PODS, WATCH)
    assert heard.words == ["listing services", "listing pods", "listed pods"]


async def test_a_session_tells_of_its_requests_before_they_are_answered() -> None:
    heard, before = Told(), []

    async def answer(request: web.Request) -> web.Response:
        before.append(list(heard.words))
        return web.Response()

    service = web.Application()
    service.router.add_get(SERVICES, answer)
    async with (
        TestServer(service) as server,
        aiohttp.ClientSession(trace_configs=[heard.listings.tracing()]) as session,
    ):
        await (await session.get(server.make_url(f"{SERVICES}?limit=200"))).read()
        await (await session.get(server.make_url(f"{SERVICES}?watch=true"))).read()
    assert before == [["listing services"], ["listing services", "listed services"]]
