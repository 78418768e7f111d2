"""What a reconcile asks of the nodes' trust: how far they are, and who is still to forget."""

from __future__ import annotations

from localregistry.trust import NodeReason, NodeResult, Report
from unit.controller.bodies import Trust, claim, node, read
from unit.controller.documents import granted
from unit.controller.standin_api import StandInApi


async def test_nodes_are_not_judged_before_they_were_asked() -> None:
    _, given = await granted()
    assert given.trust.summarize(read()) is None
    given.fleet.surveyed = True
    summary = given.trust.summarize(read())
    assert summary is not None
    assert summary.text == "0/0"


async def test_a_pull_that_failed_on_a_node_is_known() -> None:
    _, given = await granted()
    assert not given.trust.failed_pulls("u1")
    given.fleet.reports["n1"] = Report("r", "", {"u1": NodeResult(NodeReason.ROLLED_BACK)})
    assert not given.trust.failed_pulls("u1")
    given.fleet.reports["n1"] = Report("r", "", {"u1": NodeResult(NodeReason.PULL_FAILED)})
    assert given.trust.failed_pulls("u1")
    assert not given.trust.failed_pulls("u2")


async def test_without_agents_no_node_is_waited_for() -> None:
    given = Trust(StandInApi())
    given.fleet.observe_node(node(), gone=False)
    assert given.trust.still_trusting("u1") == {}
    given.trust.update(claim())
    await given.trust.reconcile()
    assert list(given.trust.still_trusting("u1")) == ["n1"]
