"""The status as it is written, and when writing it can wait."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from localregistry.controller import status
from localregistry.controller.errors import ApiError
from localregistry.controller.events import Events
from localregistry.controller.fleet import NodeFailure, NodesSummary
from localregistry.controller.kinds import EVENT, LOCAL_REGISTRY
from localregistry.controller.news import Echoes
from localregistry.controller.previews import PreviewGroup, Previews
from localregistry.controller.status import Findings
from localregistry.controller.statuswriter import COUNTS_EVERY, StatusWriter
from localregistry.spec.conditions import Condition, ConditionStatus, ConditionType
from localregistry.spec.reasons import Reason
from localregistry.spec.registry import LocalRegistry
from localregistry.trust import NodeReason
from unit.controller.bodies import HOST, KEY, SYSTEM, Clock, lreg, read
from unit.controller.standin_api import StandInApi

NOW = "2026-05-06T07:08:09Z"
SIZE: dict[str, Any] = {"storage": {"size": "1Gi"}}
TRUE, FALSE = ConditionStatus.TRUE, ConditionStatus.FALSE


def findings(ready: int = 1, desired: int = 1, **given: Any) -> Findings:
    waiting = tuple(f"n{number}" for number in range(desired - ready))
    found = Findings(nodes=NodesSummary(desired, ready, given.pop("failing", ()), waiting), **given)
    for which, reason in (
        (ConditionType.STORAGE_READY, Reason.EPHEMERAL),
        (ConditionType.REGISTRY_AVAILABLE, Reason.DEPLOYMENT_AVAILABLE),
        (ConditionType.NODES_READY, Reason.NODES_PENDING if waiting else Reason.NODES_CONFIGURED),
    ):
        true = ConditionStatus.UNKNOWN if reason is Reason.NODES_PENDING else TRUE
        found.put(Condition(which, true, reason, f"{ready}/{desired}"))
    return found


def built(found: Findings | None = None, **given: Any) -> dict[str, Any]:
    found = found or findings()
    registry = read(**given)
    status.complete(registry, found)
    return status.build(registry, found, now=NOW)


def test_a_status_says_where_the_registry_is() -> None:
    got = built()
    assert got["url"] == f"http://{HOST}"
    assert got["endpoint"] == "dev-registry.team.svc:80"
    assert got["observedGeneration"] == 1
    assert built(ingress={"tls": {"secretName": "tls"}})["url"] == f"https://{HOST}"


def test_the_same_findings_give_the_same_status_at_any_time() -> None:
    first = built()
    found, registry = findings(), read(status=first)
    status.complete(registry, found)
    assert status.build(registry, found, now="2030-01-01T00:00:00Z") == first


@pytest.mark.parametrize(
    ("claim_status", "summary"),
    [
        ({}, {"claimName": "c", "claimUID": "c1", "summary": "-/1Gi"}),
        (
            {"capacity": {"storage": "2Gi"}},
            {"claimName": "c", "claimUID": "c1", "capacity": "2Gi", "summary": "-/2Gi"},
        ),
    ],
    ids=["while it waits: what was asked for", "what the volume has"],
)
def test_the_storage_is_that_of_the_claim(claim_status: Any, summary: Any) -> None:
    claim = {
        "metadata": {"name": "c", "uid": "c1"},
        "spec": {"resources": {"requests": {"storage": "1Gi"}}},
        "status": claim_status,
    }
    assert built(findings(claim=claim), **SIZE)["storage"] == summary


def test_the_record_of_a_claim_outlives_the_claim() -> None:
    recorded = {"claimName": "c", "claimUID": "c1"}
    assert built(status={"storage": recorded}, **SIZE)["storage"] == recorded
    assert built(status={"storage": recorded})["storage"] == {"summary": "-/ephemeral"}


def test_failing_nodes_are_ten_at_most_and_their_words_are_cut() -> None:
    failing = tuple(
        NodeFailure(f"n{number}", "docker", NodeReason.PULL_FAILED, "x" * 9000)
        for number in range(30)
    )
    shown = built(findings(0, 30, failing=failing))["nodes"]["failing"]
    assert [node["name"] for node in shown] == [f"n{number}" for number in range(10)]
    assert {len(node["message"]) for node in shown} == {512}


def test_unmanaged_nodes_are_not_counted() -> None:
    assert built(nodes={"management": "Unmanaged"})["nodes"] == {"summary": "-"}


PREVIEW = {"nodes": {"management": "Preview"}}
LOOKED = PreviewGroup("docker://26", ("n1", "n2"), ("--- /etc/hosts", "+ 10.96.0.9 a.b"))


def looked_at(*groups: PreviewGroup, failing: tuple[NodeFailure, ...] = ()) -> Findings:
    found = findings()
    found.nodes, found.previews = None, Previews(9, 9, groups, failing)
    return found


def test_a_preview_shows_no_count_of_nodes_but_what_they_would_change() -> None:
    assert built(looked_at(LOOKED), **PREVIEW)["nodes"] == {
        "summary": "-",
        "preview": [
            {
                "runtime": "docker://26",
                "count": 2,
                "nodes": ["n1", "n2"],
                "diff": "--- /etc/hosts\n+ 10.96.0.9 a.b",
            }
        ],
    }
    assert built(looked_at(), **PREVIEW)["nodes"] == {"summary": "-"}


def test_ten_groups_are_shown_and_the_nodes_that_could_not_be_configured() -> None:
    groups = [PreviewGroup("docker", (f"n{number}",), ()) for number in range(12)]
    failing = (NodeFailure("n1", "docker" * 99, NodeReason.FLAG_CONFLICT, "the flag \ud800"),)
    shown = built(looked_at(*groups, failing=failing), **PREVIEW)["nodes"]
    assert [group["nodes"] for group in shown["preview"]] == [[f"n{n}"] for n in range(10)]
    (one,) = shown["failing"]
    assert (one["name"], one["reason"], one["message"]) == ("n1", "FlagConflict", "the flag ?")
    assert len(one["runtime"]) == 256


@pytest.mark.parametrize(
    ("spec", "shown"),
    [
        (PREVIEW, {"summary": "-", "preview": [{"nodes": ["n1"]}]}),
        ({}, {"desired": 1, "ready": 1, "summary": "1/1"}),
        ({"nodes": {"management": "Unmanaged"}}, {"summary": "-"}),
    ],
    ids=["preview, and nobody knows", "managed again", "unmanaged"],
)
def test_what_was_previewed_stays_while_nobody_knows_and_goes_with_the_preview(
    spec: dict[str, Any], shown: dict[str, Any]
) -> None:
    before = {"nodes": {"summary": "-", "preview": [{"nodes": ["n1"]}]}}
    assert built(status=before, **spec)["nodes"] == shown


def old_nodes_ready(**changes: str) -> dict[str, Any]:
    condition = {
        "type": "NodesReady",
        "status": "True",
        "reason": "NodesConfigured",
        "message": "All 3 nodes pulled an image",
        "lastTransitionTime": NOW,
        "observedGeneration": 1,
    }
    return {"conditions": [condition | changes], "nodes": {"summary": "3/3"}}


@pytest.mark.parametrize(
    ("old", "expected"),
    [
        (old_nodes_ready(), ("True", "NodesConfigured")),
        (old_nodes_ready(status="False", reason="NodesFailing"), ("False", "NodesFailing")),
        (old_nodes_ready(reason="OfANewerVersion"), ("Unknown", "Reconciling")),
        ({}, ("Unknown", "Reconciling")),
    ],
    ids=["ready", "failing", "a reason of a newer version", "nothing known"],
)
def test_while_nobody_knows_the_nodes_stand_as_they_stood(old: Any, expected: Any) -> None:
    found = findings()
    found.nodes = None
    del found.conditions[ConditionType.NODES_READY]
    got = built(found, status=old)
    conditions = {c["type"]: (c["status"], c["reason"]) for c in got["conditions"]}
    assert conditions["NodesReady"] == expected
    assert got.get("nodes") == old.get("nodes")


def foreign_condition(_: dict[str, Any]) -> dict[str, Any]:
    return {"conditions": [{"type": "x.dev/Y", "status": "True", "reason": "R", "message": ""}]}


@pytest.mark.parametrize(
    ("change", "can_wait"),
    [
        (lambda s: {"nodes": {"summary": "2/3"}}, True),
        (lambda s: {"nodes": {"summary": "-", "preview": [{"diff": "+ x"}]}}, True),
        (lambda s: {"storage": {"used": "1Gi", "summary": "1Gi/ephemeral"}}, True),
        (lambda s: {"storage": {"summary": "-/1Gi", "capacity": "1Gi"}}, False),
        (lambda s: {"storage": {"summary": "-/ephemeral", "claimUID": "c1"}}, False),
        (lambda s: {"conditions": [c | {"message": "m"} for c in s["conditions"]]}, True),
        (lambda s: {"conditions": [c | {"status": "False"} for c in s["conditions"]]}, False),
        (lambda s: {"conditions": [c | {"reason": "R"} for c in s["conditions"]]}, False),
        (lambda s: {"conditions": [c | {"observedGeneration": 9} for c in s["conditions"]]}, False),
        (lambda s: {"observedGeneration": 9}, False),
        (lambda s: {"url": "http://other"}, False),
        (foreign_condition, False),
    ],
    ids=[
        "counts",
        "previews",
        "what is used",
        "what there is to use",
        "which claim it is",
        "words",
        "a status",
        "a reason",
        "a condition's generation",
        "the generation",
        "the url",
        "conditions of somebody else, which need no generation",
    ],
)
def test_only_counts_and_words_can_wait(change: Any, can_wait: bool) -> None:
    new = built()
    old = new | change(copy.deepcopy(new))
    assert status.only_counts_differ(old, new) is can_wait


# The writer


class World:
    def __init__(self, **given: Any) -> None:
        self.api = StandInApi(lreg(**given))
        self.clock = Clock()
        posts = Events(self.api, instance="op-1", namespace=SYSTEM)
        self.writer = StatusWriter(self.api, posts, wrote=Echoes().wrote, clock=self.clock)

    def body(self) -> dict[str, Any]:
        body = self.api.look(LOCAL_REGISTRY, *KEY)
        assert body is not None
        return body

    async def write(self, found: Findings) -> float | None:
        body = self.body()
        registry = LocalRegistry.from_body(body)
        status.complete(registry, found)
        return await self.writer.write(body, registry, found)

    def written(self) -> int:
        return len([write for write in self.api.writes if write[0] == "status"])


async def test_a_status_is_written_once() -> None:
    world = World()
    for _ in range(3):
        assert await world.write(findings()) is None
    assert world.written() == 1
    assert len(world.api.called("status", LOCAL_REGISTRY)) == 1


async def test_counts_are_written_every_10_s_and_none_is_lost() -> None:
    world = World()
    await world.write(findings(0, 9))
    for number in range(1, 5):
        world.clock.now += 1
        wait = await world.write(findings(number, 9))
        assert wait == pytest.approx(COUNTS_EVERY - number)
    assert world.written() == 1
    world.clock.now += COUNTS_EVERY
    assert await world.write(findings(4, 9)) is None
    assert world.body()["status"]["nodes"]["summary"] == "4/9"


async def test_a_clock_that_is_set_back_holds_up_no_counts() -> None:
    world = World()
    await world.write(findings(0, 9))
    world.clock.now -= 86_400
    assert await world.write(findings(1, 9)) is None
    assert world.body()["status"]["nodes"]["summary"] == "1/9"


async def test_what_changes_a_condition_waits_for_nothing() -> None:
    world = World()
    await world.write(findings(0, 9))
    assert await world.write(findings(9, 9)) is None
    ready = {c["type"]: c["status"] for c in world.body()["status"]["conditions"]}["Ready"]
    assert ready == "True"
    notes = [event["note"] for event in world.api.all_of(EVENT)]
    assert "Ready is True: Storage, registry and nodes are ready" in notes


async def test_a_condition_that_stays_keeps_its_time() -> None:
    world = World()
    await world.write(findings(0, 9))
    before = {c["type"]: c["lastTransitionTime"] for c in world.body()["status"]["conditions"]}
    world.clock.now += 100
    await world.write(findings(9, 9))
    after = {c["type"]: c["lastTransitionTime"] for c in world.body()["status"]["conditions"]}
    assert after["StorageReady"] == before["StorageReady"]
    assert after["Ready"] != before["Ready"]


async def test_a_status_is_not_written_on_a_namesake() -> None:
    world = World()
    body = world.body()
    world.api.remove(LOCAL_REGISTRY, *KEY)
    world.api.put(lreg(uid="u2"))
    registry, found = LocalRegistry.from_body(body), findings()
    status.complete(registry, found)
    with pytest.raises(ApiError) as raised:
        await world.writer.write(body, registry, found)
    assert raised.value.stale
    assert world.body()["status"] == {}
    assert world.api.all_of(EVENT) == [], "what was not written is not told"


async def test_an_event_that_cannot_be_posted_does_not_fail_the_run() -> None:
    world = World()
    world.api.fail("create", EVENT, ApiError(403, "forbidden"), times=9)
    assert await world.write(findings()) is None
    assert world.written() == 1


async def test_single_conditions_leave_all_else_as_it_was() -> None:
    world = World()
    await world.write(findings())
    before = world.body()["status"]
    invalid = Condition(ConditionType.READY, FALSE, Reason.INVALID_SPEC, "spec.host is wrong")
    for _ in range(2):
        await world.writer.write_conditions(world.body(), [invalid])
    assert world.written() == 2
    after = world.body()["status"]
    assert after["nodes"] == before["nodes"]
    reasons = {c["type"]: c["reason"] for c in after["conditions"]}
    assert reasons["Ready"] == "InvalidSpec"
    assert reasons["StorageReady"] == "Ephemeral"
