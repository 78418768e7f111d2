"""Whole runs of a reconcile with aliases, and with a policy of hosts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from localregistry.controller.kinds import EVENT, INGRESS
from localregistry.resources.config import OperatorConfig
from localregistry.spec.hosts import Host
from localregistry.spec.policy import HostPolicy
from unit.controller.bodies import CONFIG, HOST, NAMESPACE, claim
from unit.controller.world import World

ALIAS = "alias.example.internal"
ADDRESS = "10.100.0.1:30500"


def granting(*hosts: str) -> OperatorConfig:
    table = [{"namespaces": [NAMESPACE], "hosts": list(hosts)}]
    return replace(CONFIG, host_policy=HostPolicy.parse(json.dumps(table)))


def rules(world: World) -> list[str]:
    return [rule["host"] for rule in world.live(INGRESS)["spec"]["rules"]]


def trusted(world: World) -> list[tuple[str, ...]]:
    return [entry.names for entry in world.trust.document.registries]


def notes(world: World) -> list[str]:
    return [e["note"] for e in world.api.all_of(EVENT) if e["reason"] == "HostNotAllowed"]


async def ready(world: World) -> World:
    await world.ready()
    await world.run()
    return world


async def test_aliases_are_served_like_the_host_and_addresses_are_trusted_only() -> None:
    world = await ready(World(config=granting("*", "10.100.0.0/16"), aliases=[ALIAS, ADDRESS]))
    assert world.condition("Ready") == ("True", "Ready")
    assert trusted(world) == [(HOST, ALIAS, ADDRESS)]
    assert rules(world) == [HOST, ALIAS]


async def test_an_alias_that_another_holds_is_told_and_costs_nothing_else() -> None:
    world = World(aliases=[ALIAS])
    older = replace(claim("u2", name="rival", host=ALIAS), created="2020-01-01T00:00:00Z")
    world.trust.update(older)
    await ready(world)
    assert world.condition("NodesReady") == ("False", "HostConflict")
    assert f"{ALIAS} is held by LocalRegistry {NAMESPACE}/rival" in world.message("NodesReady")
    assert world.condition("Ready") == ("False", "HostConflict")
    assert (HOST,) in trusted(world)
    assert rules(world) == [HOST]
    world.trust.drop((NAMESPACE, "rival"))
    await world.trust.reconcile()
    world.clock.now += 100
    world.given.clock.now += 100
    await world.run()
    await world.trust.reconcile()
    await world.run()
    assert (HOST, ALIAS) in trusted(world)
    assert rules(world) == [HOST, ALIAS]


async def test_an_address_without_a_grant_is_told_and_costs_nothing_else() -> None:
    world = await ready(World(aliases=[ADDRESS]))
    assert world.condition("NodesReady") == ("False", "HostNotAllowed")
    assert trusted(world) == [(HOST,)]


@pytest.mark.parametrize("suspended", [False, True])
async def test_a_host_that_is_granted_no_longer_is_withdrawn_with_an_event(suspended: bool) -> None:
    world = await ready(World(aliases=[ALIAS]))
    assert trusted(world) == [(HOST, ALIAS)]
    if suspended:
        world.change(suspend=True)
    later = World(api=world.api, config=granting("*.else.example", ALIAS))
    await later.trust.load()
    await later.run()
    await later.trust.reconcile()
    assert trusted(later) == []
    for which in ("Ready", "NodesReady"):
        assert later.condition(which) == ("False", "HostNotAllowed")
    assert f"may not declare {HOST}: hostPolicy grants it *.else.example" in later.message("Ready")
    assert len(notes(later)) >= 2
    if not suspended:
        assert later.condition("Exposed") == ("False", "HostNotAllowed")
        assert later.api.look(INGRESS, NAMESPACE, "dev-registry") is None
    before = later.status()
    await later.run()
    assert later.status() == before


async def test_an_alias_that_is_granted_no_longer_is_withdrawn_alone() -> None:
    world = await ready(World(aliases=[ALIAS]))
    later = World(api=world.api, config=granting(HOST))
    await later.trust.load()
    await ready(later)
    assert trusted(later) == [(HOST,)]
    assert later.condition("NodesReady") == ("False", "HostNotAllowed")
    assert rules(later) == [HOST]


async def test_who_may_not_have_a_name_holds_it_against_nobody() -> None:
    world = World(config=granting("*.else.example"))
    await world.run()
    table = world.trust.claims
    other = table.permitted(claim("u2", name="other", host="x.else.example"))
    other = replace(other, host=Host.parse("x.else.example"))
    table.put(other)
    assert table.holder(HOST, world.trust.document) is None
    assert table.holder("x.else.example", world.trust.document) == other
