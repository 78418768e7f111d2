"""What is counted over all LocalRegistries, as runs find it and no longer."""

from __future__ import annotations

import pytest

from localregistry.controller.census import Census
from localregistry.controller.fleet import NodeFailure, NodesSummary
from localregistry.controller.metrics import NodeState, VolumeState
from localregistry.controller.status import Findings
from localregistry.spec.conditions import Condition, ConditionStatus, ConditionType
from localregistry.spec.reasons import Reason
from localregistry.trust import NodeReason
from unit.controller.world import World

TRUE, FALSE = ConditionStatus.TRUE, ConditionStatus.FALSE
AVAILABLE, STORED = ConditionType.REGISTRY_AVAILABLE, ConditionType.STORAGE_READY


def stored(reason: Reason, status: ConditionStatus = TRUE) -> Findings:
    findings = Findings()
    findings.put(Condition(STORED, status, reason))
    return findings


def failure(reason: NodeReason) -> NodeFailure:
    return NodeFailure(name="n", runtime="docker", reason=reason, message="")


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        (stored(Reason.CLAIM_BOUND), {VolumeState.ROOMY: 1}),
        (stored(Reason.EPHEMERAL), {VolumeState.ROOMY: 1}),
        (stored(Reason.STORAGE_ALMOST_FULL), {VolumeState.ALMOST_FULL: 1}),
        (stored(Reason.STORAGE_FULL), {VolumeState.FULL: 1}),
        (stored(Reason.DATA_LOST, FALSE), {}),
    ],
    ids=["bound", "ephemeral", "almost full", "full", "one that is lost has no room to tell of"],
)
def test_volumes_are_counted_by_the_room_that_is_left(
    findings: Findings, expected: dict[VolumeState, int]
) -> None:
    census = Census()
    census.put("u1", findings)
    assert dict(census.volumes()) == expected


def test_nodes_that_fail_are_counted_by_why() -> None:
    census = Census()
    two = (failure(NodeReason.CONTENDED), failure(NodeReason.PULL_FAILED))
    census.put("u1", Findings(nodes=NodesSummary(3, 1, two, ())))
    census.put("u2", Findings(nodes=NodesSummary(3, 1, two[:1], ("w",))))
    assert dict(census.failing()) == {NodeReason.CONTENDED: 2, NodeReason.PULL_FAILED: 1}
    assert census.nodes() == {NodeState.READY: 2, NodeState.FAILING: 3, NodeState.WAITING: 1}
    census.put("u1", Findings())
    census.forget("u2")
    assert dict(census.failing()) == {}


async def test_each_run_counts_once_and_what_is_gone_or_suspended_is_not_counted() -> None:
    world = World()
    await world.ready()
    census = world.reconciler.census
    assert census.conditions()[AVAILABLE, TRUE] == 1
    world.available(False)
    await world.run()
    assert census.conditions()[AVAILABLE, TRUE] == 0
    assert census.conditions()[AVAILABLE, FALSE] == 1
    world.change(suspend=True)
    await world.run()
    assert dict(census.conditions()) == {}
    world.change(suspend=False)
    await world.run()
    assert sum(census.conditions().values()) == len(ConditionType)
    world.change(host="127.0.0.1")
    await world.run()
    assert dict(census.conditions()) == {(ConditionType.READY, FALSE): 1}
    world.api._objects.pop(("LocalRegistry", "team", "dev"))
    await world.run()
    assert dict(census.conditions()) == {}
