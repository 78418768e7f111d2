"""How a LocalRegistry goes: what is waited for, how long, and what is deleted with it."""

from __future__ import annotations

from typing import Any

import pytest

from localregistry.controller.errors import ApiError
from localregistry.controller.events import Events
from localregistry.controller.finalizer import (
    LONGEST_LOOK,
    LONGEST_WAIT,
    LOOK_AGAIN,
    Finalizer,
)
from localregistry.controller.kinds import CLAIM, EVENT, LOCAL_REGISTRY
from localregistry.resources import claim as claim_resource
from localregistry.spec import names
from localregistry.spec.registry import LocalRegistry
from localregistry.trust import NodeReason, NodeResult, Report
from unit.controller.bodies import (
    CHILD,
    CONFIG,
    KEY,
    NAMESPACE,
    SYSTEM,
    Clock,
    Trust,
    claim,
    lreg,
    node,
    read,
)
from unit.controller.standin_api import StandInApi

DELETE = {"size": "1Gi", "reclaimPolicy": "Delete"}


class World:
    """A LocalRegistry that is being deleted, and the nodes that trusted it."""

    def __init__(self, **given: Any) -> None:
        self.api = StandInApi()
        self.clock = Clock(50.0)
        self.given = Trust(self.api)
        self.trust = self.given.trust
        self.body = self.api.put(lreg(deleted=True, **given))
        posts = Events(self.api, instance="op-1", namespace=SYSTEM)
        self.finalizer = Finalizer(self.api, self.trust, posts, clock=self.clock)

    async def trusted(self, *nodes: str) -> None:
        """As it is at first: granted and confirmed by these nodes."""
        self.trust.update(claim())
        await self.trust.reconcile()
        for name in nodes:
            self.given.fleet.observe_node(node(name), gone=False)
            self.confirm(name)

    async def withdraw(self) -> None:
        self.trust.drop(KEY)
        await self.trust.reconcile()

    def confirm(self, name: str, message: str = "") -> None:
        exceptions = {"u1": NodeResult(NodeReason.RELOAD_BLOCKED, message)} if message else {}
        self.given.fleet.reports[name] = Report(self.trust.document.revision, "", exceptions)

    async def finish(self) -> float | None:
        body = self.api.look(LOCAL_REGISTRY, *KEY)
        assert body is not None
        return await self.finalizer.finish(body, LocalRegistry.from_body(body))

    def gone(self) -> bool:
        return self.api.look(LOCAL_REGISTRY, *KEY) is None

    def events(self) -> list[tuple[str, str]]:
        return [(event["type"], event["note"]) for event in self.api.all_of(EVENT)]


async def test_the_finalizer_is_put_beside_what_is_there() -> None:
    api = StandInApi()
    finalizer = Finalizer(
        api, Trust(api).trust, Events(api, instance="o", namespace=SYSTEM), clock=Clock()
    )
    body = api.put(lreg(finalizers=("example.com/other",)))
    assert not finalizer.holds(body)
    after = await finalizer.hold(body)
    assert after["metadata"]["finalizers"] == ["example.com/other", names.FINALIZER]
    assert after["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]
    assert finalizer.holds(after)


async def test_a_finalizer_that_came_meanwhile_is_not_lost() -> None:
    api = StandInApi()
    finalizer = Finalizer(
        api, Trust(api).trust, Events(api, instance="o", namespace=SYSTEM), clock=Clock()
    )
    read_before = api.put(lreg(finalizers=()))
    api.put(lreg(finalizers=("example.com/other",)))
    with pytest.raises(ApiError) as raised:
        await finalizer.hold(read_before)
    assert raised.value.stale


async def test_it_goes_when_every_node_has_confirmed() -> None:
    world = World()
    await world.trusted("n1", "n2")
    assert await world.finish() == LOOK_AGAIN, "the document still names it"
    await world.withdraw()
    assert await world.finish() == LOOK_AGAIN, "no node has confirmed"
    world.confirm("n1")
    assert await world.finish() is not None, "one is missing"
    world.confirm("n2")
    assert await world.finish() is None
    assert world.gone()
    assert world.events() == [("Normal", f"Withdrew the trust in LocalRegistry {NAMESPACE}/dev")]
    assert world.api.all_of(EVENT)[0]["metadata"]["namespace"] == SYSTEM


async def test_a_node_that_is_not_ready_is_not_waited_for() -> None:
    world = World()
    await world.trusted("n1")
    world.given.fleet.observe_node(node("n2", ready=False), gone=False)
    await world.withdraw()
    world.confirm("n1")
    assert await world.finish() is None


async def test_after_30_s_it_goes_and_names_the_nodes_that_were_silent() -> None:
    world = World()
    await world.trusted("n1", "n2", "n3")
    await world.withdraw()
    world.confirm("n1")
    world.confirm("n2", "dockerd does not reload")
    assert await world.finish() == LOOK_AGAIN
    world.clock.now += LONGEST_WAIT - 0.1
    assert await world.finish() == LOOK_AGAIN, "not long after the end"
    world.clock.now += 0.2
    assert await world.finish() is None
    assert world.gone()
    ((kind, note),) = world.events()
    assert kind == "Warning"
    assert "after 30 s; not confirmed: n2 dockerd does not reload; n3 has not answered" in note


@pytest.mark.parametrize("withdrawn", [True, False], ids=["a silent node", "not withdrawn yet"])
async def test_the_longer_it_takes_the_more_rarely_it_is_looked_at(withdrawn: bool) -> None:
    world = World()
    await world.trusted("n1")
    if withdrawn:
        await world.withdraw()
    looks = []
    while world.clock.now < 50.0 + LONGEST_WAIT and (again := await world.finish()) is not None:
        looks.append(again)
        world.clock.now += again
    assert looks[0] == LOOK_AGAIN
    assert max(looks) <= LONGEST_LOOK
    assert len(looks) < 20, "each is a request"
    assert sum(looks) < LONGEST_WAIT + LONGEST_LOOK


async def test_it_does_not_go_while_nodes_are_told_to_trust_it_however_long() -> None:
    world = World()
    await world.trusted("n1")
    for _ in range(3):
        assert await world.finish() is not None
        world.clock.now += 10 * LONGEST_WAIT
    await world.withdraw()
    assert await world.finish() == LOOK_AGAIN, "nodes get their time after an outage"
    assert not world.gone()


@pytest.mark.parametrize(
    ("storage", "owner", "deleted"),
    [
        (DELETE, "u1", True),
        ({"size": "1Gi"}, "u1", False),
        (DELETE, "u0", False),
        ({"existingClaim": CHILD}, "u1", False),
    ],
    ids=["Delete", "Retain", "Delete, but of another UID", "the user's own"],
)
async def test_a_claim_is_deleted_only_where_the_user_said_so_and_by_uid(
    storage: dict[str, Any], owner: str, deleted: bool
) -> None:
    world = World(storage=storage)
    made = claim_resource.build(read(storage={"size": "1Gi"}, uid=owner), CONFIG)
    assert made is not None
    world.api.put(made)
    assert await world.finish() is None
    assert (world.api.look(CLAIM, NAMESPACE, CHILD) is None) is deleted
    assert world.gone()


async def test_a_claim_goes_before_the_finalizer_does() -> None:
    world = World(storage=DELETE)
    made = claim_resource.build(read(storage=DELETE), CONFIG)
    assert made is not None
    world.api.put(made)
    world.api.fail("delete", CLAIM, ApiError(409, "modified"))
    with pytest.raises(ApiError):
        await world.finish()
    assert not world.gone()
    assert await world.finish() is None
    assert world.api.look(CLAIM, NAMESPACE, CHILD) is None


async def test_a_claim_that_is_going_already_is_not_deleted_again() -> None:
    world = World(storage=DELETE)
    made = claim_resource.build(read(storage=DELETE), CONFIG)
    assert made is not None
    made["metadata"]["deletionTimestamp"] = "2026-02-03T04:05:06Z"
    world.api.put(made)
    assert await world.finish() is None
    assert world.api.called("delete", CLAIM) == []


async def test_where_the_spec_cannot_be_read_the_claim_stays() -> None:
    world = World(storage=DELETE)
    made = claim_resource.build(read(storage=DELETE), CONFIG)
    assert made is not None
    world.api.put(made)
    assert await world.finalizer.finish(world.body, None) is None
    assert world.gone()
    assert world.api.look(CLAIM, NAMESPACE, CHILD) is not None


async def test_foreign_finalizers_are_kept_and_ours_is_not_put_back() -> None:
    world = World(finalizers=("a.example.com/x", names.FINALIZER, "b.example.com/y"))
    assert await world.finish() is None
    left = world.api.look(LOCAL_REGISTRY, *KEY)
    assert left is not None
    assert left["metadata"]["finalizers"] == ["a.example.com/x", "b.example.com/y"]
    world.api.writes.clear()
    assert await world.finish() is None
    assert world.api.writes == []


async def test_an_answer_that_is_lost_leaves_a_deletion_that_can_be_finished_again() -> None:
    world = World(finalizers=("a.example.com/x", names.FINALIZER))
    world.api.fail("patch", LOCAL_REGISTRY, ApiError(0, "timed out"), after=True)
    with pytest.raises(ApiError):
        await world.finish()
    assert await world.finish() is None
