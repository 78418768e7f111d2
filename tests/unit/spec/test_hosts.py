"""The host rules, by the table that the CRD is tested with too."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localregistry.spec import hosts
from localregistry.spec.hosts import Host, InvalidHost
from unit.spec.host_table import BAD_HOSTS, GOOD_HOSTS

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
    assert str(refusal.value).startswith("host ")


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
