"""Another release of the operator takes over, and no registry is made anew for it alone."""

from __future__ import annotations

import dataclasses
from typing import Any

from localregistry.controller.kinds import (
    CHILD_KINDS,
    CLAIM,
    DEPLOYMENT,
    INGRESS,
    LOCAL_REGISTRY,
)
from localregistry.resources.config import OperatorConfig
from localregistry.spec.names import USAGE_PAGE_ANNOTATION
from localregistry.spec.registry import LocalRegistry
from unit.controller.bodies import CONFIG, KEY
from unit.controller.world import SIZE, World

NEW = dataclasses.replace(CONFIG, agent_image="agent:new")


def images(world: World) -> dict[str, str]:
    pod = world.live(DEPLOYMENT)["spec"]["template"]["spec"]
    return {container["name"]: container["image"] for container in pod["containers"]}


def serving(world: World, *, available: int = 1) -> None:
    body = world.live(DEPLOYMENT)
    world.api.put({**body, "status": {**body.get("status", {}), "availableReplicas": available}})


async def upgraded(world: World, config: OperatorConfig = NEW, **given: Any) -> World:
    """The next process, at the same API server."""
    after = World(api=world.api, config=config, **given)
    await after.run()
    return after


async def served(**given: Any) -> World:
    world = World(**given)
    await world.run()
    serving(world)
    return world


async def test_a_new_agent_image_alone_leaves_a_registry_that_serves_as_it_is() -> None:
    world = await served()
    before = world.live(DEPLOYMENT)["spec"]
    after = await upgraded(world)
    await after.run()
    await after.run()
    assert after.live(DEPLOYMENT)["spec"] == before


async def test_what_the_watches_told_it_does_not_ask_for_and_leaves_as_it_is() -> None:
    world = await served(storage=SIZE)
    world.api.calls.clear()
    after = World(api=world.api, config=NEW)
    before = {kind: after.live(kind) for kind in CHILD_KINDS}
    after.trust.seen(LocalRegistry.from_body(after.body()))
    for child in before.values():
        after.reconciler.saw(KEY, child)
    await after.run()
    read = [call.kind for call in world.api.calls if call.verb == "get"]
    # Of the claim what its volume became is asked for in every run.
    assert read == [LOCAL_REGISTRY.kind, CLAIM.kind]
    assert {kind: after.live(kind)["spec"] for kind in (DEPLOYMENT, CLAIM)} == {
        kind: before[kind]["spec"] for kind in (DEPLOYMENT, CLAIM)
    }


async def test_children_of_nobody_known_are_not_remembered() -> None:
    world = await served(storage=SIZE)
    after = World(api=world.api, config=NEW)
    for kind in CHILD_KINDS:
        after.reconciler.saw(KEY, world.live(kind))
    assert after.reconciler._steps.children._uids == {}


def paths(world: World) -> list[str]:
    [rule] = world.live(INGRESS)["spec"]["rules"]
    return [path["path"] for path in rule["http"]["paths"]]


async def test_nobody_is_led_to_a_page_that_the_old_image_does_not_have() -> None:
    world = await served()
    assert paths(world) == ["/v2/", "/"]
    body = world.live(DEPLOYMENT)
    del body["metadata"]["annotations"][USAGE_PAGE_ANNOTATION]
    world.api.put(body)
    after = await upgraded(world)
    assert paths(after) == ["/"]
    await after.run()
    assert paths(after) == ["/"]
    serving(after)
    after.change(image="registry:4")
    await after.run()
    assert paths(after) == ["/v2/", "/"]


async def test_a_change_of_the_registry_itself_brings_the_new_image_too() -> None:
    after = await upgraded(await served())
    after.change(image="registry:4")
    await after.run()
    assert images(after) == {"registry": "registry:4", "usage": "agent:new"}


async def test_a_registry_that_serves_nobody_gets_it_at_the_next_look() -> None:
    after = await upgraded(await served())
    serving(after, available=0)
    await after.run()
    await after.run()
    assert images(after)["usage"] == "agent:new"


async def test_the_way_back_to_the_old_release_changes_nothing_either() -> None:
    world = await served()
    before = world.live(DEPLOYMENT)["spec"]
    back = await upgraded(await upgraded(world), CONFIG)
    assert back.live(DEPLOYMENT)["spec"] == before
