"""Which node a registry waits for."""

from __future__ import annotations

from typing import Any

import pytest

from localregistry.controller import lostnode
from localregistry.controller.fleet import Node
from localregistry.spec.conditions import Condition, ConditionStatus, ConditionType
from localregistry.spec.reasons import Reason

WORDS = "The registry's pod is not ready: Node is not ready"
ADVICE = "a volume that is local to it comes back with it only. "
LOST = f"Node a, for which the volume was made, is not Ready: {ADVICE}{WORDS}"


def node(name: str, *, ready: bool) -> Node:
    return Node(name=name, ready=ready, runtime="docker://29", created=0.0, eligible=True)


def claim(selected: str | None) -> dict[str, Any]:
    annotations = {lostnode.SELECTED_NODE: selected} if selected else {}
    return {"metadata": {"name": "dev-registry", "annotations": annotations}}


def told(message: str, body: dict[str, Any] | None, *nodes: Node) -> str:
    which, reason = ConditionType.REGISTRY_AVAILABLE, Reason.DEPLOYMENT_UNAVAILABLE
    before = Condition(which, ConditionStatus.FALSE, reason, message)
    after = lostnode.tell(before, body, {found.name: found for found in nodes})
    assert (after.status, after.reason) == (before.status, before.reason)
    return after.message


@pytest.mark.parametrize(
    ("message", "body", "ready", "expected"),
    [
        pytest.param(WORDS, claim("a"), False, LOST, id="a node that is not Ready is named"),
        pytest.param(LOST, claim("a"), False, LOST, id="once, in a message that is kept"),
        pytest.param(LOST, claim("a"), True, WORDS, id="and no more when it is back"),
        pytest.param(WORDS, claim("a"), True, WORDS, id="a Ready one is not"),
        pytest.param(WORDS, claim(None), False, WORDS, id="a volume that was made for no node"),
        pytest.param(WORDS, None, False, WORDS, id="a registry without a claim"),
    ],
)
def test_the_node_of_the_volume_is_told_while_it_is_lost(
    message: str, body: dict[str, Any] | None, ready: bool, expected: str
) -> None:
    assert told(message, body, node("a", ready=ready), node("b", ready=True)) == expected


def test_a_node_that_was_removed_is_gone() -> None:
    assert told(WORDS, claim("a"), node("b", ready=True)).startswith("Node a, for which")
    assert " is gone: " in told(WORDS, claim("a"), node("b", ready=True))


def test_nothing_is_said_while_no_node_is_known() -> None:
    assert told(WORDS, claim("a")) == WORDS
