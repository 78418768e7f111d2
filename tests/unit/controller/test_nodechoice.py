"""Previews, selectors and DNS in the trust document, and what a suspended registry keeps of it."""

from __future__ import annotations

import dataclasses

import pytest

from localregistry.resources import node_agent, trust_config
from localregistry.trust import Report
from unit.controller.bodies import (
    CONFIG,
    HOST,
    KEY,
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
SSD = {"selector": {"matchLabels": {"disk": "ssd"}}}


async def test_what_the_spec_says_of_the_nodes_is_claimed() -> None:
    given = Trust(StandInApi())
    claimed = given.trust.seen(read(nodes={"management": "Preview", "resolve": "DNS", **SSD}))
    assert (claimed.managed, claimed.preview, claimed.dns) == (True, True, True)
    assert claimed.selector.matches({"disk": "ssd"})
    assert not claimed.selector.matches({})
    assert not given.trust.seen(read(nodes={"management": "Unmanaged"})).managed


async def test_a_preview_installs_the_agents_and_waits_for_no_registry() -> None:
    given = Trust(StandInApi())
    given.trust.update(dataclasses.replace(claim(reachable=False), preview=True))
    await given.trust.reconcile()
    assert given.trust.document == document(entry(preview=True))
    assert given.trust.told_as("u1", preview=True)
    assert not given.trust.told_as("u1", preview=False)


async def test_what_was_managed_is_withdrawn_for_a_preview_at_once() -> None:
    api, given = await granted()
    given.trust.update(claim("u2", name="other", host=OTHER))
    await given.trust.reconcile()
    given.trust.update(dataclasses.replace(claim(), preview=True))
    assert await given.trust.reconcile() is None
    assert {e.uid: e.preview for e in written(api).registries} == {  # type: ignore[union-attr]
        "u1": True,
        "u2": False,
    }


async def test_a_preview_of_an_earlier_process_is_no_proof_that_the_registry_answers() -> None:
    api = StandInApi(trust_config.build(document(entry(preview=True)), CONFIG))
    given = Trust(api)
    await given.trust.load()
    assert not given.trust.seen(read()).reachable
    await given.trust.reconcile()
    assert written(api) == document(entry(preview=True))


async def test_a_selector_that_changes_has_every_node_told_and_the_document_as_it_was() -> None:
    api, given = await granted()
    given.fleet.observe_node(node("n1", labels={"disk": "ssd"}), gone=False)
    given.fleet.observe_node(node("n2"), gone=False)
    given.fleet.observe_pod(agent("n1"), gone=False)
    given.fleet.observe_pod(agent("n2", uid="p2"), gone=False)
    api.writes.clear()
    given.trust.seen(read(nodes=SSD))
    assert given.trust_woken == 1
    await given.trust.reconcile()
    assert (api.writes, given.told) == ([], ["n1", "n2"])
    assert (given.trust.excluded("n1"), given.trust.excluded("n2")) == ((), ("u1",))
    assert given.trust.excluded("unknown") == ()


async def test_the_selectors_of_those_that_are_gone_are_forgotten() -> None:
    _, given = await granted(claim(), claim("u2", name="other", host=OTHER))
    given.trust.drop(KEY)
    await given.trust.reconcile()
    await given.trust.reconcile()
    assert set(given.trust.selection._selectors) == {"u2"}


async def test_one_that_is_going_leaves_out_whom_it_left_out_until_it_is_gone() -> None:
    _, given = await granted()
    given.fleet.observe_node(node("n1"), gone=False)
    given.trust.seen(read(nodes=SSD))
    given.trust.drop(KEY)
    assert given.trust.excluded("n1") == ("u1",)


async def test_a_summary_counts_the_nodes_of_the_selection() -> None:
    _, given = await granted()
    given.fleet.surveyed = True
    for name, labels in (("n1", {"disk": "ssd"}), ("n2", {})):
        given.fleet.observe_node(node(name, labels=labels), gone=False)
        given.fleet.reports[name] = Report(given.trust.document.revision)
    chosen, every = given.trust.summarize(read(nodes=SSD)), given.trust.summarize(read())
    assert chosen is not None
    assert every is not None
    assert (chosen.text, every.text) == ("1/1", "2/2")


async def test_previews_are_not_told_before_the_nodes_were_asked() -> None:
    given = Trust(StandInApi())
    registry = read(nodes={"management": "Preview"})
    given.trust.update(dataclasses.replace(given.trust.seen(registry), address="a", served=True))
    await given.trust.reconcile()
    given.fleet.observe_node(node("n1"), gone=False)
    assert given.trust.previews(registry) is None
    given.fleet.surveyed = True
    given.fleet.reports["n1"] = Report(given.trust.document.revision, previews={"u1": ("+ x",)})
    found = given.trust.previews(registry)
    assert found is not None
    assert [(group.nodes, group.lines) for group in found.groups] == [(("n1",), ("+ x",))]


async def test_a_suspended_one_keeps_dns_preview_and_selector_whatever_its_spec_says() -> None:
    before = document(entry(preview=True, dns=True))
    api = StandInApi(trust_config.build(before, CONFIG), node_agent.build(CONFIG))
    given = Trust(api)
    await given.trust.load()
    given.fleet.observe_node(node("n1"), gone=False)
    given.trust.seen(read(nodes={"management": "Preview", "resolve": "DNS", **SSD}))
    given.trust.frozen(read(suspend=True, nodes={"management": "Managed"}))
    await given.trust.reconcile()
    assert written(api) == before
    assert given.trust.excluded("n1") == ("u1",)


# A suspended registry where the document was lost

READY = {
    "url": f"http://{HOST}",
    "conditions": [{"type": "NodesReady", "status": "True", "reason": "NodesConfigured"}],
}


@pytest.mark.parametrize("how", ["gone", "without the key", "empty", "cut"])
async def test_a_lost_document_waits_for_the_address_of_a_suspended_registry(how: str) -> None:
    api = StandInApi(*lost(how))
    given = Trust(api)
    await given.trust.load()
    suspended = read(suspend=True, host=OTHER, status=READY)
    assert given.trust.lost("u1")
    given.trust.frozen(suspended)
    assert await given.trust.reconcile() is not None
    assert api.writes == []
    for _ in range(2):
        given.trust.frozen(suspended, address="10.96.0.9")
        assert await given.trust.reconcile() is None
        assert written(api) == document(entry()), "by the name that nodes know, not the new one"
        assert not given.trust.lost("u1")


async def test_a_suspended_registry_without_a_service_is_not_waited_for_long() -> None:
    api = StandInApi(*lost("gone"))
    given = Trust(api)
    await given.trust.load()
    given.trust.frozen(read(suspend=True, status=READY))
    given.clock.now += 31
    assert await given.trust.reconcile() is None
    assert written(api) == document()
    given.trust.frozen(read(suspend=True, status=READY), address="10.96.0.9")
    await given.trust.reconcile()
    assert written(api) == document(), "what was withdrawn is not trusted anew while suspended"


async def test_a_suspended_registry_that_nodes_never_knew_is_not_waited_for() -> None:
    api = StandInApi(*lost("gone"))
    given = Trust(api)
    await given.trust.load()
    given.trust.frozen(read(suspend=True), address="10.96.0.9")
    assert await given.trust.reconcile() is None
    assert written(api) == document()
