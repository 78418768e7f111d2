"""The number of ready nodes, as the operator says it along with its question."""

from __future__ import annotations

import pytest

from localregistry.usage import told
from localregistry.usage.told import Nodes, Told

pytestmark = pytest.mark.ux


@pytest.mark.parametrize(
    ("query", "nodes"),
    [
        ("nodes=3/4", Nodes(3, 4)),
        ("nodes=0/0", Nodes(0, 0)),
        ("a=b&nodes=12/12&c=d", Nodes(12, 12)),
        ("nodes=-", None),
        ("nodes=", None),
        ("nodes=3", None),
        ("nodes=3/4x", None),
        ("nodes=-3/4", None),
        ("nodes=9999999/1", None),
        ("nodes=٣/٤", None),
        ("nodes=<b>/4", None),
        ("", None),
    ],
)
def test_two_counts_are_heard_and_nothing_else(query: str, nodes: Nodes | None) -> None:
    heard = Told()
    heard.hear(query)
    assert heard.nodes() == nodes


def test_the_last_that_was_said_counts_and_silence_says_nothing() -> None:
    heard = Told()
    heard.hear("nodes=1/3")
    heard.hear("nodes=2/3")
    heard.hear("")
    assert heard.nodes() == Nodes(2, 3)
    heard.hear("nodes=-")
    assert heard.nodes() is None


def test_counts_that_nobody_repeats_are_forgotten() -> None:
    now = [100.0]
    heard = Told(clock=lambda: now[0])
    heard.hear("nodes=3/3")
    now[0] += told.FORGET_SECONDS
    assert heard.nodes() == Nodes(3, 3)
    now[0] += 1
    assert heard.nodes() is None
