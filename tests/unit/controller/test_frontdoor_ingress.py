"""What of an Ingress is looked at, and what its LocalRegistry is told of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from localregistry.controller.claims import Key
from localregistry.controller.frontdoor import Door
from localregistry.controller.frontdoors import FrontDoors
from localregistry.controller.kinds import INGRESS
from unit.controller.bodies import KEY, read
from unit.controller.world import World


class Looks(FrontDoors):
    """Keeps what it is to look at."""

    seen: tuple[str, Key, Door, tuple[str, ...]] | None

    def observe(self, uid: str, key: Key, door: Door, which: tuple[str, ...]) -> str:
        self.seen = uid, key, door, which
        return "a limit"


def admitted(**address: str) -> dict[str, Any]:
    meta = {"uid": "i1", "generation": 2, "annotations": {"a": "b"}}
    return {"metadata": meta, "status": {"loadBalancer": {"ingress": [address]}}}


@pytest.mark.parametrize(
    ("given", "address", "door"),
    [
        ({}, {"ip": "192.0.2.1"}, Door("192.0.2.1", "registry.example.internal")),
        ({}, {"hostname": "lb.example.com"}, Door("lb.example.com", "registry.example.internal")),
        (
            {"host": "a.example:5000", "ingress": {"tls": {"secretName": "s"}}},
            {"ip": "2001:db8::1"},
            Door("2001:db8::1", "a.example:5000", tls=True),
        ),
    ],
    ids=["an address", "a name", "https, and a port"],
)
def test_a_door_is_where_people_come_in(
    given: dict[str, Any], address: dict[str, str], door: Door
) -> None:
    looks = Looks.__new__(Looks)
    assert looks.through(read(**given), admitted(**address)) == "a limit"
    assert looks.seen == ("u1", KEY, door, ("i1", "2", "{'a': 'b'}"))


@pytest.fixture
async def looks() -> AsyncIterator[Looks]:
    async with aiohttp.ClientSession() as session:
        found = Looks(session, changed=lambda key: None)
        found.seen = None
        yield found


async def test_what_stops_pushes_is_told_of_the_ingress_and_of_nothing_else(looks: Looks) -> None:
    world = World(doors=looks)
    await world.ready()
    world.api.put(world.live(INGRESS) | {"status": admitted(ip="192.0.2.1")["status"]})
    world.available(False)
    await world.run()
    assert world.condition("Exposed") == ("True", "IngressAdmitted")
    assert looks.seen is None, "a registry that does not run is no fault of the front"
    world.available()
    await world.run()
    assert world.condition("Exposed") == ("False", "PushStopped")
    assert world.message("Exposed") == "A push through the Ingress fails: a limit"
    assert world.condition("Ready")[0] == "True"
    world.api.put(world.live(INGRESS) | {"status": {}})
    await world.run()
    assert world.condition("Exposed")[1] in ("IngressPending", "IngressNotAdmitted")


def test_the_name_is_asked_for_at_the_address() -> None:
    assert Door("192.0.2.1", "a.example").url.startswith("http://192.0.2.1:80/v2/")
    assert Door("2001:db8::1", "a.example", tls=True).url.startswith("https://[2001:db8::1]:443/")
    assert Door("192.0.2.1", "a.example:5000").named.startswith("http://a.example:5000/v2/")
