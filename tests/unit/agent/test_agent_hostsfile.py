"""Our block in /etc/hosts, and nothing else of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localregistry.agent.hostsfile import foreign_address, with_block, without_block

ADDRESSES = {"registry.example.internal": "10.96.0.7", "alias.example": "fd00::7"}
BLOCK = (
    b"# BEGIN localregistry\nfd00::7\talias.example\n10.96.0.7\tregistry.example.internal\n"
    b"# END localregistry\n"
)


def test_the_block_stands_last() -> None:
    assert with_block(b"127.0.0.1 localhost\n", ADDRESSES) == b"127.0.0.1 localhost\n" + BLOCK


def test_a_new_address_replaces_the_line_where_it_is() -> None:
    old = with_block(b"127.0.0.1 localhost\n", ADDRESSES)
    new = with_block(old, {"alias.example": "10.96.0.9"})
    assert new == (
        b"127.0.0.1 localhost\n# BEGIN localregistry\n10.96.0.9\talias.example\n"
        b"# END localregistry\n"
    )


def test_lines_that_were_written_behind_the_block_stay() -> None:
    edited = with_block(b"127.0.0.1 localhost\n", ADDRESSES) + b"10.0.0.1 his\n"
    assert without_block(edited) == b"127.0.0.1 localhost\n10.0.0.1 his\n"


def test_a_lost_end_mark_takes_nothing_of_others_with_it() -> None:
    content = (
        b"# BEGIN localregistry\n10.96.0.7\tregistry.example.internal\n# his comment\n1.2.3.4 x\n"
    )
    assert without_block(content) == b"# his comment\n1.2.3.4 x\n"


def test_two_blocks_are_both_ours() -> None:
    assert without_block(BLOCK + b"1.2.3.4 x\n" + BLOCK) == b"1.2.3.4 x\n"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b"10.0.0.1 registry.example.internal", {"10.0.0.1"}),
        (b"10.0.0.1\tx Registry.Example.Internal # why", {"10.0.0.1"}),
        (b"#10.0.0.1 registry.example.internal", set()),
        (b"10.0.0.1 xregistry.example.internal", set()),
        (b"10.0.0.1 registry.example.internal.x", set()),
        (b"", set()),
    ],
    ids=["alone", "second name, upper case", "a comment", "a suffix", "a prefix", "empty"],
)
def test_who_else_resolves_the_name(line: bytes, found: set[str]) -> None:
    assert foreign_address(BLOCK + line + b"\n", "registry.example.internal") == found


@settings(max_examples=200)
@given(content=st.binary().filter(lambda content: b"localregistry" not in content))
def test_any_file_is_given_back_byte_by_byte(content: bytes) -> None:
    assert without_block(with_block(content, ADDRESSES)) == content
    assert with_block(with_block(content, ADDRESSES), ADDRESSES) == with_block(content, ADDRESSES)
    assert with_block(with_block(content, ADDRESSES), {}) == content
