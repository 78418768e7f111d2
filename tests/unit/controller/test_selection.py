"""Which nodes a registry leaves out, and when that may change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from localregistry.controller.fleet import Node
from localregistry.controller.selection import Selection
from localregistry.spec.selector import EVERY_NODE, Operator, Requirement, Selector
from localregistry.trust import Task
from unit.controller.bodies import document, entry

DOCUMENT = document(entry("u1"), entry("u2", host="other.example.internal"))
SSD = Selector((Requirement("disk", Operator.IN, ("ssd",)),))
NO_GPU = Selector((Requirement("gpu", Operator.DOES_NOT_EXIST),))


def node(**labels: str) -> Node:
    return Node("n1", True, "containerd://2.1", 0.0, True, labels)


def task(*excluded: str, revision: str = DOCUMENT.revision) -> str:
    return Task(revision, "containerd://2.1", excluded).to_json()


def selection(**selectors: Selector) -> Selection:
    remembered: Mapping[str, set[str]] = {DOCUMENT.revision: {"u1", "u2"}, "older": {"u2"}}
    made = Selection(covered=lambda revision: remembered.get(revision, set()))
    for uid, selector in selectors.items():
        made.put(uid, selector, frozen=False)
    return made


@pytest.mark.parametrize(
    ("labels", "excluded"),
    [
        ({"disk": "ssd"}, ()),
        ({"disk": "hdd"}, ("u1",)),
        ({"disk": "ssd", "gpu": "a100"}, ("u2",)),
        ({"gpu": "a100"}, ("u1", "u2")),
    ],
)
def test_a_node_is_left_out_by_each_registry_whose_selector_it_does_not_meet(
    labels: dict[str, str], excluded: tuple[str, ...]
) -> None:
    made = selection(u1=SSD, u2=NO_GPU)
    assert made.excluded(DOCUMENT, node(**labels), "") == excluded
    assert made.excluded(DOCUMENT, node(**labels), task("u9")) == excluded


def test_only_what_is_in_the_document_is_told() -> None:
    made = selection(u1=SSD, u2=SSD, u3=SSD)
    assert made.excluded(document(entry("u2")), node(), "") == ("u2",)


@pytest.mark.parametrize("frozen", [True, False], ids=["suspended", "not yet known, or going"])
@pytest.mark.parametrize(
    ("said", "excluded"),
    [
        (task("u1"), ("u1",)),
        (task(), ()),
    ],
)
def test_what_is_left_as_it_is_stays_as_the_node_was_told(
    frozen: bool, said: str, excluded: tuple[str, ...]
) -> None:
    made = selection(u2=EVERY_NODE)
    if frozen:
        made.put("u1", SSD, frozen=True)
    for labels in ({"disk": "ssd"}, {"disk": "hdd"}):
        assert made.excluded(DOCUMENT, node(**labels), said) == excluded


@pytest.mark.parametrize(
    "said",
    ["", "{", task(revision="older"), task(revision="forgotten")],
    ids=["a new agent", "a damaged task", "a task from before", "a task of long ago"],
)
def test_a_node_that_was_told_nothing_of_it_is_judged_by_the_selector_that_is_known(
    said: str,
) -> None:
    made = selection(u2=EVERY_NODE)
    assert made.excluded(DOCUMENT, node(disk="ssd"), said) == ("u1",), "unknown: not configured"
    made.put("u1", SSD, frozen=True)
    assert made.excluded(DOCUMENT, node(disk="ssd"), said) == ()
    assert made.excluded(DOCUMENT, node(disk="hdd"), said) == ("u1",)


def test_a_suspended_registry_keeps_the_selector_from_before() -> None:
    made = selection(u1=SSD, u2=EVERY_NODE)
    made.put("u1", EVERY_NODE, frozen=True)
    assert made.excluded(DOCUMENT, node(), "") == ("u1",)
    made.put("u1", EVERY_NODE, frozen=False)
    assert made.excluded(DOCUMENT, node(), task("u1")) == ()


def test_nothing_is_kept_of_who_is_gone() -> None:
    made = selection(u1=SSD, u2=SSD)
    made.put("u2", SSD, frozen=True)
    made.keep({"u1"})
    assert (set(made._selectors), made._frozen) == ({"u1"}, set())


@pytest.mark.parametrize(
    ("before", "after", "moved"),
    [
        (None, node(), None),
        (node(), None, None),
        (node(), replace(node(), ready=False), None),
        (node(disk="ssd"), node(disk="hdd"), {"u1"}),
        (node(), node(gpu="a100"), {"u2"}),
        (node(disk="ssd"), node(disk="ssd", heartbeat="7"), set()),
    ],
    ids=[
        "a node that joins is news for all",
        "and one that leaves",
        "and one that is not Ready",
        "a label that a selector asks for is news for that registry",
        "and one that it asks not to be there",
        "any other label is no news",
    ],
)
def test_a_changed_node_is_news_for_whom_it_concerns(
    before: Node | None, after: Node | None, moved: set[str] | None
) -> None:
    assert selection(u1=SSD, u2=NO_GPU).moved(before, after) == moved
