"""Names of children and label values for whatever a resource may be called."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localregistry.spec.names import child_name, instance_label

# DNS-1035, as a Service's name has to be; and a label's value
_SERVICE = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_NAMES = st.from_regex(
    r"[a-z0-9]([-a-z0-9]{0,80}[a-z0-9])?([.][a-z0-9]([-a-z0-9]{0,80}[a-z0-9])?){0,2}",
    fullmatch=True,
)


@pytest.mark.parametrize("name", ["dev", "a", "team-a-registry", "x" * 54])
def test_a_common_name_gets_its_suffix(name: str) -> None:
    assert child_name(name) == f"{name}-registry"
    assert instance_label(name) == name


@pytest.mark.parametrize(
    ("name", "child"),
    [
        ("x" * 55, "x" * 45 + "-d5e28568-registry"),
        ("1dev", "r1dev-f3a74b47-registry"),
        ("dev.team", "dev-team-cadea87c-registry"),
    ],
)
def test_a_name_that_a_service_cannot_have_is_cut_and_hashed(name: str, child: str) -> None:
    assert child_name(name) == child


@given(_NAMES)
def test_every_name_gives_a_valid_child_and_label(name: str) -> None:
    assert _SERVICE.fullmatch(child_name(name))
    assert _VALUE.fullmatch(instance_label(name))


@given(_NAMES, _NAMES)
def test_two_names_never_share_a_child_or_a_label(one: str, other: str) -> None:
    assert (one == other) == (child_name(one) == child_name(other))
    assert (one == other) == (instance_label(one) == instance_label(other))
