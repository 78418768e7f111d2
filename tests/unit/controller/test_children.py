"""Whose a child is, what is done to it, and what is left alone."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from localregistry.controller.children import (
    BeingDeleted,
    Children,
    NameConflict,
    owner_uid,
)
from localregistry.controller.errors import ApiError
from localregistry.controller.kinds import CLAIM, CONFIG_MAP, INGRESS, SERVICE
from localregistry.resources import claim as claim_resource
from localregistry.resources import configmap, ingress, service
from localregistry.spec import names
from unit.controller.bodies import CHILD, CONFIG, NAMESPACE, lreg, read
from unit.controller.standin_api import DELETED, StandInApi

Body = dict[str, Any]

REGISTRY = read(storage={"size": "1Gi"})
EARLIER = read(storage={"size": "1Gi"}, uid="u0")


def config_map(registry: Any = REGISTRY) -> Body:
    body = configmap.build(registry, CONFIG)
    assert body is not None
    return body


def pvc(registry: Any = REGISTRY, **meta: Any) -> Body:
    body = claim_resource.build(registry, CONFIG)
    assert body is not None
    return body | {"metadata": body["metadata"] | meta}


def foreign(body: Body) -> Body:
    """The same by somebody else: no owner, no label of ours."""
    meta = {key: body["metadata"][key] for key in ("name", "namespace")}
    return body | {"metadata": meta}


@pytest.fixture
def api() -> StandInApi:
    return StandInApi()


@pytest.fixture
def children(api: StandInApi) -> Children:
    return Children(api)


async def test_a_child_that_is_not_there_is_made(api: StandInApi, children: Children) -> None:
    live = await children.reconcile(REGISTRY, SERVICE, service.build(REGISTRY, CONFIG))
    assert live is not None
    assert live["spec"]["clusterIP"], "the answer is the live object"
    assert owner_uid(live) == "u1"


async def test_a_child_that_is_right_costs_one_apply_and_no_write(
    api: StandInApi, children: Children
) -> None:
    for _ in range(3):
        await children.reconcile(REGISTRY, CONFIG_MAP, config_map())
    assert [call.verb for call in api.calls] == ["get", "apply", "apply", "apply"]
    assert len(api.writes) == 1


async def test_another_process_adopts_what_the_one_before_it_made(api: StandInApi) -> None:
    await Children(api).reconcile(REGISTRY, CONFIG_MAP, config_map())
    await Children(api).reconcile(REGISTRY, CONFIG_MAP, config_map())
    assert len(api.writes) == 1
    assert "uid" in api.calls[-1].body["metadata"], "it is applied to this very object"


async def test_what_a_watch_told_of_before_the_first_run_is_not_asked_for(api: StandInApi) -> None:
    made = await Children(api).reconcile(REGISTRY, CONFIG_MAP, config_map())
    assert made is not None
    api.calls.clear()
    children = Children(api)
    assert children.saw("u1", made)
    await children.reconcile(REGISTRY, CONFIG_MAP, config_map())
    assert [(call.verb, call.body["metadata"].get("uid")) for call in api.calls] == [
        ("apply", made["metadata"]["uid"])
    ]
    assert not children.saw("u1", made), "later it is no news"


@pytest.mark.parametrize(
    ("owner", "meta"),
    [
        pytest.param("u2", {}, id="of another owner"),
        pytest.param("u1", {"name": "other"}, id="of another name"),
        pytest.param("u1", {"deletionTimestamp": DELETED}, id="on its way out"),
        pytest.param("u1", {"ownerReferences": []}, id="of nobody"),
    ],
)
async def test_what_is_not_its_child_is_not_taken_for_it(
    children: Children, owner: str, meta: Body
) -> None:
    body = config_map()
    assert not children.saw(owner, body | {"metadata": {**body["metadata"], "uid": "c1", **meta}})


async def test_what_went_since_a_watch_told_of_it_is_made_anew_after_a_look(
    api: StandInApi, children: Children
) -> None:
    body = config_map()
    assert children.saw("u1", body | {"metadata": {**body["metadata"], "uid": "gone"}})
    with pytest.raises(ApiError) as raised:
        await children.reconcile(REGISTRY, CONFIG_MAP, config_map())
    assert raised.value.stale
    assert await children.reconcile(REGISTRY, CONFIG_MAP, config_map())
    assert len(api.writes) == 1


async def test_what_somebody_changed_is_changed_back(api: StandInApi, children: Children) -> None:
    made = await children.reconcile(REGISTRY, CONFIG_MAP, config_map())
    assert made is not None
    changed = copy.deepcopy(made)
    changed["data"] = dict.fromkeys(made["data"], "rubbish")
    api.put(changed)
    live = await children.reconcile(REGISTRY, CONFIG_MAP, config_map())
    assert live is not None
    assert live["data"] == made["data"]


@pytest.mark.parametrize("kind", [CONFIG_MAP, CLAIM], ids=str)
async def test_a_stranger_of_the_same_name_is_left_as_it_is(
    api: StandInApi, children: Children, kind: Any
) -> None:
    body = config_map() if kind == CONFIG_MAP else pvc()
    before = api.put(foreign(body))
    with pytest.raises(NameConflict, match=f"{kind} {CHILD} exists"):
        await children.reconcile(REGISTRY, kind, body)
    assert api.look(kind, NAMESPACE, CHILD) == before
    assert api.writes == []


async def test_a_child_of_another_living_one_is_a_conflict(
    api: StandInApi, children: Children
) -> None:
    other = config_map(read(uid="u2", name="other"))
    other["metadata"]["name"] = CHILD
    api.put(other)
    with pytest.raises(NameConflict):
        await children.reconcile(REGISTRY, CONFIG_MAP, config_map())


async def test_a_child_of_a_dead_namesake_is_waited_for(
    api: StandInApi, children: Children
) -> None:
    api.put(config_map(EARLIER))
    with pytest.raises(BeingDeleted, match="garbage collector"):
        await children.reconcile(REGISTRY, CONFIG_MAP, config_map())
    assert api.writes == []


async def test_a_child_on_its_way_out_is_made_again_when_it_is_gone(
    api: StandInApi, children: Children
) -> None:
    body = config_map()
    body["metadata"] |= {"deletionTimestamp": DELETED, "finalizers": ["example.com/slow"]}
    going = api.put(body)
    for _ in range(2):
        with pytest.raises(BeingDeleted):
            await children.reconcile(REGISTRY, CONFIG_MAP, config_map())
    api.remove(CONFIG_MAP, NAMESPACE, CHILD)
    live = await children.reconcile(REGISTRY, CONFIG_MAP, config_map())
    assert live is not None
    assert live["metadata"]["uid"] != going["metadata"]["uid"]


@pytest.mark.parametrize("after", ["gone", "a stranger's"])
async def test_a_child_that_was_replaced_is_looked_at_anew(
    api: StandInApi, children: Children, after: str
) -> None:
    await children.reconcile(REGISTRY, CONFIG_MAP, config_map())
    api.remove(CONFIG_MAP, NAMESPACE, CHILD)
    if after != "gone":
        api.put(foreign(config_map()))
    with pytest.raises(ApiError) as raised:
        await children.reconcile(REGISTRY, CONFIG_MAP, config_map())
    assert raised.value.status == (409 if after == "gone" else 422)
    if after == "gone":
        assert await children.reconcile(REGISTRY, CONFIG_MAP, config_map())
    else:
        with pytest.raises(NameConflict):
            await children.reconcile(REGISTRY, CONFIG_MAP, config_map())


async def test_an_outage_does_not_make_it_forget_whose_a_child_is(
    api: StandInApi, children: Children
) -> None:
    await children.reconcile(REGISTRY, CONFIG_MAP, config_map())
    api.fail("apply", CONFIG_MAP, ApiError(503, "starting"))
    with pytest.raises(ApiError):
        await children.reconcile(REGISTRY, CONFIG_MAP, config_map())
    api.calls.clear()
    await children.reconcile(REGISTRY, CONFIG_MAP, config_map())
    assert [call.verb for call in api.calls] == ["apply"]


async def test_nothing_is_kept_of_one_that_is_forgotten(
    api: StandInApi, children: Children
) -> None:
    await children.reconcile(REGISTRY, CONFIG_MAP, config_map())
    await children.reconcile(REGISTRY, SERVICE, service.build(REGISTRY, CONFIG))
    earlier = config_map(EARLIER)
    children.saw("u0", earlier | {"metadata": {**earlier["metadata"], "uid": "c0"}})
    for uid in ("u1", "u0"):
        children.forget(uid)
    assert (children._uids, children._owners) == ({}, {})


async def test_a_terminating_namespace_is_told_as_such(api: StandInApi, children: Children) -> None:
    api.terminating.add(NAMESPACE)
    with pytest.raises(ApiError) as raised:
        await children.reconcile(REGISTRY, CONFIG_MAP, config_map())
    assert raised.value.namespace_terminating
    assert not raised.value.forbidden


@pytest.mark.parametrize("kind", [CONFIG_MAP, CLAIM], ids=str)
async def test_a_stranger_s_that_comes_after_the_look_is_left_as_it_is(
    api: StandInApi, children: Children, kind: Any
) -> None:
    body = config_map() if kind == CONFIG_MAP else pvc()

    def comes() -> None:
        api.put(foreign(body))

    api.meanwhile("get", kind, comes)
    with pytest.raises(ApiError) as raised:
        await children.reconcile(REGISTRY, kind, body)
    assert raised.value.stale, "it is looked at again at once"
    with pytest.raises(NameConflict):
        await children.reconcile(REGISTRY, kind, body)
    assert api.writes == []


# Claims outlive their owner


@pytest.mark.parametrize("owner", ["u1", "u0"], ids=["ours", "of an earlier namesake"])
async def test_a_kept_claim_is_adopted_as_it_is(
    api: StandInApi, children: Children, owner: str
) -> None:
    kept = api.put(pvc(read(storage={"size": "1Gi"}, uid=owner)))
    live = await children.reconcile(REGISTRY, CLAIM, pvc())
    assert live is not None
    assert live["metadata"]["uid"] == kept["metadata"]["uid"]
    assert owner_uid(live) == "u1"


@pytest.mark.parametrize("alive", [True, False], ids=["that lives", "that is gone"])
async def test_a_claim_of_another_resource(
    api: StandInApi, children: Children, alive: bool
) -> None:
    annotations = {names.OWNER_UID_ANNOTATION: "u2", names.OWNER_NAME_ANNOTATION: "other"}
    api.put(pvc(annotations=annotations))
    # A namesake of the dead owner does not own it.
    api.put(lreg(name="other", uid="u2" if alive else "u3"))
    if alive:
        with pytest.raises(NameConflict, match="belongs to LocalRegistry other"):
            await children.reconcile(REGISTRY, CLAIM, pvc())
    else:
        live = await children.reconcile(REGISTRY, CLAIM, pvc())
        assert live is not None
        assert owner_uid(live) == "u1"


async def test_a_claim_with_our_annotation_but_without_our_label_is_a_stranger_s(
    api: StandInApi, children: Children
) -> None:
    api.put(pvc(EARLIER, labels={}))
    with pytest.raises(NameConflict, match="was not made by this operator"):
        await children.reconcile(REGISTRY, CLAIM, pvc())


async def test_a_claim_that_is_to_be_this_very_one_is_not_made_again(
    api: StandInApi, children: Children
) -> None:
    with pytest.raises(ApiError) as raised:
        await children.reconcile(REGISTRY, CLAIM, pvc(), uid="uid-of-the-images")
    assert raised.value.stale
    assert api.writes == []


async def test_the_claim_with_the_images_is_returned_while_it_goes(
    api: StandInApi, children: Children
) -> None:
    api.put(pvc(uid="c1", deletionTimestamp=DELETED, finalizers=["kubernetes.io/pvc-protection"]))
    live = await children.reconcile(REGISTRY, CLAIM, pvc(), uid="c1")
    assert live is not None
    assert live["metadata"]["deletionTimestamp"] == DELETED


# What should not be


def owned_ingress(registry: Any = REGISTRY) -> Body:
    body = ingress.build(registry, CONFIG)
    assert body is not None
    return body


@pytest.mark.parametrize(
    ("body", "deleted"),
    [
        (owned_ingress(), True),
        (foreign(owned_ingress()), False),
        (owned_ingress(EARLIER), False),
    ],
    ids=["ours", "a stranger's", "an earlier namesake's"],
)
async def test_only_our_own_child_is_deleted(
    api: StandInApi, children: Children, body: Body, deleted: bool
) -> None:
    api.put(body)
    assert await children.reconcile(REGISTRY, INGRESS, None) is None
    assert (api.look(INGRESS, NAMESPACE, CHILD) is None) is deleted
    assert await children.reconcile(REGISTRY, INGRESS, None) is None


async def test_a_child_that_is_going_is_not_deleted_twice(
    api: StandInApi, children: Children
) -> None:
    body = owned_ingress()
    body["metadata"] |= {"deletionTimestamp": DELETED, "finalizers": ["example.com/slow"]}
    api.put(body)
    await children.reconcile(REGISTRY, INGRESS, None)
    assert api.called("delete", INGRESS) == []


async def test_a_child_that_changed_since_it_was_read_is_read_again_before_it_is_deleted(
    api: StandInApi, children: Children
) -> None:
    api.put(owned_ingress())

    def taken_over() -> None:
        api.put(foreign(owned_ingress()))

    api.meanwhile("get", INGRESS, taken_over)
    with pytest.raises(ApiError):
        await children.reconcile(REGISTRY, INGRESS, None)
    await children.reconcile(REGISTRY, INGRESS, None)
    assert api.look(INGRESS, NAMESPACE, CHILD) is not None


async def test_a_claim_is_never_deleted_by_a_reconcile(api: StandInApi, children: Children) -> None:
    api.put(pvc())
    await children.reconcile(REGISTRY, CLAIM, None)
    assert api.calls == []
