"""Who may have which name trusted by the nodes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from localregistry.controller.grants import Claim, Claims, decide, with_record, with_trust
from localregistry.spec.hosts import Host
from localregistry.spec.policy import HostPolicy
from localregistry.trust import TrustDocument


def claim(name: str, *, host: str = "registry.example.internal", created: str = "1") -> Claim:
    return Claim(
        uid=f"uid-{name}",
        namespace="registries",
        name=name,
        created=f"2026-01-0{created}T00:00:00Z",
        host=Host.parse(host),
        managed=True,
        address="10.96.0.10",
        reachable=True,
        served=True,
    )


def claims(*items: Claim) -> Claims:
    table = Claims()
    for item in items:
        table.put(item)
    return table


def granted(table: Claims, current: TrustDocument | None = None) -> list[str]:
    return [e.uid for e in decide(table, current or TrustDocument()).document.registries]


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
