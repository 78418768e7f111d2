"""The claim with the images, the name that only one may hold, and the push of the probe image."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import pytest

from localregistry.controller import grants
from localregistry.controller.claims import Claim
from localregistry.controller.errors import ApiError
from localregistry.controller.grants import decide
from localregistry.controller.kinds import (
    DEPLOYMENT,
    INGRESS,
    SERVICE,
)
from localregistry.controller.nodetrust import WRITE_EVERY
from localregistry.controller.steps import PUSH_AGAIN, PUSH_PATIENCE
from localregistry.controller.work import SOON_AGAIN
from localregistry.trust import NodeReason, NodeResult, Report
from unit.controller.bodies import (
    CHILD,
    HOST,
    KEY,
    NAMESPACE,
    claim,
)
from unit.controller.world import World

# The name


def holder(**changes: Any) -> Claim:
    return dataclasses.replace(claim("u0", name="first"), created="2020-01-01T00:00:00Z", **changes)


async def test_a_name_that_another_holds_is_a_conflict_and_gets_no_ingress() -> None:
    world = World()
    await world.run()
    assert world.live(INGRESS)
    world.trust.update(holder())
    await world.run()
    assert world.api.look(INGRESS, NAMESPACE, CHILD) is None
    for which in ("Exposed", "NodesReady"):
        assert world.condition(which) == ("False", "HostConflict")
        assert f"{NAMESPACE}/first" in world.message(which)
    world.trust.drop(holder().key)
    await world.run()
    assert world.live(INGRESS)
    assert world.condition("NodesReady")[1] != "HostConflict"


async def test_a_registry_that_the_nodes_document_has_no_room_for_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Some 1,900 registries fill it; here its limit is lowered below one."""
    monkeypatch.setattr(grants, "decide", functools.partial(decide, limit=100))
    world = World()
    world.given.fleet.surveyed = True
    await world.run()
    world.available()
    await world.run()
    world.given.forget_woken()
    await world.trust.reconcile()
    assert world.given.woken == [KEY]
    await world.run()
    assert world.condition("NodesReady") == ("False", "TrustTooLarge")
    assert "document is full" in world.message("NodesReady")
    monkeypatch.undo()
    world.clock.now += WRITE_EVERY
    await world.trust.reconcile()
    await world.run()
    assert world.condition("NodesReady") == ("Unknown", "NoEligibleNodes")


async def test_an_unmanaged_registry_leaves_the_nodes_alone() -> None:
    world = World(nodes={"management": "Unmanaged"})
    await world.run()
    world.available()
    await world.run()
    await world.trust.reconcile()
    assert world.condition("NodesReady") == ("True", "Unmanaged")
    assert world.condition("Ready")[0] == "True"
    assert world.pushes == []
    assert not world.trust.covers("u1")


# A change of the host

WITH_PORT = f"{HOST}:5000"


async def granted_names(world: World) -> list[tuple[str, ...]]:
    world.given.clock.now += 60
    await world.trust.reconcile()
    return [entry.names for entry in world.trust.document.registries]


async def test_nodes_are_not_told_of_a_port_before_the_service_has_it() -> None:
    world = World()
    await world.ready()
    world.change(host=WITH_PORT)
    told: list[tuple[str, ...]] = []

    def look() -> None:
        claims, document = world.trust.claims, world.trust.document
        told.extend(entry.names for entry in decide(claims, document).document.registries)

    world.api.meanwhile("apply", DEPLOYMENT, look)
    await world.run()
    assert told == [(HOST,)], "what nodes have stays while the Service is being changed"
    assert world.condition("NodesReady") == ("Unknown", "WaitingForRegistry")
    assert 5000 in {port["port"] for port in world.live(SERVICE)["spec"]["ports"]}
    assert await granted_names(world) == [(WITH_PORT,)]


async def test_a_service_that_is_refused_its_new_port_takes_the_trust_along() -> None:
    world = World()
    await world.ready()
    world.change(host=WITH_PORT)
    world.api.fail("apply", SERVICE, ApiError(403, "no", reason="Forbidden"))
    await world.run()
    assert await granted_names(world) == []
    await world.run()
    assert await granted_names(world) == [(WITH_PORT,)]


async def test_a_run_that_ends_before_the_service_leaves_the_nodes_as_they_are() -> None:
    world = World()
    await world.ready()
    world.change(host=WITH_PORT)
    world.api.fail("apply", SERVICE, ApiError(503, "starting"))
    with pytest.raises(ApiError):
        await world.run()
    assert await granted_names(world) == [(HOST,)]
    await world.run()
    assert await granted_names(world) == [(WITH_PORT,)]


# The push of the probe image


async def test_a_refused_push_is_no_fault_at_first_and_one_later() -> None:
    world = World()
    world.given.fleet.surveyed = True
    await world.run()
    world.available()
    world.refused = "connection refused"
    assert await world.run() == PUSH_AGAIN
    assert world.condition("NodesReady") == ("Unknown", "WaitingForRegistry")
    world.clock.now += PUSH_PATIENCE - 0.1
    assert await world.run() == PUSH_AGAIN
    world.clock.now += 0.2
    assert await world.run() == SOON_AGAIN
    assert world.condition("NodesReady") == ("False", "ProbePushFailed")
    assert "connection refused" in world.message("NodesReady")
    world.refused = ""
    await world.run()
    await world.trust.reconcile()
    assert world.trust.covers("u1")


async def test_each_start_of_a_registry_gets_the_patience_anew() -> None:
    world = World()
    await world.run()
    world.available()
    world.refused = "connection refused"
    assert await world.run() == PUSH_AGAIN
    world.available(False)
    await world.run()
    world.clock.now += 3600
    world.available()
    assert await world.run() == PUSH_AGAIN


async def test_a_probe_image_that_a_node_cannot_pull_is_pushed_again() -> None:
    world = World()
    await world.ready()
    failed = {"u1": NodeResult(NodeReason.PULL_FAILED, "manifest unknown")}
    world.given.fleet.reports["n1"] = Report(world.trust.document.revision, "", failed)
    await world.run()
    assert len(world.pushes) == 2


async def test_a_registry_that_does_not_answer_for_a_while_keeps_its_trust() -> None:
    world = World()
    await world.ready()
    world.available(False)
    await world.run()
    await world.trust.reconcile()
    assert world.trust.covers("u1")
    assert world.condition("RegistryAvailable")[0] == "False"


async def test_until_the_agents_were_asked_the_nodes_stand_as_they_stood() -> None:
    world = World()
    await world.ready()
    before = world.status()
    world.given.fleet.surveyed = False
    world.given.fleet.reports.clear()
    await world.run()
    assert world.status() == before
