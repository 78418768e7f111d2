"""Who may have which name trusted by the nodes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from localregistry.controller.claims import Claim
from localregistry.controller.grants import decide
from localregistry.trust import TrustDocument
from unit.controller.claimants import claim, claims, granted


def test_a_registry_that_can_be_pulled_from_is_granted_its_name() -> None:
    (entry,) = decide(claims(claim("dev")), TrustDocument()).document.registries
    assert entry.names == ("registry.example.internal",)
    assert entry.endpoint("registry.example.internal") == "http://10.96.0.10"
    assert entry.owner == "registries/dev"
    assert entry.probe.image == "registry.example.internal/localregistry-probe:v1"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"managed": False}, id="its nodes are not to be managed"),
        pytest.param({"address": ""}, id="it has no address yet"),
        pytest.param({"reachable": False}, id="it has not answered yet"),
        pytest.param({"served": None}, id="its Service has not been looked at"),
        pytest.param({"served": False}, id="its Service lacks the port"),
    ],
)
def test_a_registry_is_not_granted_its_name_while(change: dict[str, object]) -> None:
    assert granted(claims(replace(claim("dev"), **change))) == []  # type: ignore[arg-type]


def test_trust_once_granted_outlasts_a_registry_that_does_not_answer() -> None:
    current = decide(claims(claim("dev")), TrustDocument()).document
    assert granted(claims(replace(claim("dev"), reachable=False)), current) == ["uid-dev"]


def test_trust_is_withdrawn_when_its_reason_goes() -> None:
    current = decide(claims(claim("dev")), TrustDocument()).document
    assert granted(claims(), current) == []
    assert granted(claims(replace(claim("dev"), managed=False)), current) == []


PORT = "registry.example.internal:5000"


def changed(served: bool | None, host: str = PORT) -> Claim:
    return replace(claim("dev", host=host), served=served)


def test_a_changed_host_is_told_to_nodes_only_when_the_service_has_its_port() -> None:
    old = decide(claims(claim("dev")), TrustDocument()).document
    assert decide(claims(changed(None)), old).document == old, "a moment later it is known"
    (new,) = decide(claims(changed(True)), old).document.registries
    assert new.names == (PORT,)


def test_a_changed_host_whose_port_the_service_does_not_get_is_trusted_by_no_name() -> None:
    old = decide(claims(claim("dev")), TrustDocument()).document
    assert granted(claims(changed(False)), old) == []


def test_a_name_is_not_kept_for_a_moment_where_another_waits_for_it() -> None:
    old = decide(claims(claim("dev")), TrustDocument()).document
    moved = changed(None, host="moved.example.internal")
    assert granted(claims(moved), old) == ["uid-dev"]
    assert granted(claims(moved, claim("waits", created="2")), old) == ["uid-waits"]


def test_a_change_of_port_alone_does_not_give_the_name_to_an_older_one() -> None:
    old = decide(claims(claim("dev", created="2")), TrustDocument()).document
    older = claim("older", created="1")
    assert granted(claims(replace(changed(None), created="2"), older), old) == ["uid-dev"]


def test_of_two_claimants_without_a_holder_the_older_gets_the_name() -> None:
    young, old = claim("a-young", created="2"), claim("z-old", created="1")
    assert granted(claims(young, old)) == ["uid-z-old"]


def test_of_two_of_the_same_age_the_first_by_name_gets_it() -> None:
    assert granted(claims(claim("b"), claim("a"))) == ["uid-a"]


def test_the_holder_keeps_its_name_against_an_older_claimant() -> None:
    holder = claim("holder", created="5")
    current = decide(claims(holder), TrustDocument()).document
    older = claim("older", created="1")
    assert granted(claims(holder, older), current) == ["uid-holder"]


def test_the_name_passes_on_when_the_holder_goes() -> None:
    holder, other = claim("holder", created="1"), claim("other", created="2")
    current = decide(claims(holder, other), TrustDocument()).document
    assert granted(claims(other), current) == ["uid-other"]


def test_a_port_does_not_make_another_name() -> None:
    plain, with_port = claim("a"), claim("b", host="registry.example.internal:5000", created="2")
    assert granted(claims(plain, with_port)) == ["uid-a"]


def test_a_name_of_a_holder_with_a_port_is_held_too() -> None:
    holder = claim("holder", host="registry.example.internal:5000", created="9")
    current = decide(claims(holder), TrustDocument()).document
    assert granted(claims(holder, claim("older")), current) == ["uid-holder"]


def test_different_names_do_not_meet() -> None:
    table = claims(claim("a"), claim("b", host="other.example.internal"))
    assert granted(table) == ["uid-a", "uid-b"]


def test_a_claimant_that_is_not_ready_keeps_younger_ones_out() -> None:
    """Else the name would go to whoever starts faster."""
    old = replace(claim("old", created="1"), reachable=False)
    assert granted(claims(old, claim("young", created="2"))) == []


def test_the_document_is_filled_up_to_its_limit_and_tells_who_was_left_out() -> None:
    everyone = [claim(f"r{i}", host=f"r{i}.example.internal", created=str(i)) for i in range(1, 6)]
    whole = decide(claims(*everyone), TrustDocument()).document
    limit = len(whole.to_json()) - 1
    decided = decide(claims(*everyone), TrustDocument(), limit=limit)
    assert decided.left_out == {"uid-r5"}
    assert len(decided.document.to_json()) <= limit


def test_who_is_trusted_already_is_not_pushed_out_by_a_newcomer() -> None:
    young = claim("young", host="y.example.internal", created="9")
    current = decide(claims(young), TrustDocument()).document
    old = claim("old", host="o.example.internal", created="1")
    limit = len(current.to_json()) + 10
    decided = decide(claims(young, old), current, limit=limit)
    assert [e.uid for e in decided.document.registries] == ["uid-young"]
    assert decided.left_out == {"uid-old"}


def test_what_is_decided_does_not_depend_on_the_order_of_the_claims() -> None:
    everyone = [claim(f"r{i}", host=f"r{i}.example.internal") for i in range(5)]
    one = decide(claims(*everyone), TrustDocument()).document
    other = decide(claims(*reversed(everyone)), TrustDocument()).document
    assert one.revision == other.revision
    assert one.to_json() == other.to_json()


# Volumes


def writer(name: str, volume: str, *, created: str = "1", namespace: str = "registries") -> Claim:
    return replace(claim(name, created=created), volume=volume, namespace=namespace)


@pytest.mark.parametrize(
    ("others", "older"),
    [
        pytest.param([writer("a", "data")], "a", id="an older one of that volume"),
        pytest.param([writer("b", "data", created="2"), writer("a", "data")], "a", id="the oldest"),
        pytest.param([writer("a", "data", created="3")], "", id="a younger one"),
        pytest.param([writer("a", "other")], "", id="one of another volume"),
        pytest.param([writer("a", "data", namespace="else")], "", id="one of another namespace"),
        pytest.param([], "", id="nobody"),
    ],
)
def test_a_volume_has_one_writer(others: list[Claim], older: str) -> None:
    mine = writer("mine", "data", created="2")
    found = claims(mine, *others).older_writer(mine)
    assert (found.name if found else "") == older


def test_registries_without_a_volume_are_in_nobodys_way() -> None:
    first, second = writer("a", ""), writer("b", "", created="2")
    assert claims(first, second).older_writer(second) is None
