"""A registry whose nodes are only looked at, from the spec to the status."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from localregistry.controller.errors import ApiError
from localregistry.controller.kinds import SERVICE
from localregistry.trust import Report
from unit.controller.bodies import KEY, claim, node
from unit.controller.world import World

LOOK = {"management": "Preview"}


async def previewed(**nodes: Any) -> World:
    """A registry whose pod does not run, previewed by one node."""
    world = World(nodes=LOOK | nodes)
    world.given.fleet.observe_node(node("n1", labels={"disk": "hdd"}), gone=False)
    world.given.fleet.surveyed = True
    await world.run()
    await world.trust.reconcile()
    revision = world.trust.document.revision
    world.given.fleet.reports["n1"] = Report(revision, previews={"u1": ("+ a line",)})
    await world.run()
    return world


async def test_a_preview_is_in_the_status_and_needs_no_registry_that_answers() -> None:
    world = await previewed()
    assert world.condition("NodesReady") == ("True", "Preview")
    assert "1/1 nodes" in world.message("NodesReady")
    assert world.condition("RegistryAvailable")[0] == "Unknown"
    (shown,) = world.status()["nodes"]["preview"]
    assert (shown["nodes"], shown["diff"]) == (["n1"], "+ a line")
    assert world.pushes == []
    world.available()
    await world.run()
    assert world.condition("Ready")[0] == "True"
    assert world.pushes == [], "nobody is to pull"


async def test_a_preview_without_a_service_waits_for_its_address() -> None:
    world = World(nodes=LOOK)
    world.given.fleet.surveyed = True
    world.api.fail("apply", SERVICE, ApiError(422, "no"))
    world.api.fail("create", SERVICE, ApiError(422, "no"))
    await world.run()
    await world.trust.reconcile()
    assert world.condition("NodesReady") == ("Unknown", "WaitingForRegistry")
    assert "as soon as the registry has an address" in world.message("NodesReady")


async def test_a_preview_of_a_name_that_another_holds_is_a_conflict() -> None:
    world = await previewed()
    world.trust.drop(KEY)
    await world.trust.reconcile()
    older = claim("u0", name="first")
    world.trust.update(dataclasses.replace(older, created="2020-01-01T00:00:00Z"))
    await world.trust.reconcile()
    await world.run()
    assert world.condition("NodesReady") == ("False", "HostConflict")
    await world.trust.reconcile()
    assert not world.trust.covers("u1")


async def test_a_preview_becomes_managed_when_the_registry_has_answered() -> None:
    world = await previewed()
    world.change(nodes={"management": "Managed"})
    await world.run()
    world.given.clock.now += 60
    await world.trust.reconcile()
    assert world.trust.told_as("u1", preview=True), "nodes are not pointed at what cannot answer"
    await world.run()
    assert world.condition("NodesReady") == ("Unknown", "WaitingForRegistry")
    assert world.status()["nodes"] == {"desired": 1, "ready": 0, "summary": "0/1"}
    world.available()
    await world.run()
    await world.trust.reconcile()
    assert world.trust.told_as("u1", preview=False)
    await world.run()
    assert world.condition("NodesReady") == ("Unknown", "NodesPending")


async def test_a_managed_registry_that_is_only_to_be_looked_at_stays_ready() -> None:
    world = World()
    await world.ready()
    world.change(nodes=LOOK)
    await world.run()
    assert world.condition("NodesReady") == ("True", "Preview")
    assert "0/1 nodes" in world.message("NodesReady")
    await world.trust.reconcile()
    assert world.trust.told_as("u1", preview=True)


@pytest.mark.parametrize("management", ["Managed", "Preview"])
async def test_a_selector_that_no_node_meets_is_a_fault_that_is_seen(management: str) -> None:
    world = World()
    await world.ready()
    labels = {"disk": "sdd"}
    world.change(nodes={"management": management, "selector": {"matchLabels": labels}})
    await world.run()
    assert world.condition("NodesReady") == ("False", "NoNodesSelected")
    assert "disk=sdd" in world.message("NodesReady")
    assert world.condition("Ready") == ("False", "NoNodesSelected")


async def test_until_the_agents_were_asked_a_preview_stands_as_it_stood() -> None:
    world = await previewed()
    before = world.status()
    world.given.fleet.surveyed = False
    world.given.fleet.reports.clear()
    await world.run()
    assert world.status() == before
