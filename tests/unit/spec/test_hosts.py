"""The host rules, by the table that the CRD is tested with too."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localregistry.spec import hosts
from localregistry.spec.hosts import Host, InvalidHost
from unit.spec.host_table import BAD_ALIASES, BAD_HOSTS, GOOD_ADDRESSES, GOOD_ALIASES, GOOD_HOSTS

# Go's net and moby's ValidateIndexName refuse more than this at no point.
_WITHOUT_SURPRISES = re.compile(r"[a-z0-9][a-z0-9.-]*[a-z0-9](:[0-9]{1,5})?")


@pytest.mark.parametrize("text", GOOD_HOSTS)
def test_a_good_host_is_read_and_written_back(text: str) -> None:
    assert str(Host.parse(text)) == text


def test_name_and_port_are_told_apart() -> None:
    assert Host.parse("registry.example.com:5000") == Host("registry.example.com", 5000)
    assert Host.parse("registry.example.com") == Host("registry.example.com", None)


@pytest.mark.parametrize(("text", "sentence"), BAD_HOSTS.items(), ids=map(repr, BAD_HOSTS))
def test_a_bad_host_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(InvalidHost) as refusal:
        Host.parse(text)
    assert sentence in str(refusal.value)


@pytest.mark.parametrize("text", GOOD_ALIASES)
def test_a_good_alias_is_read_and_written_back(text: str) -> None:
    alias = Host.parse_alias(text)
    assert str(alias) == text
    assert alias.name == hosts.name_of(text)
    assert (alias.address is not None) is (text in GOOD_ADDRESSES)


@pytest.mark.parametrize("text", GOOD_ADDRESSES)
def test_an_address_is_no_host(text: str) -> None:
    with pytest.raises(InvalidHost, match="not an IP address"):
        Host.parse(text)


@pytest.mark.parametrize(("text", "sentence"), BAD_ALIASES.items(), ids=map(repr, BAD_ALIASES))
def test_a_bad_alias_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(InvalidHost) as refusal:
        Host.parse_alias(text)
    assert sentence in str(refusal.value)


def test_an_alias_of_an_address_has_it() -> None:
    assert str(Host.parse_alias("10.100.0.1:30500").address) == "10.100.0.1"
    assert Host.parse_alias("[fd00::1]:30500") == Host("[fd00::1]", 30500)
    assert str(Host("[fd00::1]").address) == "fd00::1"
    assert Host.parse("1.2.3.4.example.com").address is None


@given(st.ip_addresses())
def test_an_address_is_taken_in_one_spelling_only(ip: IPv4Address | IPv6Address) -> None:
    shortest = f"{ip}:80" if ip.version == 4 else f"[{ip}]:80"
    longest = f"[{ip.exploded}]:80"
    address, refusal = _parsed(shortest)
    assert refusal in (None, hosts.UNICAST_FAULT, hosts.ADDRESS_FAULT)
    assert address == (None if refusal else str(ip))
    if ip.version == 6 and ip.exploded != str(ip):
        assert _parsed(longest) == (None, hosts.ADDRESS_FAULT)


def _parsed(text: str) -> tuple[str | None, str | None]:
    try:
        return str(Host.parse_alias(text).address), None
    except InvalidHost as error:
        return None, str(error)


@pytest.mark.parametrize("text", ["", "\0", "x.y\0", "a." * 10_000, "\ud800.example.com"])
def test_what_no_api_server_would_store_is_refused_too(text: str) -> None:
    with pytest.raises(InvalidHost):
        Host.parse(text)


@given(st.text(alphabet=st.sampled_from("aA0-._:/@*[]%\n5 é"), max_size=30))
def test_whatever_is_accepted_is_a_plain_name(text: str) -> None:
    try:
        host = Host.parse(text)
    except InvalidHost:
        return
    assert str(host) == text
    assert _WITHOUT_SURPRISES.fullmatch(text)
    assert ".." not in text
    assert "." in host.name
    assert host.port is None or 1 <= host.port <= 65535


@given(st.sampled_from(hosts.PUBLIC_REGISTRIES), st.from_regex(r"[a-z]{1,5}[.]", fullmatch=True))
def test_no_name_below_a_public_registry_is_accepted(public: str, below: str) -> None:
    with pytest.raises(InvalidHost, match="public registry"):
        Host.parse(below + public)
