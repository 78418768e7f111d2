"""One LocalRegistry from what is there to what is said about it: order, faults, and going."""

from __future__ import annotations

import pytest

from localregistry.controller.errors import ApiError
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
from localregistry.controller.metrics import NodeState
from localregistry.controller.reconcile import FIRST_STATUS, Reconciler
from localregistry.controller.work import LOOK_AGAIN
from localregistry.resources import trust_config
from localregistry.spec import names
from localregistry.trust import Report
from unit.controller.bodies import (
    CHILD,
    HOST,
    KEY,
    NAMESPACE,
    SYSTEM,
    lreg,
)
from unit.controller.standin_api import DELETED
from unit.controller.world import SIZE, World


async def test_the_children_come_before_what_mounts_them() -> None:
    world = World(finalizers=(), storage=SIZE)
    again = await world.run()
    assert again == FIRST_STATUS
    assert world.status() == {}, "it would only say that the children were asked for"
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


async def test_nodes_are_summed_up_for_the_metrics_and_forgotten_with_their_registry() -> None:
    world = World()
    assert set(world.reconciler.census.nodes().values()) == {0}
    await world.ready()
    assert dict(world.reconciler.census.nodes()) == {"ready": 1, "failing": 0, "waiting": 0}
    world.change(nodes={"management": "Unmanaged"})
    await world.run()
    assert set(world.reconciler.census.nodes().values()) == {0}
    world.change(nodes={"management": "Managed"})
    await world.ready()
    assert world.reconciler.census.nodes()[NodeState.READY] == 1
    world.api.remove(LOCAL_REGISTRY, *KEY)
    await world.run()
    assert set(world.reconciler.census.nodes().values()) == {0}


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
        (ApiError(403, 'User "op" cannot patch it'), "Forbidden"),
        (ApiError(403, "exceeded quota: team"), "ApplyFailed"),
        (ApiError(422, "it is invalid"), "ApplyFailed"),
        (ApiError(403, "going", causes=("NamespaceTerminating",)), "Terminating"),
    ],
    ids=["forbidden", "over quota", "invalid", "terminating"],
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
    if kind == LOCAL_REGISTRY and verb == "status":
        await world.run()  # of a new one nothing is told yet
    with pytest.raises(ApiError):
        await world.run()
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


async def test_a_suspended_registry_keeps_its_trust_where_the_document_was_lost() -> None:
    world = World()
    await world.ready()
    trusted = world.trust.document
    world.change(suspend=True, host="new.example.internal")
    world.api.remove(CONFIG_MAP, SYSTEM, trust_config.NAME)
    another = World.resumed(world)
    await another.trust.load()
    assert await another.run() is None
    await another.trust.reconcile()
    assert another.trust.document == trusted
    assert another.api.look(CONFIG_MAP, SYSTEM, trust_config.NAME)


@pytest.mark.parametrize("foreign", [False, True], ids=["gone", "somebody else's"])
async def test_the_address_of_another_s_service_is_no_address(foreign: bool) -> None:
    world = World()
    await world.ready()
    world.change(suspend=True)
    world.api.remove(CONFIG_MAP, SYSTEM, trust_config.NAME)
    service = world.live(SERVICE)
    world.api.remove(SERVICE, NAMESPACE, CHILD)
    if foreign:
        meta = {"name": CHILD, "namespace": NAMESPACE}
        world.api.put(service | {"metadata": meta})
    another = World.resumed(world)
    await another.trust.load()
    await another.run()
    assert await another.trust.reconcile() is not None, "it is waited for"
    assert another.trust.document.registries == ()
