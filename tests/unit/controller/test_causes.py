"""When Events are read, and what becomes of what they say."""

from __future__ import annotations

from typing import Any

import pytest

from localregistry.controller.causes import PATIENCE
from localregistry.controller.errors import ApiError
from localregistry.controller.kinds import CLAIM, DEPLOYMENT, EVENT
from localregistry.controller.work import LOOK_AGAIN
from unit.controller.kubeevents import CRASH, UNSCHEDULABLE, deployment, event, warning
from unit.controller.world import SIZE, World

pytestmark = pytest.mark.ux

NO_CLASS = 'storageclass.storage.k8s.io "nope" not found'


async def starting(**given: Any) -> World:
    """A registry whose pod was asked for a moment ago."""
    world = World(**given)
    await world.run()
    world.api.put(world.live(DEPLOYMENT) | {"status": deployment()["status"]})
    return world


def asked(world: World) -> int:
    return len(world.api.called("list", EVENT))


async def test_nothing_is_read_during_a_start_and_the_cause_right_after() -> None:
    world = await starting()
    world.api.put(warning("FailedScheduling", UNSCHEDULABLE))
    assert await world.run() == PATIENCE
    assert world.condition("RegistryAvailable") == ("Unknown", "DeploymentProgressing")
    assert asked(world) == 0
    world.clock.now += PATIENCE
    assert await world.run() == LOOK_AGAIN
    assert world.condition("RegistryAvailable") == ("False", "PodUnschedulable")
    assert world.condition("Ready") == ("False", "PodUnschedulable")
    assert UNSCHEDULABLE in world.message("Ready")
    assert asked(world) == 1


async def test_nothing_is_read_of_a_registry_that_is_well() -> None:
    world = World()
    await world.ready()
    before = asked(world)
    world.clock.now += 3600
    await world.run()
    assert world.condition("Ready")[0] == "True"
    assert asked(world) == before == 0


async def test_another_process_needs_no_patience_with_what_was_told_already() -> None:
    world = await starting()
    world.api.put(warning("FailedScheduling", UNSCHEDULABLE))
    world.clock.now += PATIENCE
    await world.run()
    other = World.resumed(world)
    other.clock.now = world.clock.now
    assert await other.run() == LOOK_AGAIN
    assert other.condition("RegistryAvailable") == ("False", "PodUnschedulable")


async def test_a_cause_goes_with_what_caused_it() -> None:
    world = await starting()
    world.api.put(warning("FailedScheduling", UNSCHEDULABLE))
    world.clock.now += PATIENCE
    await world.run()
    world.api.put(event("Scheduled", at=30, precise=True))
    await world.run()
    assert world.condition("RegistryAvailable") == ("Unknown", "DeploymentProgressing")
    world.available()
    await world.run()
    assert world.condition("RegistryAvailable") == ("True", "DeploymentAvailable")


async def test_a_cause_stands_when_its_events_have_expired() -> None:
    world = await starting()
    told = warning("BackOff", CRASH, container="registry")
    world.api.put(told)
    world.clock.now += PATIENCE
    await world.run()
    before = world.status()
    world.api.remove(EVENT, told["metadata"]["namespace"], told["metadata"]["name"])
    world.clock.now += 3600
    await world.run()
    assert world.status() == before
    world.change(image="registry.example.internal/other:1")
    await world.run()
    assert world.condition("RegistryAvailable") != ("False", "PodCrashing"), "of another pod"


@pytest.mark.parametrize("error", [ApiError(403, "forbidden"), ApiError(503, "starting")], ids=str)
async def test_without_the_right_or_an_answer_the_way_to_look_is_told(error: ApiError) -> None:
    world = await starting()
    world.clock.now += PATIENCE
    world.api.fail("list", EVENT, error)
    assert await world.run() == LOOK_AGAIN
    assert world.condition("RegistryAvailable") == ("Unknown", "DeploymentProgressing")
    assert "kubectl describe pod" in world.message("RegistryAvailable")


async def test_a_clock_that_was_set_back_does_not_end_in_patience_for_ever() -> None:
    world = await starting()
    await world.run()
    world.clock.now -= 3600
    await world.run()
    assert asked(world) == 1


async def test_a_claim_without_a_volume_tells_why() -> None:
    world = World(storage=SIZE)
    await world.run()
    claim = world.live(CLAIM)
    failed = warning("ProvisioningFailed", NO_CLASS)
    failed["regarding"] = {"kind": "PersistentVolumeClaim", "uid": claim["metadata"]["uid"]}
    world.api.put(failed)
    others = warning("ProvisioningFailed", "of another claim", at=99)
    others["regarding"] = {"kind": "PersistentVolumeClaim", "uid": "other"}
    world.api.put(others)
    world.clock.now += PATIENCE
    assert await world.run() == LOOK_AGAIN
    assert world.condition("StorageReady") == ("False", "ProvisioningFailed")
    assert NO_CLASS in world.message("StorageReady")
    assert world.condition("Ready") == ("False", "ProvisioningFailed")


async def test_a_pod_that_a_quota_refuses_is_told_without_a_look_at_events() -> None:
    world = await starting()
    words = "exceeded quota: team, requested: pods=1, used: pods=1, limited: pods=1"
    failure = {"type": "ReplicaFailure", "status": "True", "message": words}
    status = {"observedGeneration": 1, "conditions": [failure]}
    world.api.put(world.live(DEPLOYMENT) | {"status": status})
    world.clock.now += 60
    await world.run()
    assert world.condition("RegistryAvailable") == ("False", "PodRefused")
    assert words in world.message("Ready")
    assert asked(world) == 0


async def test_a_volume_that_cannot_be_written_is_told_at_the_first_push() -> None:
    world = World()
    await world.run()
    world.available()
    world.refused = "the registry answered 500 filesystem: mkdir /docker: permission denied"
    assert await world.run() == LOOK_AGAIN
    for which in ("RegistryAvailable", "Ready"):
        assert world.condition(which) == ("False", "VolumeNotWritable")
        assert "permission denied" in world.message(which)
    assert world.condition("NodesReady") == ("False", "ProbePushFailed")
    world.refused = ""
    await world.run()
    assert world.condition("RegistryAvailable") == ("True", "DeploymentAvailable")
