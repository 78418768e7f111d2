"""Which namespaces may declare which hosts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localregistry.spec.hosts import Host
from localregistry.spec.policy import HostPolicy, InvalidPolicy
from unit.spec.host_table import GOOD_ALIASES, GOOD_HOSTS

TABLE = [
    {"namespaces": ["team-a", "team-a-*"], "hosts": ["*.team-a.example.com", "a.example"]},
    {"namespaces": ["team-*"], "hosts": ["shared.example.com"]},
    {"namespaces": ["platform"], "hosts": ["*", "10.100.0.0/16", "192.0.2.7", "fd00::/8"]},
]
POLICY = HostPolicy.parse(json.dumps(TABLE))

# namespace, host or alias, whether it is granted
DECISIONS = [
    ("team-a", "x.team-a.example.com", True),
    ("team-a", "x.team-a.example.com:5000", True),
    ("team-a", "deep.x.team-a.example.com", True),
    ("team-a", "team-a.example.com", False),
    ("team-a", "xteam-a.example.com", False),
    ("team-a", "x.team-a.example.com.evil.example", False),
    ("team-a", "a.example:1", True),
    ("team-a", "b.a.example", False),
    ("team-a", "shared.example.com", True),
    ("team-a", "10.100.0.1:30500", False),
    ("team-a-dev", "x.team-a.example.com", True),
    ("team-ab", "x.team-a.example.com", False),
    ("team-ab", "shared.example.com", True),
    ("xteam-a", "shared.example.com", False),
    ("team", "shared.example.com", False),
    ("platform", "anything.example", True),
    ("platform", "10.100.255.1:30500", True),
    ("platform", "10.101.0.1", False),
    ("platform", "192.0.2.7:80", True),
    ("platform", "192.0.2.70:80", False),
    ("platform", "[fd00::1]:30500", True),
    ("platform", "[2001:db8::1]:30500", False),
    ("nobody", "anything.example", False),
    ("nobody", "10.100.0.1", False),
]


@pytest.mark.parametrize(("namespace", "text", "granted"), DECISIONS)
def test_a_host_is_granted_or_not(namespace: str, text: str, granted: bool) -> None:
    assert POLICY.allows(namespace, Host.parse_alias(text)) is granted


@pytest.mark.parametrize("text", ["", "[]"])
def test_without_a_table_every_namespace_may_declare_every_name_and_no_address(text: str) -> None:
    policy = HostPolicy.parse(text)
    assert policy == HostPolicy()
    for alias in map(Host.parse_alias, GOOD_ALIASES):
        assert policy.allows("any", alias) is (alias.address is None)


def test_the_sentence_says_what_is_refused_and_what_is_granted() -> None:
    refused = POLICY.refused("team-a", map(Host.parse_alias, ["a.example", "b.c", "10.0.0.1:1"]))
    assert POLICY.sentence("team-a", refused) == (
        "namespace team-a may not declare b.c, 10.0.0.1:1: hostPolicy grants it "
        "*.team-a.example.com, a.example, shared.example.com"
    )
    assert POLICY.sentence("nobody", [Host.parse("b.c")]).endswith("hostPolicy grants it no host")
    names_only = HostPolicy().sentence("x", [Host.parse_alias("10.0.0.1")])
    assert names_only.endswith(
        "grants it *; * stands for names, and an address needs a pattern of its own"
    )


BAD_TABLES: dict[str, tuple[Any, str]] = {
    "no JSON": ("{", "hostPolicy is not JSON"),
    "an object": ({}, "hostPolicy must be a list"),
    "a rule of text": (["x"], r"hostPolicy\[0\] must have namespaces and hosts"),
    "a rule without hosts": ([{"namespaces": ["a"]}], "must have namespaces and hosts"),
    "an unknown field": (
        [{"namespaces": ["a"], "hosts": ["*"], "host": "x"}],
        "must have namespaces and hosts, and nothing else",
    ),
    "no namespace": ([{"namespaces": [], "hosts": ["*"]}], "must be a list of at least one text"),
    "hosts as text": ([{"namespaces": ["a"], "hosts": "a.b"}], "must be a list of at least one"),
    "a host as a number": ([{"namespaces": ["a"], "hosts": [1]}], "must be a list of at least one"),
    **{
        f"namespace {text!r}": ([{"namespaces": [text], "hosts": ["*"]}], "is neither a namespace")
        for text in ("", "*a", "a*b", "A", "a.b", "-a", "a'b", "a\n", "a" * 64, "**")
    },
    **{
        f"host {text!r}": ([{"namespaces": ["a"], "hosts": [text]}], "is none of")
        for text in (
            *("", "**", "*a.b", "a.*", "a.*.b", "*.", "*.*.b", "A.b", "a..b", "a.b.", "a.b:80"),
            *("http://a.b", "a/b", "a'b", 'a"]', "a\n", "10.0.0.0/33", "10.0.0.256", "10.0.0"),
            *("10.0.0.1:80", "[fd00::1]", "fd00::/129", "fd00:::1", "::ffff:1.2.3.4", "1"),
            *("*.1.2.3.4", "fd00::1%eth0", "a" * 64 + ".b", "b." * 127 + "a"),
        )
    },
}


@pytest.mark.parametrize(("table", "sentence"), BAD_TABLES.values(), ids=BAD_TABLES)
def test_a_table_that_cannot_be_read_is_told(table: Any, sentence: str) -> None:
    text = table if isinstance(table, str) else json.dumps(table)
    with pytest.raises(InvalidPolicy, match=sentence):
        HostPolicy.parse(text)


@given(st.text(max_size=60))
def test_nothing_but_invalid_policy_is_raised_whatever_the_text_is(text: str) -> None:
    try:
        policy = HostPolicy.parse(text)
    except InvalidPolicy:
        return
    assert policy.grants


@given(st.sampled_from(GOOD_HOSTS))
def test_a_name_as_its_own_pattern_grants_itself(text: str) -> None:
    name = Host.parse(text).name
    policy = HostPolicy.parse(json.dumps([{"namespaces": ["*"], "hosts": [name]}]))
    assert policy.allows("any", Host.parse(text))
    assert not policy.allows("any", Host.parse("another.example"))
