"""What the operator tells the usage containers with its question: how many nodes are ready."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from localregistry.controller import usages
from localregistry.usage import told
from unit.controller.bodies import until
from unit.controller.usagelab import Lab, open_lab, says, usage
from unit.controller.world import World

pytestmark = pytest.mark.ux


@pytest.fixture
async def lab(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lab]:
    async for opened in open_lab(monkeypatch):
        yield opened


async def test_the_question_tells_how_many_nodes_are_ready_as_the_container_hears_it(
    lab: Lab,
) -> None:
    lab.answer(says(usage()))
    lab.follow(nodes="3/4")
    await until(lambda: lab.said)
    heard = told.Told()
    heard.hear(lab.said[-1])
    assert heard.nodes() == (3, 4)
    lab.follow(nodes="-")
    await until(lambda: lab.said[-1] == "nodes=-")
    heard.hear(lab.said[-1])
    assert heard.nodes() is None


async def test_other_counts_are_told_before_the_next_question_is_due(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usages, "NEWS_SECONDS", 0.1)
    lab.usages._every = 60.0
    lab.answer(says(usage()))
    lab.follow(nodes="1/3")
    await until(lambda: lab.times() == 1)
    for _ in range(5):
        lab.follow(nodes="1/3")
    await asyncio.sleep(0.3)
    assert lab.times() == 1, "what was said already is no news"
    for ready in (2, 3):
        lab.follow(nodes=f"{ready}/3")
    await until(lambda: lab.times() == 2)
    assert lab.said[-1].endswith("3/3"), "many changes are told at once"


@pytest.mark.parametrize(
    ("management", "said"), [("Managed", "1/1"), ("Preview", "-"), ("Unmanaged", "-")]
)
async def test_counts_are_told_of_nodes_that_are_managed(
    lab: Lab, management: str, said: str
) -> None:
    world = World(usages=lab.usages, nodes={"management": management})
    await world.run()
    world.available()
    await world.run()
    assert lab.usages._targets["u1"].nodes in ("-", "0/0")
    await world.ready()
    assert lab.usages._targets["u1"].nodes == said
