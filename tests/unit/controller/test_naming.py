"""Which of its names a LocalRegistry has: the policy first, then who holds them."""

from __future__ import annotations

import json

import pytest

from localregistry.controller.naming import Naming
from localregistry.spec.hosts import Host
from localregistry.spec.policy import HostPolicy
from localregistry.spec.reasons import Reason
from unit.controller.bodies import HOST, NAMESPACE, claim, read

ALIASES = ["a.example", "b.example:5000", "10.100.0.1:30500"]
RIVAL = claim("u2", name="rival")
EVERYTHING = ["*", "10.100.0.0/16"]


def judge(*held: str, granted: list[str] | None = None) -> Naming:
    table = [{"namespaces": [NAMESPACE], "hosts": granted or EVERYTHING}]
    return Naming.judge(
        read(aliases=ALIASES),
        policy=HostPolicy.parse(json.dumps(table)),
        holders=dict.fromkeys(held, RIVAL),
    )


def served(naming: Naming) -> list[str]:
    return [str(host) for host in naming.served.spec.hosts]


def test_what_nobody_else_holds_and_what_is_granted_is_served() -> None:
    naming = judge()
    assert (naming.host, naming.alias) == (None, None)
    assert served(naming) == [HOST, *ALIASES]


def test_an_alias_that_another_holds_is_left_out_alone() -> None:
    naming = judge("b.example")
    assert naming.host is None
    assert served(naming) == [HOST, "a.example", "10.100.0.1:30500"]
    assert naming.alias is not None
    reason, message = naming.alias
    assert reason is Reason.HOST_CONFLICT
    assert message == (
        f"b.example is held by LocalRegistry {NAMESPACE}/rival: "
        "choose another alias, or take it out"
    )


def test_an_alias_that_is_not_granted_is_left_out_alone_and_told_first() -> None:
    naming = judge("b.example", granted=["*"])
    assert naming.host is None
    assert served(naming) == [HOST, "a.example"]
    assert naming.alias is not None
    reason, message = naming.alias
    assert reason is Reason.HOST_NOT_ALLOWED
    assert "may not declare 10.100.0.1:30500: hostPolicy grants it *;" in message


@pytest.mark.parametrize(
    ("held", "granted", "reason"),
    [
        ((HOST,), EVERYTHING, Reason.HOST_CONFLICT),
        ((), ["a.example"], Reason.HOST_NOT_ALLOWED),
        ((HOST,), ["a.example"], Reason.HOST_NOT_ALLOWED),
    ],
    ids=["held", "not granted", "both"],
)
def test_a_host_that_it_may_not_have_is_told(
    held: tuple[str, ...], granted: list[str], reason: Reason
) -> None:
    naming = judge(*held, granted=granted)
    assert naming.host is not None
    assert naming.host[0] is reason
    assert HOST in naming.host[1]


def test_an_alias_of_the_same_name_and_another_port_is_the_hosts_own() -> None:
    registry = read(host=HOST, aliases=[f"{HOST}:5000"])
    naming = Naming.judge(registry, policy=HostPolicy(), holders={})
    assert naming.served.spec.hosts == (Host(HOST), Host(HOST, 5000))
