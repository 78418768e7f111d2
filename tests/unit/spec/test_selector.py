"""Which labels a selector takes, and how it is read and told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localregistry.spec.fields import Fields
from localregistry.spec.selector import Operator, Requirement, Selector

NODE = {"disk": "ssd", "zone": "a", "empty": "", "example.com/pool": "build"}


def selector(expressions: Any = None, **labels: str) -> Selector:
    value = {"matchLabels": labels, "matchExpressions": expressions}
    return Selector.from_fields(Fields(value, "spec.nodes.selector"))


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator} | ({"values": list(values)} if values else {})


@pytest.mark.parametrize(
    ("one", "matches"),
    [
        pytest.param(expression("disk", "In", "hdd", "ssd"), True, id="In one of the values"),
        pytest.param(expression("disk", "In", "hdd"), False, id="In other values"),
        pytest.param(expression("none", "In", "ssd"), False, id="In needs the label"),
        pytest.param(expression("none", "In", ""), False, id="no label is not an empty one"),
        pytest.param(expression("empty", "In", ""), True, id="an empty value is a value"),
        pytest.param(expression("disk", "NotIn", "hdd"), True, id="NotIn the values"),
        pytest.param(expression("disk", "NotIn", "hdd", "ssd"), False, id="NotIn, but it is"),
        pytest.param(expression("none", "NotIn", "ssd"), True, id="NotIn needs no label"),
        pytest.param(expression("disk", "Exists"), True, id="Exists"),
        pytest.param(expression("empty", "Exists"), True, id="Exists with an empty value"),
        pytest.param(expression("none", "Exists"), False, id="Exists, but it does not"),
        pytest.param(expression("none", "DoesNotExist"), True, id="DoesNotExist"),
        pytest.param(expression("empty", "DoesNotExist"), False, id="DoesNotExist, but it does"),
    ],
)
def test_an_operator_means_what_it_means_everywhere(one: dict[str, Any], matches: bool) -> None:
    assert selector([one]).matches(NODE) is matches


@pytest.mark.parametrize(
    ("given", "matches"),
    [
        pytest.param(selector(), True, id="an empty one takes every node"),
        pytest.param(selector(disk="ssd"), True, id="a label"),
        pytest.param(selector(disk="ssd", zone="b"), False, id="all labels must fit"),
        pytest.param(selector([expression("gpu", "Exists")], disk="ssd"), False, id="and all else"),
        pytest.param(
            selector([expression("gpu", "DoesNotExist")], **{"example.com/pool": "build"}),
            True,
            id="labels and expressions",
        ),
    ],
)
def test_a_node_is_selected_when_it_meets_everything(given: Selector, matches: bool) -> None:
    assert given.matches(NODE) is matches


def test_a_node_without_labels_is_selected_by_an_empty_selector_only() -> None:
    assert selector().matches({})
    assert not selector(disk="ssd").matches({})


def test_the_same_requirements_are_the_same_selector_in_whatever_order_they_are_given() -> None:
    one, other = expression("zone", "NotIn", "b", "a"), expression("gpu", "Exists")
    again = expression("zone", "NotIn", "a", "b", "b")
    assert selector([one, other], a="1", b="2") == selector([other, again, other], b="2", a="1")
    assert selector(disk="ssd") == selector([expression("disk", "In", "ssd")])


def test_it_is_told_as_kubectl_takes_it() -> None:
    expressions = [
        expression("zone", "NotIn", "b", "a"),
        expression("gpu", "Exists"),
        expression("old", "DoesNotExist"),
        expression("disk", "In", "ssd", "nvme"),
    ]
    told = str(selector(expressions, pool="build"))
    assert told == "disk in (nvme,ssd),gpu,!old,pool=build,zone notin (a,b)"
    assert str(selector()) == ""


_KEYS = st.sampled_from(["a", "b", "example.com/c"])
_VALUES = st.sampled_from(["", "x", "y"])


@given(_KEYS, st.lists(_VALUES, min_size=1), st.dictionaries(_KEYS, _VALUES))
def test_each_operator_is_the_opposite_of_its_opposite(
    key: str, values: list[str], labels: dict[str, str]
) -> None:
    def matches(operator: Operator, *values: str) -> bool:
        return Requirement(key, operator, values).matches(labels)

    assert matches(Operator.IN, *values) != matches(Operator.NOT_IN, *values)
    assert matches(Operator.EXISTS) != matches(Operator.DOES_NOT_EXIST)
