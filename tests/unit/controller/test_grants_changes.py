"""Previews, suspended registries and aliases: what becomes of a grant when its reason changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from localregistry.controller.claims import Claim, Claims
from localregistry.controller.grants import decide, with_record, with_trust
from localregistry.spec.hosts import Host
from localregistry.spec.policy import HostPolicy
from localregistry.trust import TrustDocument
from unit.controller.claimants import claim, claims, granted

# Previews and DNS


def preview(name: str = "dev", **changes: object) -> Claim:
    return replace(claim(name), preview=True, **changes)  # type: ignore[arg-type]


def test_a_preview_needs_an_address_and_no_registry_that_answers() -> None:
    (entry,) = decide(claims(preview(reachable=False)), TrustDocument()).document.registries
    assert entry.preview
    assert granted(claims(preview(address=""))) == []
    assert granted(claims(preview(managed=False))) == []


def test_dns_is_told_to_the_nodes() -> None:
    (entry,) = decide(claims(replace(claim("dev"), dns=True)), TrustDocument()).document.registries
    assert (entry.dns, entry.preview) == (True, False)
    assert entry.endpoint(entry.names[0]) == "http://registry.example.internal"


def test_a_preview_of_a_held_name_gets_nothing_and_holds_its_own_like_any_other() -> None:
    holder, looks = claim("holder", created="5"), replace(preview("looks"), created="1")
    current = decide(claims(holder), TrustDocument()).document
    assert granted(claims(holder, looks), current) == ["uid-holder"]
    previewed = decide(claims(looks), TrustDocument()).document
    assert granted(claims(looks, replace(holder, created="0")), previewed) == ["uid-looks"]


@pytest.mark.parametrize(
    ("before", "now", "is_preview"),
    [
        pytest.param(claim("dev"), preview(), True, id="managed becomes a preview at once"),
        pytest.param(preview(), claim("dev"), False, id="a preview that answers becomes managed"),
        pytest.param(
            preview(),
            replace(claim("dev"), reachable=False),
            True,
            id="a preview that has not answered stays one",
        ),
        pytest.param(
            claim("dev"),
            replace(claim("dev"), reachable=False),
            False,
            id="managed that does not answer for a while stays managed",
        ),
    ],
)
def test_a_switch_between_preview_and_managed_is_a_change_of_the_entry(
    before: Claim, now: Claim, is_preview: bool
) -> None:
    current = decide(claims(before), TrustDocument()).document
    (entry,) = decide(claims(now), current).document.registries
    assert entry.preview is is_preview
    changed = current.registries[0].digest() != entry.digest()
    assert changed is (current.registries[0].preview != is_preview)


# A suspended registry


def test_a_suspended_registry_is_told_of_as_nodes_know_it() -> None:
    entry = replace(
        decide(claims(claim("dev")), TrustDocument()).document.registries[0],
        **{"dns": True, "preview": True, "address": "10.96.0.77"},  # type: ignore[arg-type]
    )
    now = claim("dev", host="new.example.internal")
    frozen = with_trust(now, entry)
    current = TrustDocument((entry,))
    assert decide(claims(frozen), current).document == current
    assert frozen.frozen


NODES_READY = {"type": "NodesReady", "status": "True"}


def record(reason: str, *, url: str = "http://old.example.internal:5000", ready: int = 0) -> Any:
    return {
        "url": url,
        "conditions": [{"type": "Ready", "reason": "Ready"}, NODES_READY | {"reason": reason}],
        "nodes": {"ready": ready},
    }


@pytest.mark.parametrize(
    ("status", "names"),
    [
        pytest.param(record("NodesConfigured"), ("old.example.internal:5000",), id="ready"),
        pytest.param(record("NodesFailing"), ("old.example.internal:5000",), id="failing"),
        pytest.param(record("ProbePushFailed", ready=3), ("old.example.internal:5000",), id="sick"),
        pytest.param(record("WaitingForRegistry"), None, id="nodes were never told"),
        pytest.param(record("HostConflict"), None, id="another has the name"),
        pytest.param(record("Unmanaged"), None, id="unmanaged"),
        pytest.param(record("OfANewerVersion"), None, id="a reason of a newer version"),
        pytest.param(record("NodesConfigured", url="http://[::1]"), None, id="an address"),
        pytest.param({"conditions": [NODES_READY]}, None, id="half a status"),
        pytest.param({}, None, id="no status"),
    ],
)
def test_where_the_document_was_lost_a_suspended_registry_s_status_is_its_record(
    status: dict[str, Any], names: tuple[str, ...] | None
) -> None:
    suspended = replace(claim("dev", host="new.example.internal"), address="", reachable=False)
    waits = with_record(suspended, status, "")
    assert waits.managed is (names is not None)
    assert granted(claims(waits)) == []
    found = with_record(suspended, status, "10.96.0.9")
    entries = decide(claims(found), TrustDocument()).document.registries
    assert [entry.names for entry in entries] == ([names] if names else [])
    assert [entry.preview for entry in entries] == ([False] if names else [])


def test_a_suspended_preview_is_a_preview_again() -> None:
    found = with_record(claim("dev"), record("Preview"), "10.96.0.9")
    assert (found.managed, found.preview, found.reachable) == (True, True, False)


# Aliases


def aliased(name: str, *aliases: str, **given: Any) -> Claim:
    return replace(claim(name, **given), aliases=tuple(map(Host.parse_alias, aliases)))


def names(table: Claims, current: TrustDocument | None = None) -> dict[str, tuple[str, ...]]:
    document = decide(table, current or TrustDocument()).document
    return {entry.uid: entry.names for entry in document.registries}


def test_the_aliases_stand_behind_the_host_in_the_document() -> None:
    table = claims(aliased("dev", "b.example", "a.example:5000", "10.1.2.3:30500"))
    hosts = ("registry.example.internal", "b.example", "a.example:5000", "10.1.2.3:30500")
    assert names(table) == {"uid-dev": hosts}


def test_an_alias_that_another_has_as_host_is_left_out_and_the_rest_is_served() -> None:
    holder = claim("a", host="a.example", created="1")
    other = aliased("dev", "a.example:5000", "b.example", created="2")
    assert names(claims(holder, other)) == {
        "uid-a": ("a.example",),
        "uid-dev": ("registry.example.internal", "b.example"),
    }


def test_a_host_that_another_has_as_an_alias_gets_nothing() -> None:
    holder = aliased("dev", "a.example", created="1")
    assert names(claims(holder, claim("a", host="a.example:80", created="2"))).keys() == {"uid-dev"}


def test_an_alias_that_nodes_trust_already_stays_with_who_has_it() -> None:
    young = aliased("young", "a.example", created="2")
    current = decide(claims(young), TrustDocument()).document
    old = aliased("old", "a.example", host="old.example", created="1")
    assert names(claims(young, old), current)["uid-old"] == ("old.example",)
    assert names(claims(old), current) == {"uid-old": ("old.example", "a.example")}


def test_an_alias_is_told_to_nodes_only_when_the_service_has_its_port() -> None:
    before = decide(claims(claim("dev")), TrustDocument()).document
    added = aliased("dev", "a.example:5000")
    assert decide(claims(replace(added, served=None)), before).document == before
    assert "a.example:5000" in names(claims(added), before)["uid-dev"]


def test_an_alias_that_another_waits_for_goes_at_once_and_takes_nothing_along() -> None:
    before = decide(claims(aliased("dev", "a.example", "b.example")), TrustDocument()).document
    moment = replace(aliased("dev", "b.example"), served=None)
    waits = claim("waits", host="a.example", created="2")
    assert names(claims(moment), before)["uid-dev"] == before.registries[0].names
    assert names(claims(moment, waits), before) == {
        "uid-dev": ("registry.example.internal", "b.example"),
        "uid-waits": ("a.example",),
    }


def test_an_alias_that_came_by_a_change_comes_after_who_was_made_with_it() -> None:
    table = claims(claim("old", host="old.example", created="1"))
    table.put(replace(claim("young", host="a.example", created="2"), reachable=False))
    table.put(aliased("old", "a.example", host="old.example", created="1"))
    assert names(table) == {"uid-old": ("old.example",)}
    table.drop(("registries", "young"))
    assert names(table) == {"uid-old": ("old.example", "a.example")}


def test_what_the_policy_does_not_grant_is_no_claim() -> None:
    table = Claims(HostPolicy.parse('[{"namespaces": ["registries"], "hosts": ["a.example"]}]'))
    refused = table.permitted(aliased("dev", "a.example"))
    table.put(refused)
    kept = table.permitted(aliased("a", "b.example", host="a.example", created="2"))
    table.put(kept)
    assert (refused.allowed, refused.hosts) == (False, ())
    assert names(table) == {"uid-a": ("a.example",)}
    assert table.rivals(kept) == []


def test_an_alias_of_before_that_is_granted_no_longer_goes_in_every_moment() -> None:
    with_alias = aliased("dev", "a.example")
    before = decide(claims(with_alias), TrustDocument()).document
    policy = '[{"namespaces": ["*"], "hosts": ["registry.example.internal", "b.example"]}]'
    table = Claims(HostPolicy.parse(policy))
    table.put(table.permitted(replace(aliased("dev", "a.example", "b.example"), served=None)))
    assert names(table, before) == {"uid-dev": ("registry.example.internal",)}


def test_a_suspended_one_keeps_its_aliases_as_nodes_know_them() -> None:
    current = decide(claims(aliased("dev", "10.1.2.3:30500")), TrustDocument()).document
    (entry,) = current.registries
    frozen = with_trust(aliased("dev", "b.example"), entry)
    assert [str(alias) for alias in frozen.aliases] == ["10.1.2.3:30500"]
    assert decide(claims(frozen), current).document == current
