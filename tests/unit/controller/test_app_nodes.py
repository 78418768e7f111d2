"""What the controller makes of what the watches tell of nodes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from localregistry.controller.app import Controller
from localregistry.controller.claims import Key
from localregistry.controller.kinds import POD
from localregistry.controller.settings import Settings
from localregistry.controller.workqueue import WorkQueue
from unit.controller.bodies import (
    CONFIG,
    KEY,
    Clock,
    lreg,
    node,
)
from unit.controller.standin_api import StandInApi


@pytest.fixture
def api() -> StandInApi:
    return StandInApi()


@pytest.fixture
async def controller(api: StandInApi) -> AsyncIterator[Controller]:
    async with aiohttp.ClientSession() as session:
        yield Controller(api, session, Settings(config=CONFIG, identity="op-1"))


@pytest.fixture
def clock(controller: Controller) -> Clock:
    clock = Clock()
    controller.queue = WorkQueue(clock)
    return clock


async def ready(controller: Controller) -> Key | None:
    """The key that is ready now, marked as done; None where none is."""
    try:
        key = await asyncio.wait_for(controller.queue.get(), 0.01)
    except TimeoutError:
        return None
    controller.queue.done(key)
    return key


def observe(controller: Controller, body: dict[str, Any]) -> None:
    controller._sinks().node(body, False)


async def test_a_node_that_joins_while_all_are_listed_is_not_lost(
    api: StandInApi, controller: Controller
) -> None:
    api.put(node("n1"))
    api.meanwhile("list", POD, lambda: observe(controller, node("n2")))
    await controller._relist()
    assert set(controller._fleet.nodes) == {"n1", "n2"}
    await controller._relist()
    assert set(controller._fleet.nodes) == {"n1"}, "the next list knows nothing of it"


@pytest.mark.parametrize(
    ("labels", "woken"),
    [({"disk": "ssd"}, {KEY}), ({"other": "x"}, set())],
    ids=["that a selector asks for", "that nobody asks for"],
)
async def test_a_label_of_a_node_wakes_those_that_ask_for_it(
    api: StandInApi,
    controller: Controller,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    labels: dict[str, str],
    woken: set[Key],
) -> None:
    api.put(lreg(nodes={"selector": {"matchLabels": {"disk": "ssd"}}}))
    api.put(lreg(name="other", uid="u2", host="other.example.internal"))
    api.put(node("n1"))
    await controller._relist()
    while await ready(controller):
        pass
    told: list[str] = []
    monkeypatch.setattr(controller._tasks, "tell", told.append)
    observe(controller, node("n1", labels=labels))
    clock.now += 1
    assert {key for key in [await ready(controller) for _ in range(3)] if key} == woken
    assert told == ["n1"]
