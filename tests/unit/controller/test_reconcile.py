"""One LocalRegistry from what is there to what is said about it: order, faults, and going."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from localregistry.controller.errors import ApiError
from localregistry.controller.events import Events
from localregistry.controller.grants import Claim
from localregistry.controller.kinds import (
    CLAIM,
    CONFIG_MAP,
    DEPLOYMENT,
    EVENT,
    INGRESS,
    LOCAL_REGISTRY,
    SERVICE,
    Kind,
)
from localregistry.controller.probe import PushFailed
from localregistry.controller.reconcile import Reconciler
from localregistry.controller.steps import LOOK_AGAIN, PUSH_AGAIN, PUSH_PATIENCE, SOON_AGAIN
from localregistry.spec import names
from localregistry.trust import NodeReason, NodeResult, Report
from unit.controller.bodies import (
    CHILD,
    CONFIG,
    HOST,
    KEY,
    NAMESPACE,
    SYSTEM,
    Clock,
    Trust,
    claim,
    lreg,
    node,
)
from unit.controller.standin_api import DELETED, StandInApi

SIZE = {"size": "1Gi"}


class World:
    """The reconciler with an API server in memory and a registry whose push a test decides."""

    def __init__(self, **given: Any) -> None:
        self.api = StandInApi()
        self.clock = Clock()
        self.given = Trust(self.api)
        self.trust = self.given.trust
        self.pushes: list[str] = []
        self.refused = ""
        posts = Events(self.api, instance="op-1", namespace=SYSTEM)
        self.reconciler = Reconciler(
            self.api, CONFIG, self.trust, posts, push=self._push, clock=self.clock
        )
        self.api.put(lreg(**given))

    async def _push(self, endpoint: str, uid: str) -> bool:
        self.pushes.append(endpoint)
        if self.refused:
            raise PushFailed(self.refused)
        return True

    async def run(self) -> float | None:
        return await self.reconciler.reconcile(KEY)

    async def run_until_fresh(self) -> None:
        """As the queue does: somebody deleted what we knew, so once more."""
        with pytest.raises(ApiError) as raised:
            await self.run()
        assert raised.value.stale
        await self.run()

    def change(self, **spec: Any) -> None:
        body = self.body()
        self.api.put(body | {"spec": body["spec"] | spec})

    def body(self) -> dict[str, Any]:
        body = self.api.look(LOCAL_REGISTRY, *KEY)
        assert body is not None
        return body

    def status(self) -> dict[str, Any]:
        return dict(self.body().get("status") or {})

    def condition(self, which: str) -> tuple[str, str]:
        found = {c["type"]: c for c in self.status()["conditions"]}[which]
        return found["status"], found["reason"]

    def message(self, which: str) -> str:
        return str({c["type"]: c["message"] for c in self.status()["conditions"]}[which])

    def live(self, kind: Kind) -> dict[str, Any]:
        body = self.api.look(kind, NAMESPACE, CHILD)
        assert body is not None
        return body

    def available(self, yes: bool = True) -> None:
        """As the Deployment's controller would say."""
        body = self.live(DEPLOYMENT)
        ready = {"availableReplicas": 1, "updatedReplicas": 1} if yes else {}
        self.api.put(body | {"status": {"observedGeneration": 1, **ready}})

    def bound(self) -> dict[str, Any]:
        body = self.live(CLAIM)
        return self.api.put(body | {"status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}})

    async def ready(self) -> None:
        """Up to a registry that a node has pulled from."""
        self.given.fleet.observe_node(node("n1"), gone=False)
        self.given.fleet.surveyed = True
        await self.run()
        self.available()
        await self.run()
        await self.trust.reconcile()
        self.given.fleet.reports["n1"] = Report(self.trust.document.revision)
        await self.run()


async def test_the_children_come_before_what_mounts_them() -> None:
    world = World(finalizers=(), storage=SIZE)
    await world.run()
    applied = [(verb, kind) for verb, kind, _ in world.api.writes if kind != "Event"]
    assert applied == [
        ("patch", "LocalRegistry"),
        ("apply", "ConfigMap"),
        ("apply", "PersistentVolumeClaim"),
        ("apply", "Deployment"),
        ("apply", "Service"),
        ("apply", "Ingress"),
        ("status", "LocalRegistry"),
    ]
    assert names.FINALIZER in world.body()["metadata"]["finalizers"]


async def test_a_registry_becomes_ready() -> None:
    world = World()
    await world.ready()
    for which in ("Ready", "StorageReady", "RegistryAvailable", "NodesReady"):
        assert world.condition(which)[0] == "True", world.status()
    assert world.status()["nodes"]["summary"] == "1/1"
    assert len(world.pushes) == 1
    assert world.pushes[0] == f"http://{world.live(SERVICE)['spec']['clusterIP']}:80"


async def test_a_run_that_finds_all_right_writes_nothing() -> None:
    world = World()
    await world.ready()
    world.api.writes.clear()
    for _ in range(3):
        await world.run()
    assert world.api.writes == []
    assert len(world.pushes) == 1


async def test_a_change_of_a_condition_is_one_event() -> None:
    world = World()
    await world.ready()
    events = [event for event in world.api.all_of(EVENT) if event["note"].startswith("Ready is")]
    assert [event["note"].split(":")[0] for event in events][-1] == "Ready is True"
    before = len(world.api.all_of(EVENT))
    world.available(False)
    await world.run()
    changed = {event["note"].split(" ")[0] for event in world.api.all_of(EVENT)[before:]}
    assert changed == {"Ready", "RegistryAvailable"}


@pytest.mark.parametrize(
    ("kind", "which"),
    [
        (CONFIG_MAP, "StorageReady"),
        (DEPLOYMENT, "RegistryAvailable"),
        (SERVICE, "RegistryAvailable"),
        (INGRESS, "Exposed"),
    ],
    ids=lambda value: str(value),
)
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ApiError(403, "it is forbidden"), "Forbidden"),
        (ApiError(422, "it is invalid"), "ApplyFailed"),
        (ApiError(403, "going", causes=("NamespaceTerminating",)), "Terminating"),
    ],
    ids=["forbidden", "invalid", "terminating"],
)
async def test_a_step_that_fails_says_so_and_lets_the_others_go_on(
    kind: Kind, which: str, error: ApiError, reason: str
) -> None:
    world = World()
    world.api.fail("apply", kind, error, times=9)
    again = await world.run()
    assert again is not None
    assert again <= LOOK_AGAIN
    assert world.condition(which) == ("False", reason)
    assert error.message in world.message(which)
    assert world.api.look(INGRESS if kind != INGRESS else SERVICE, NAMESPACE, CHILD)
    assert len(world.status()["conditions"]) == 5


@pytest.mark.parametrize("kind", [CONFIG_MAP, DEPLOYMENT, SERVICE, INGRESS], ids=str)
@pytest.mark.parametrize(
    "error", [ApiError(0, "refused"), ApiError(503, "starting"), ApiError(409, "modified")], ids=str
)
async def test_an_outage_ends_the_run_and_says_nothing_about_the_registry(
    kind: Kind, error: ApiError
) -> None:
    world = World()
    world.api.fail("apply", kind, error)
    with pytest.raises(ApiError):
        await world.run()
    assert world.status() == {}
    await world.run()
    assert world.condition("StorageReady")[0] == "True"


@pytest.mark.parametrize(
    ("verb", "kind"),
    [
        ("patch", LOCAL_REGISTRY),
        ("apply", CONFIG_MAP),
        ("apply", CLAIM),
        ("apply", DEPLOYMENT),
        ("apply", SERVICE),
        ("apply", INGRESS),
        ("status", LOCAL_REGISTRY),
    ],
    ids=str,
)
async def test_an_answer_that_is_lost_is_no_harm(verb: str, kind: Kind) -> None:
    world = World(finalizers=(), storage=SIZE)
    world.api.fail(verb, kind, ApiError(0, "timed out"), after=True)
    with pytest.raises(ApiError):
        await world.run()
    await world.run()
    kinds = [name for done, name, _ in world.api.writes if done == "apply"]
    assert sorted(kinds) == sorted(set(kinds)), "nothing is made twice"
    assert world.condition("StorageReady") == ("Unknown", "ClaimPending")


@pytest.mark.parametrize("kind", [DEPLOYMENT, SERVICE, INGRESS], ids=str)
async def test_a_name_that_is_taken_is_told_and_looked_at_again(kind: Kind) -> None:
    world = World()
    meta = {"name": CHILD, "namespace": NAMESPACE}
    stranger = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta}
    world.api.put(stranger)
    again = await world.run()
    assert again is not None
    assert again <= LOOK_AGAIN
    which = "Exposed" if kind == INGRESS else "RegistryAvailable"
    assert world.condition(which) == ("False", "NameConflict")
    world.api.remove(kind, NAMESPACE, CHILD)
    await world.run()
    assert world.condition(which)[1] != "NameConflict"


async def test_a_stranger_s_claim_keeps_the_registry_from_starting() -> None:
    world = World(storage=SIZE)
    meta = {"name": CHILD, "namespace": NAMESPACE}
    world.api.put({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta})
    await world.run()
    assert world.condition("StorageReady") == ("False", "NameConflict")
    assert world.condition("RegistryAvailable") == ("False", "WaitingForStorage")
    assert world.api.look(DEPLOYMENT, NAMESPACE, CHILD) is None


# The claim with the images


async def test_a_lost_claim_is_not_made_again_unasked() -> None:
    world = World(storage=SIZE)
    await world.run()
    lost = world.bound()["metadata"]["uid"]
    await world.run()
    assert world.status()["storage"]["claimUID"] == lost
    world.api.remove(CLAIM, NAMESPACE, CHILD)
    for _ in range(2):
        await world.run()
        assert world.condition("StorageReady") == ("False", "DataLost")
        assert world.condition("RegistryAvailable") == ("False", "WaitingForStorage")
        assert world.status()["storage"]["claimUID"] == lost
        assert world.api.look(CLAIM, NAMESPACE, CHILD) is None
    assert f"{names.ACCEPT_DATA_LOSS_ANNOTATION}={lost}" in world.message("StorageReady")


async def test_a_lost_claim_is_made_again_when_the_user_says_so_and_only_that_one() -> None:
    world = World(storage=SIZE)
    await world.run()
    lost = world.bound()["metadata"]["uid"]
    world.api.remove(CLAIM, NAMESPACE, CHILD)
    body = world.body()
    body["metadata"]["annotations"] = {names.ACCEPT_DATA_LOSS_ANNOTATION: lost}
    world.api.put(body)
    await world.run_until_fresh()
    new = world.live(CLAIM)["metadata"]["uid"]
    assert world.status()["storage"]["claimUID"] == new != lost
    world.api.remove(CLAIM, NAMESPACE, CHILD)
    await world.run()
    assert world.condition("StorageReady") == ("False", "DataLost")


async def test_another_claim_of_the_name_is_not_the_one_with_the_images() -> None:
    world = World(storage=SIZE)
    await world.run()
    body = world.bound()
    world.api.remove(CLAIM, NAMESPACE, CHILD)
    del body["metadata"]["uid"]
    world.api.put(body)
    await world.run()
    assert world.condition("StorageReady") == ("False", "DataLost")


async def test_a_claim_that_is_going_while_it_is_in_use_is_told_as_such() -> None:
    world = World(storage=SIZE)
    await world.run()
    body = world.bound()
    await world.run()
    meta = {"deletionTimestamp": DELETED, "finalizers": ["kubernetes.io/pvc-protection"]}
    world.api.put(body | {"metadata": body["metadata"] | meta})
    await world.run()
    assert world.condition("StorageReady") == ("False", "ClaimTerminating")
    assert world.live(DEPLOYMENT)


async def test_a_claim_of_the_user_that_is_not_there_is_told() -> None:
    world = World(storage={"existingClaim": "mine"})
    await world.run()
    assert world.condition("StorageReady") == ("False", "ClaimNotFound")
    assert world.api.look(CLAIM, NAMESPACE, CHILD) is None


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


# What is not reconciled


async def test_a_suspended_registry_is_left_as_it_is() -> None:
    world = World()
    await world.ready()
    world.change(suspend=True, host="new.example.internal", storage=SIZE)
    world.api.remove(SERVICE, NAMESPACE, CHILD)
    world.api.writes.clear()
    assert await world.run() is None
    await world.trust.reconcile()
    assert [w for w in world.api.writes if w[1] not in ("LocalRegistry", "Event")] == []
    assert world.trust.document.registries[0].names == (HOST,)
    world.change(suspend=False, host=HOST, storage={"ephemeral": True})
    await world.run_until_fresh()
    assert world.live(SERVICE)


async def test_a_suspended_registry_has_its_generation_observed() -> None:
    world = World()
    await world.ready()
    world.change(suspend=True)
    body = world.body()
    body["metadata"]["generation"] = 7
    world.api.put(body)
    await world.run()
    assert world.status()["observedGeneration"] == 7
    assert world.condition("Ready") == ("True", "Ready")


async def test_an_invalid_spec_is_told_and_trusted_no_more() -> None:
    world = World()
    await world.ready()
    world.change(host="127.0.0.1")
    world.api.writes.clear()
    assert await world.run() is None
    assert world.condition("Ready") == ("False", "InvalidSpec")
    assert "spec.host" in world.message("Ready")
    assert [w for w in world.api.writes if w[1] not in ("LocalRegistry", "Event")] == []
    await world.trust.reconcile()
    assert not world.trust.covers("u1")


@pytest.mark.parametrize("host", [HOST, "127.0.0.1"], ids=["valid", "invalid"])
async def test_one_that_is_going_is_withdrawn_and_no_child_made_again(host: str) -> None:
    world = World()
    await world.ready()
    body = world.body()
    body["metadata"]["deletionTimestamp"] = DELETED
    body["spec"]["host"] = host
    world.api.put(body)
    world.api.remove(SERVICE, NAMESPACE, CHILD)
    assert await world.run() is not None
    await world.trust.reconcile()
    world.given.fleet.reports["n1"] = Report(world.trust.document.revision)
    assert await world.run() is None
    assert world.api.look(LOCAL_REGISTRY, *KEY) is None
    assert world.api.look(SERVICE, NAMESPACE, CHILD) is None
    assert await world.run() is None


def remembered(reconciler: Reconciler) -> list[object]:
    """What the parts hold by UID: it must not grow with what has been."""
    steps, writer = reconciler._steps, reconciler._status
    kept = (steps._pushed, steps._refused_since, steps._children._uids, writer._counts_written)
    return [item for held in (*kept, reconciler._finalizer._since) for item in held]


async def test_nothing_is_kept_of_one_that_went_by_the_book() -> None:
    world = World()
    await world.ready()
    assert remembered(world.reconciler)
    body = world.body()
    body["metadata"]["deletionTimestamp"] = DELETED
    world.api.put(body)
    await world.run()
    await world.trust.reconcile()
    world.given.fleet.reports["n1"] = Report(world.trust.document.revision)
    await world.run()
    assert remembered(world.reconciler) == []


@pytest.mark.parametrize("namesake", [False, True], ids=["gone", "replaced by a namesake"])
async def test_nothing_is_kept_of_one_whose_finalizer_was_stripped(namesake: bool) -> None:
    world = World()
    await world.ready()
    body = world.body()
    body["metadata"]["deletionTimestamp"] = DELETED
    world.api.put(body)
    await world.run()
    await world.trust.reconcile()
    await world.run()
    world.api.remove(LOCAL_REGISTRY, *KEY)
    if namesake:
        world.api.put(lreg(uid="u2", suspend=True))
    await world.run()
    assert remembered(world.reconciler) == []
    assert [claim.uid for claim in world.trust.claims] == (["u2"] if namesake else [])
