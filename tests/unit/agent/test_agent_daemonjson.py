"""daemon.json: the least possible edit, and its inverse."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localregistry.agent import daemonjson
from localregistry.agent.daemonjson import LOOPBACK, Invalid, add, drop, listed, parse

NAMES = ["registry.example.internal", "other.example:5000"]
BOTH = '"registry.example.internal", "other.example:5000"'
MADE = f'"insecure-registries": ["127.0.0.0/8", "::1/128", {BOTH}]'

EDITS = {
    "an empty object gets the key on a line of its own": ("{}", f"{{\n  {MADE}\n}}"),
    "an empty object over two lines": ("{\n}\n", f"{{\n  {MADE}\n}}\n"),
    "one line stays one line": ('{ "debug": true }\n', f'{{ "debug": true, {MADE} }}\n'),
    "four blanks of indentation are taken over": (
        '{\n    "exec-opts": ["x"],\n    "mtu": 1450\n}\n',
        f'{{\n    "exec-opts": ["x"],\n    "mtu": 1450,\n    {MADE}\n}}\n',
    ),
    "tabs, carriage returns and no final newline": (
        '{\r\n\t"debug": false\r\n}',
        f'{{\r\n\t"debug": false,\r\n\t{MADE}\r\n}}',
    ),
    "number text and escapes are nobody's business": (
        '{"a": 1.50e+3, "b": "\\u00e9", "c": 10.0}',
        f'{{"a": 1.50e+3, "b": "\\u00e9", "c": 10.0, {MADE}}}',
    ),
    "the administrator's list keeps its entries and their order": (
        '{"insecure-registries": ["z.example", "a.example"], "debug": true}',
        f'{{"insecure-registries": ["z.example", "a.example", {BOTH}], "debug": true}}',
    ),
    "his list over several lines grows in its own style": (
        '{\n  "insecure-registries": [\n    "a.example"\n  ]\n}\n',
        '{\n  "insecure-registries": [\n    "a.example",\n    "registry.example.internal",\n'
        '    "other.example:5000"\n  ]\n}\n',
    ),
    "his empty list is a list": (
        '{"insecure-registries": []}',
        f'{{"insecure-registries": [{BOTH}]}}',
    ),
    "his null is a list": (
        '{"insecure-registries": null}',
        f'{{"insecure-registries": [{BOTH}]}}',
    ),
}


@pytest.mark.parametrize(("before", "after"), EDITS.values(), ids=EDITS.keys())
def test_names_are_added_by_the_least_edit(before: str, after: str) -> None:
    assert add(before.encode(), NAMES).decode() == after


@pytest.mark.parametrize(("before", "after"), EDITS.values(), ids=EDITS.keys())
def test_dropping_them_means_what_it_meant_before(before: str, after: str) -> None:
    made = listed(before.encode()) is None
    result = drop(after.encode(), NAMES, whole_key=made)
    expected = parse(before.encode())
    if expected.get(daemonjson.KEY, []) is None:
        expected[daemonjson.KEY] = []
    assert parse(result) == expected


def test_a_missing_file_is_made_with_the_loopback_default() -> None:
    made = json.loads(add(None, ["a.example"]))
    assert made == {"insecure-registries": [*LOOPBACK, "a.example"]}


def test_adding_nothing_makes_the_list_that_lets_a_running_daemon_forget() -> None:
    assert parse(add(b'{"debug": true}', [])) == {
        "debug": True,
        "insecure-registries": list(LOOPBACK),
    }


def test_what_the_administrator_lists_himself_is_not_added_again() -> None:
    content = b'{"insecure-registries": ["registry.example.internal"]}'
    assert add(content, ["registry.example.internal"]) == content


def test_an_administrators_edit_survives_the_drop() -> None:
    ours = add(b'{"debug": true}', NAMES)
    edited = ours.replace(b'"::1/128"', b'"::1/128", "his.example"').replace(b"true", b"false")
    assert parse(drop(edited, NAMES, whole_key=True)) == {
        "debug": False,
        "insecure-registries": [*LOOPBACK, "his.example"],
    }


def test_a_byte_order_mark_stays_where_docker_takes_it() -> None:
    assert add(b'\xef\xbb\xbf{"debug": true}', NAMES).startswith(b'\xef\xbb\xbf{"debug"')


REFUSED = {
    "an empty file": (b"", "line 1 column 1: the file is empty"),
    "only blanks": (b" \n\t\n", "line 1 column 1: the file is empty"),
    "an array": (b"[]", "line 1 column 1: not a JSON object"),
    "a truncated object": (b'{"a": 1', "line 1 column 8"),
    "a comma too many": (b'{\n  "a": 1,\n}', "line 3 column 1"),
    "a comma too few": (b'{"a": 1 "b": 2}', "line 1 column 9"),
    "a comment": (b'{"a": 1} // why', "line 1 column 10: something follows"),
    "a key twice": (b'{"a": 1,\n "a": 2}', "line 2 column 2: the key 'a' stands there twice"),
    "a nested key twice": (
        b'{"a": [{"b": 1, "b": 2}]}',
        "line 1 column 17: the key 'b' stands there twice",
    ),
    "a key twice, in other letters": (b'{"a": 1, "\\u0061": 2}', "line 1 column 10: the key 'a'"),
    "a string for the list": (
        b'{"insecure-registries": "x"}',
        'line 1 column 25: "insecure-registries" is not a list of strings',
    ),
    "a number in the list": (b'{"insecure-registries": [5000]}', "not a list of strings"),
    "mirrors that are no list": (b'{"registry-mirrors": {}}', "not a list of strings"),
    "a word that is only JavaScript": (b'{"a": [0, NaN]}', "line 1 column 11: NaN"),
    "bytes that are not UTF-8": (b'\xef\xbb\xbf{"a":\n "\xff"}', "line 2 column 3: not UTF-8"),
    "depth without end": (b'{"a": ' + b"[" * 100_000, "nested too deep"),
}


@pytest.mark.parametrize(("content", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_a_file_that_docker_might_refuse_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(Invalid, match=re.escape(words)):
        add(content, NAMES)


def test_a_byte_order_mark_is_refused_where_docker_refuses_it() -> None:
    with pytest.raises(Invalid, match="line 1 column 1: a byte order mark"):
        parse(b"\xef\xbb\xbf{}", bom_allowed=False)


_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_lists = st.lists(st.sampled_from(["a.example", "b.example:80", *NAMES, *LOOPBACK]), unique=True)
_configs = st.dictionaries(
    st.text().filter(lambda key: key not in {"registry-mirrors", "authorization-plugins"}),
    _values,
    max_size=4,
).flatmap(
    lambda config: st.one_of(
        st.just({k: v for k, v in config.items() if k != daemonjson.KEY}),
        _lists.map(lambda names: {**config, daemonjson.KEY: names}),
    )
)


@settings(max_examples=200, deadline=None)
@given(config=_configs, indent=st.sampled_from([None, 0, 2, "\t"]), escape=st.booleans())
def test_any_file_is_edited_and_restored_in_meaning(
    config: dict[str, object], indent: int | str | None, escape: bool
) -> None:
    content = json.dumps(config, indent=indent, ensure_ascii=escape).encode(errors="replace")
    before = parse(content)
    present = before.get(daemonjson.KEY)
    edited = add(content, NAMES)
    fresh = [name for name in NAMES if name not in (present or ())]
    assert parse(edited)[daemonjson.KEY] == [*(LOOPBACK if present is None else present), *fresh]
    assert add(edited, NAMES) == edited
    assert parse(drop(edited, fresh, whole_key=present is None)) == before
