"""The trust document: when it is written, what it takes from an earlier one, and who is woken."""

from __future__ import annotations

import dataclasses

import pytest

from localregistry.controller.errors import ApiError
from localregistry.controller.kinds import CONFIG_MAP, DAEMON_SET
from localregistry.resources import node_agent, trust_config
from localregistry.spec.hosts import Host
from localregistry.trust import (
    DOCUMENT_KEY,
)
from unit.controller.bodies import (
    CONFIG,
    HOST,
    KEY,
    NAMESPACE,
    SYSTEM,
    Trust,
    agent,
    claim,
    document,
    entry,
    node,
    read,
)
from unit.controller.documents import granted, lost, written
from unit.controller.standin_api import StandInApi

OTHER = "other.example.internal"
OTHER_KEY = (NAMESPACE, "other")
CREATED_EARLIER = "2025-01-01T00:00:00Z"


async def test_without_a_managed_registry_nothing_is_installed() -> None:
    api = StandInApi()
    given = Trust(api)
    given.trust.update(dataclasses.replace(claim(), managed=False))
    assert await given.trust.reconcile() is None
    assert api.writes == []


async def test_the_first_managed_registry_installs_document_and_agents() -> None:
    api = StandInApi()
    given = Trust(api)
    given.trust.update(claim(reachable=False))
    await given.trust.reconcile()
    assert [(verb, kind) for verb, kind, _ in api.writes] == [
        ("apply", "ConfigMap"),
        ("apply", "DaemonSet"),
    ]
    assert written(api) == document()
    assert not given.trust.covers("u1")


async def test_a_registry_that_answers_is_granted_and_told() -> None:
    api, given = await granted()
    assert written(api) == given.trust.document
    assert given.trust.covers("u1")
    (only,) = given.trust.document.registries
    assert (only.names, only.address, only.owner) == ((HOST,), "10.96.0.9", f"{NAMESPACE}/dev")


async def test_a_reconcile_that_finds_all_right_writes_nothing() -> None:
    api, given = await granted()
    api.writes.clear()
    assert await given.trust.reconcile() is None
    assert api.writes == []
    assert given.woken == []


async def test_what_somebody_did_to_the_document_is_undone() -> None:
    api, given = await granted()
    body = api.look(CONFIG_MAP, SYSTEM, trust_config.NAME)
    assert body is not None
    api.put(body | {"data": {DOCUMENT_KEY: "{}"}})
    await given.trust.reconcile()
    assert written(api) == given.trust.document


async def test_grants_in_quick_succession_share_a_write() -> None:
    api, given = await granted()
    given.trust.update(claim("u2", name="other", host=OTHER))
    assert await given.trust.reconcile() is None
    given.trust.update(claim("u3", name="third", host="third.example.internal"))
    given.clock.now += 0.5
    wait = await given.trust.reconcile()
    assert wait == pytest.approx(1.5)
    assert {e.uid for e in written(api).registries} == {"u1", "u2"}  # type: ignore[union-attr]
    given.clock.now += 1.5
    assert await given.trust.reconcile() is None
    assert {e.uid for e in written(api).registries} == {"u1", "u2", "u3"}  # type: ignore[union-attr]


@pytest.mark.parametrize("how", ["gone", "renamed", "unmanaged"])
async def test_a_withdrawal_waits_for_nobody(how: str) -> None:
    api, given = await granted()
    given.trust.update(claim("u2", name="other", host=OTHER))
    await given.trust.reconcile()
    match how:
        case "gone":
            given.trust.drop(KEY)
        case "renamed":
            given.trust.update(claim(host="new.example.internal"))
        case _:
            given.trust.update(dataclasses.replace(claim(), managed=False))
    assert await given.trust.reconcile() is None
    names = {name for e in written(api).registries for name in e.names}  # type: ignore[union-attr]
    assert HOST not in names
    assert OTHER in names


async def test_a_write_that_fails_is_not_taken_for_done() -> None:
    api, given = await granted()
    given.trust.drop(KEY)
    api.fail("apply", CONFIG_MAP, ApiError(503, "starting"))
    with pytest.raises(ApiError):
        await given.trust.reconcile()
    assert given.trust.covers("u1"), "nodes trust it still"
    await given.trust.reconcile()
    assert not given.trust.covers("u1")
    assert written(api) == document()


async def test_a_write_whose_answer_is_lost_is_done_again_without_harm() -> None:
    api, given = await granted()
    given.trust.drop(KEY)
    api.fail("apply", CONFIG_MAP, ApiError(0, "timed out"), after=True)
    with pytest.raises(ApiError):
        await given.trust.reconcile()
    await given.trust.reconcile()
    assert not given.trust.covers("u1")


async def test_agents_are_told_of_a_withdrawal_even_where_their_daemonset_is_refused() -> None:
    api, given = await granted()
    given.fleet.observe_node(node(), gone=False)
    given.fleet.observe_pod(agent(), gone=False)
    given.trust.drop(KEY)
    api.fail("apply", DAEMON_SET, ApiError(422, "denied by an admission webhook"))
    with pytest.raises(ApiError):
        await given.trust.reconcile()
    assert given.told == ["n1"]


# What an earlier process left


async def test_a_document_of_an_earlier_process_stays_until_the_claims_say_otherwise() -> None:
    before = document(entry())
    api = StandInApi(trust_config.build(before, CONFIG), node_agent.build(CONFIG))
    given = Trust(api)
    await given.trust.load()
    assert given.trust.covers("u1")
    known = given.trust.seen(read())
    assert (known.address, known.reachable) == ("10.96.0.9", True)
    api.writes.clear()
    await given.trust.reconcile()
    assert api.writes == []


async def test_a_host_that_was_changed_while_no_operator_ran_waits_for_its_service() -> None:
    body = trust_config.build(document(entry()), CONFIG)
    given = Trust(StandInApi(body))
    await given.trust.load()
    claimed = given.trust.seen(read(host=f"{HOST}:5000"))
    assert claimed.served is None
    await given.trust.reconcile()
    assert given.trust.document == document(entry())
    given.trust.update(dataclasses.replace(claimed, served=True))
    await given.trust.reconcile()
    assert given.trust.covers("u1", Host.parse(f"{HOST}:5000"))
    assert not given.trust.covers("u1", Host.parse(HOST))


async def test_a_registry_that_went_while_no_operator_ran_is_withdrawn() -> None:
    api = StandInApi(trust_config.build(document(entry()), CONFIG))
    given = Trust(api)
    await given.trust.load()
    await given.trust.reconcile()
    assert written(api) == document()


@pytest.mark.parametrize("how", ["gone", "without the key", "empty", "cut"])
async def test_a_lost_document_is_written_anew_when_the_registries_have_answered(how: str) -> None:
    api = StandInApi(*lost(how))
    given = Trust(api)
    await given.trust.load()
    first, second = given.trust.seen(read()), claim("u2", name="other", host=OTHER)
    given.trust.update(second)
    assert await given.trust.reconcile() is not None
    assert api.writes == [], "an empty document would withdraw what nodes trust"
    answers = dataclasses.replace(first, address="10.96.0.9", reachable=True, served=True)
    given.trust.update(answers)
    assert await given.trust.reconcile() is None
    assert written(api) == given.trust.document
    assert given.trust.covers("u1")
    assert given.trust.covers("u2")


async def test_a_document_that_was_lost_with_the_agents_is_remembered_by_the_statuses() -> None:
    """The operator's namespace was deleted, say: the nodes' own journals go on."""
    api = StandInApi()
    given = Trust(api)
    await given.trust.load()
    configured = [{"type": "NodesReady", "status": "True", "reason": "NodesConfigured"}]
    first = given.trust.seen(read(status={"conditions": configured}))
    assert await given.trust.reconcile() is not None
    assert api.writes == [], "an empty document would withdraw what nodes trust"
    given.trust.update(dataclasses.replace(first, address="10.96.0.9", reachable=True, served=True))
    assert await given.trust.reconcile() is None
    assert given.trust.covers("u1")
    assert written(api) == given.trust.document


async def test_a_first_registry_waits_for_no_document_of_before() -> None:
    api = StandInApi()
    given = Trust(api)
    await given.trust.load()
    given.trust.seen(read())
    assert await given.trust.reconcile() is None
    assert written(api) == document()


async def test_a_lost_document_does_not_wait_long_for_a_registry_that_does_not_answer() -> None:
    api = StandInApi(*lost("gone"))
    given = Trust(api)
    await given.trust.load()
    given.trust.seen(read())
    given.trust.update(claim("u2", name="other", host=OTHER))
    given.clock.now += 29
    assert await given.trust.reconcile() is not None
    given.clock.now += 2
    assert await given.trust.reconcile() is None
    assert given.trust.covers("u2")


async def test_a_lost_document_does_not_wait_for_who_cannot_have_the_name() -> None:
    api = StandInApi(*lost("gone"))
    given = Trust(api)
    await given.trust.load()
    given.trust.update(claim())
    given.trust.update(dataclasses.replace(claim("u9", name="late", reachable=False), created="3"))
    assert await given.trust.reconcile() is None
    assert given.trust.covers("u1")


# Who is woken


async def test_a_grant_wakes_whom_it_concerns() -> None:
    _, given = await granted(claim(), claim("u2", name="other", host=OTHER))
    given.trust.update(dataclasses.replace(claim(), address="10.96.0.77"))
    await given.trust.reconcile()
    assert given.woken == [KEY]


async def test_one_that_goes_wakes_those_who_wait_for_its_name() -> None:
    _, given = await granted(claim(), dataclasses.replace(claim("u2", name="other"), created="3"))
    given.trust.drop(KEY)
    assert given.woken == [OTHER_KEY]
    assert given.trust_woken == 1


async def test_one_that_is_to_have_a_name_by_age_wakes_who_has_to_give_it_up() -> None:
    young = dataclasses.replace(claim("u2", name="other", reachable=False), created="3")
    _, given = await granted(young)
    old = dataclasses.replace(claim(), created=CREATED_EARLIER)
    given.trust.update(old)
    assert given.trust.holders(young) == {HOST: old}
    assert OTHER_KEY in given.woken


@pytest.mark.parametrize("by", ["host", "alias"])
async def test_one_that_comes_to_a_name_by_a_change_gives_up_its_age(by: str) -> None:
    young = dataclasses.replace(claim("u2", name="other", reachable=False), created="3")
    _, given = await granted(young)
    old = dataclasses.replace(claim(host=OTHER), created=CREATED_EARLIER)
    given.trust.update(old)
    if by == "host":
        old = dataclasses.replace(old, host=Host.parse(HOST))
    else:
        old = dataclasses.replace(old, aliases=(Host.parse(HOST),))
    given.trust.update(old)
    assert given.trust.holders(young) == {}
    assert given.trust.holders(old) == {HOST: young}
    given.forget_woken()
    given.trust.drop(OTHER_KEY)
    assert given.woken == [KEY]
    assert given.trust.holders(old) == {}


@pytest.mark.parametrize("trusted", [False, True], ids=["not trusted", "trusted"])
async def test_a_suspended_one_that_has_not_changed_wakes_nobody(trusted: bool) -> None:
    _, given = await granted(claim(reachable=trusted), claim("u2", name="other", host=OTHER))
    registry = read(suspend=True, host=OTHER)
    given.trust.frozen(registry)
    given.forget_woken()
    for _ in range(3):
        given.trust.frozen(registry)
    assert (given.woken, given.trust_woken) == ([], 0)


async def test_a_suspended_one_keeps_the_trust_that_it_has_and_gets_no_other() -> None:
    api, given = await granted()
    given.trust.frozen(read(suspend=True, host=OTHER))
    given.trust.frozen(read(suspend=True, host=OTHER, uid="u2", name="other"))
    await given.trust.reconcile()
    assert written(api) == document(entry())


async def test_a_namesake_starts_from_nothing() -> None:
    _, given = await granted()
    known = given.trust.seen(read(uid="u2"))
    assert (known.address, known.reachable) == ("", False)
