"""What the controller does about those that went while a watch was broken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from localregistry.controller import rollcall
from localregistry.controller.app import Controller
from localregistry.controller.kinds import (
    CHILD_KINDS,
    INGRESS,
    LOCAL_REGISTRY,
    NODE,
    POD,
    SERVICE,
    Kind,
)
from localregistry.controller.settings import Settings
from localregistry.controller.watches import Sinks
from unit.controller.bodies import CHILD, CONFIG, KEY, NAMESPACE, agent, lreg, node
from unit.controller.standin_api import StandInApi


@pytest.fixture
def api() -> StandInApi:
    return StandInApi()


@pytest.fixture
async def controller(api: StandInApi, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Controller]:
    monkeypatch.setattr(rollcall, "HANDED_OVER_SECONDS", 0.0)
    async with aiohttp.ClientSession() as session:
        yield Controller(api, session, Settings(config=CONFIG, identity="op-1"))


async def begun_anew(sinks: Sinks, kind: Kind, *there: dict[str, Any]) -> None:
    """As kopf begins a watch: a list, whose objects it tells of."""
    sinks.listing(kind)
    for body in there:
        if kind == NODE:
            sinks.node(body, False)
        elif kind == POD:
            sinks.agent(body, False)
        else:
            (sinks.registry if kind == LOCAL_REGISTRY else sinks.child)(body)
    sinks.listed(kind)
    await asyncio.sleep(0.01)


async def made(api: StandInApi, controller: Controller) -> None:
    api.put(lreg(storage={"size": "1Gi"}))
    await controller._one(KEY)
    await controller._one(KEY)
    while len(controller.queue):
        controller.queue.done(await controller.queue.get())


@pytest.mark.parametrize("kind", CHILD_KINDS, ids=str)
async def test_a_child_that_is_not_in_the_new_list_has_its_registry_looked_at(
    api: StandInApi, controller: Controller, kind: Kind
) -> None:
    await made(api, controller)
    await begun_anew(controller._sinks(), kind)
    assert await asyncio.wait_for(controller.queue.get(), 1) == KEY


@pytest.mark.parametrize("kind", CHILD_KINDS, ids=str)
async def test_a_child_that_is_in_it_as_it_was_costs_nothing(
    api: StandInApi, controller: Controller, kind: Kind
) -> None:
    await made(api, controller)
    live = api.look(kind, NAMESPACE, CHILD)
    assert live
    await begun_anew(controller._sinks(), kind, live)
    await asyncio.sleep(0.15)
    assert len(controller.queue) == 0


async def test_a_child_that_is_in_it_but_was_edited_has_its_registry_looked_at(
    api: StandInApi, controller: Controller
) -> None:
    await made(api, controller)
    live = api.look(SERVICE, NAMESPACE, CHILD)
    assert live
    edited = live | {"metadata": live["metadata"] | {"resourceVersion": "99999"}}
    await begun_anew(controller._sinks(), SERVICE, edited)
    assert await asyncio.wait_for(controller.queue.get(), 1) == KEY


async def test_a_registry_that_went_is_looked_at_and_then_nothing_of_it_is_missed(
    api: StandInApi, controller: Controller
) -> None:
    await made(api, controller)
    api.remove(LOCAL_REGISTRY, *KEY)
    await begun_anew(controller._sinks(), LOCAL_REGISTRY)
    key = await asyncio.wait_for(controller.queue.get(), 1)
    assert key == KEY
    await controller._one(key)
    assert [claim.key for claim in controller._trust.claims] == []
    for kind in (LOCAL_REGISTRY, *CHILD_KINDS):
        assert controller._known(kind) == {}


async def test_what_the_operator_took_away_itself_is_not_missed(
    api: StandInApi, controller: Controller
) -> None:
    await made(api, controller)
    assert list(controller._known(INGRESS).values()) == [KEY]
    body = api.look(LOCAL_REGISTRY, *KEY)
    assert body
    api.put(body | {"spec": body["spec"] | {"ingress": {"enabled": False}}})
    await controller._one(KEY)
    assert controller._known(INGRESS) == {}


async def test_nodes_and_agents_that_went_are_forgotten(
    api: StandInApi, controller: Controller
) -> None:
    sinks, fleet = controller._sinks(), controller._fleet
    for name in ("n1", "n2"):
        sinks.node(node(name), False)
        sinks.agent(agent(name, uid=f"pod-{name}"), False)
    await begun_anew(sinks, NODE, node("n2"))
    assert (set(fleet.nodes), set(fleet.pods)) == ({"n2"}, {"n1", "n2"})
    await begun_anew(sinks, POD, agent("n2", uid="pod-n2"))
    assert set(fleet.pods) == {"n2"}


async def test_an_agent_that_took_another_s_place_is_not_forgotten_with_it(
    api: StandInApi, controller: Controller
) -> None:
    sinks, fleet = controller._sinks(), controller._fleet
    sinks.agent(agent("n1", uid="old"), False)
    await begun_anew(sinks, POD, agent("n1", uid="new"))
    assert {pod.uid for pod in fleet.pods.values()} == {"new"}
