"""Who came to a name late, and that he stays behind those who had it before him."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from localregistry.controller.claims import Claim, Claims
from localregistry.controller.latecomers import late_names
from localregistry.spec.hosts import Host
from localregistry.trust import TrustDocument
from unit.controller.bodies import HOST, Trust, read
from unit.controller.claimants import claim
from unit.controller.standin_api import StandInApi

NAME = "registry.example.internal"
ALIASES = ["a.example", "b.example:5000"]


def told(url: str = f"http://{HOST}", seen: int = 1, **reasons: str) -> dict[str, Any]:
    conditions = [{"type": which, "reason": reason} for which, reason in reasons.items()]
    return {"observedGeneration": seen, "url": url, "conditions": conditions}


@pytest.mark.parametrize(
    ("status", "late"),
    [
        pytest.param({}, set(), id="a new one"),
        pytest.param(told(), set(), id="all is as it was"),
        pytest.param(told(f"https://{HOST}:5000"), set(), id="another port or scheme"),
        pytest.param(told("http://old.example"), {HOST}, id="moved while no operator ran"),
        pytest.param(told(Exposed="HostConflict"), {HOST}, id="another has the host"),
        pytest.param(told(Exposed="HostNotAllowed"), {HOST}, id="the policy had not granted it"),
        pytest.param(told(NodesReady="HostConflict"), {"a.example", "b.example"}, id="an alias"),
        pytest.param(told(seen=7), {"a.example", "b.example"}, id="changed while none ran"),
        pytest.param(told("", Exposed="IngressAdmitted"), set(), id="no URL was written"),
    ],
)
def test_what_was_written_of_it_tells_which_names_are_late(
    status: dict[str, Any], late: set[str]
) -> None:
    assert late_names(read(status=status, aliases=ALIASES)) == late


def holder(table: Claims) -> Claim | None:
    return table.holder(NAME, TrustDocument())


def test_an_older_one_that_is_late_comes_after_a_younger_in_whatever_order_they_are_read() -> None:
    old, young = claim("old", created="1"), claim("young", created="5")
    table = Claims()
    table.put(young)
    table.put(old, late={NAME})
    assert holder(table) == young
    table.drop(young.key)
    assert holder(table) == old


def test_one_that_came_late_and_has_the_name_keeps_it_from_one_that_is_made_later() -> None:
    """Also where no document names it, as for an unmanaged one."""
    moved = replace(claim("moved", created="1"), managed=False)
    table = Claims()
    table.put(replace(moved, host=Host.parse("before.example")))
    table.put(moved)
    table.put(claim("new", created="5"))
    assert holder(table) == moved


def test_of_several_that_came_late_the_first_is_first() -> None:
    table = Claims()
    table.put(claim("young", created="5"))
    for name, created in (("second", "2"), ("third", "1")):
        table.put(claim(name, created=created), late={NAME})
    table.drop(("registries", "young"))
    assert holder(table) == claim("second", created="2")


@pytest.mark.parametrize("suspend", [False, True])
def test_a_start_reads_who_came_late(suspend: bool) -> None:
    given = Trust(StandInApi())
    conflict = told("http://old.example", Exposed="HostConflict")
    unmanaged = {"management": "Unmanaged"}
    given.trust.seen(read(name="young", uid="u2", created="2026-05-01T00:00:00Z", nodes=unmanaged))
    old = read(name="old", created="2026-01-01T00:00:00Z", status=conflict, suspend=suspend)
    if suspend:
        given.trust.frozen(old)
    else:
        given.trust.seen(old)
    found = given.claims.holder(HOST, given.trust.document)
    assert found is not None
    assert found.name == "young"
