"""The first run for a new LocalRegistry: what it costs, and what is told of it."""

from __future__ import annotations

from localregistry.controller.kinds import (
    SERVICE,
)
from unit.controller.bodies import (
    CHILD,
    NAMESPACE,
)
from unit.controller.world import World


async def test_a_new_resource_costs_no_look_at_children_that_cannot_be_there() -> None:
    world = World(finalizers=())
    await world.run()
    assert [(call.verb, call.kind) for call in world.api.calls if call.verb == "get"] == [
        ("get", "LocalRegistry"),
    ]


async def test_a_stranger_that_was_there_before_a_new_resource_is_seen_and_left_alone() -> None:
    world = World(finalizers=())
    stranger = {"name": CHILD, "namespace": NAMESPACE, "labels": {"whose": "theirs"}}
    before = world.api.put({"apiVersion": "v1", "kind": "Service", "metadata": stranger})
    await world.run_until_fresh()
    assert world.condition("RegistryAvailable") == ("False", "NameConflict")
    assert world.live(SERVICE) == before


async def test_what_is_wrong_with_a_new_resource_is_told_at_once() -> None:
    world = World(finalizers=(), storage={"existingClaim": "missing"})
    await world.run()
    assert world.condition("Ready") == ("False", "ClaimNotFound")
