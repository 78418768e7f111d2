"""Files that nobody thought of: the edit never fails by surprise, means what it must, and goes."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localregistry.agent import daemonjson, hostsfile
from localregistry.agent.daemonjson import LOOPBACK, Invalid
from localregistry.agent.guest import Guest, Unknown
from localregistry.agent.journal import Journal, Record, sha256
from localregistry.agent.paths import HostRoot
from localregistry.agent.writer import Change

FEW, MANY = 100, 10_000
NAMES = ["registry.example.internal", "other.example:5000"]
PATH = "/etc/docker/daemon.json"

Check = Callable[..., None]


def _fuzz(examples: int) -> Callable[[Check], Check]:
    checks = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
    chosen = settings(max_examples=examples, deadline=None, suppress_health_check=checks)
    return lambda check: chosen(check)


# JSON texts in every layout that an editor, a template or a program may leave.
_blank = st.text(alphabet=" \t\r\n", max_size=3)
_keys = st.one_of(
    st.sampled_from(["debug", "mtu", "dns", "insecure-registries2", "", "é", "a b", "log-opts"]),
    st.text(max_size=4),
)
_names = st.lists(st.sampled_from(["his.example", "10.0.0.0/8", *NAMES, *LOOPBACK]), max_size=4)
_scalars = st.one_of(
    st.sampled_from(["null", "true", "false", "0", "-0", "1.50e+3", "10.0", "1E400", "-1e-7"]),
    st.integers().map(str),
    st.text(max_size=6).map(json.dumps),
    st.text(max_size=6).map(lambda text: json.dumps(text, ensure_ascii=False)),
)


@st.composite
def _object(draw: st.DrawFn, depth: int = 2, names: bool = True) -> str:
    pairs: dict[str, str] = {}
    for key in draw(st.lists(_keys, max_size=4, unique=True)):
        pairs[json.dumps(key, ensure_ascii=draw(st.booleans()))] = draw(_value(depth))
    if names and draw(st.booleans()):
        items = draw(st.one_of(st.none(), _names))
        text = "null" if items is None else draw(_array([json.dumps(item) for item in items]))
        pairs[json.dumps(daemonjson.KEY)] = text
    between = [
        f"{draw(_blank)}{key}{draw(_blank)}:{draw(_blank)}{value}{draw(_blank)}"
        for key, value in draw(st.permutations(list(pairs.items())))
    ]
    return "{" + (",".join(between) if between else draw(_blank)) + "}"


@st.composite
def _array(draw: st.DrawFn, items: list[str]) -> str:
    between = [f"{draw(_blank)}{item}{draw(_blank)}" for item in items]
    return "[" + (",".join(between) if between else draw(_blank)) + "]"


def _value(depth: int) -> st.SearchStrategy[str]:
    if not depth:
        return _scalars
    arrays = st.lists(_value(depth - 1), max_size=3).flatmap(_array)
    return st.one_of(_scalars, arrays, _object(depth=depth - 1, names=False))


@st.composite
def _files(draw: st.DrawFn) -> bytes:
    text = f"{draw(_blank)}{draw(_object())}{draw(_blank)}"
    bom = draw(st.sampled_from([b"", b"", b"", b"\xef\xbb\xbf"]))
    return bom + text.encode(errors="surrogatepass")


@st.composite
def _damaged(draw: st.DrawFn) -> bytes:
    """A file with some bytes cut, doubled or replaced."""
    content = draw(_files())
    start = draw(st.integers(0, len(content)))
    end = draw(st.integers(start, min(start + 8, len(content))))
    piece = draw(st.one_of(st.just(b""), st.binary(max_size=4), st.just(content[start:end] * 2)))
    return content[:start] + piece + content[end:]


def _edit_and_restore(content: bytes) -> None:
    try:
        before = daemonjson.parse(content)
    except Invalid:
        return  # surrogates and keys that are spelled twice
    present = daemonjson.listed(content)
    edited = daemonjson.add(content, NAMES)
    fresh = [name for name in NAMES if name not in (present or ())]
    expected = [*(LOOPBACK if present is None else present), *fresh]
    # What another program reads is what was meant.
    read = json.loads(edited.removeprefix(b"\xef\xbb\xbf"), parse_int=str, parse_float=str)
    assert read == {**before, daemonjson.KEY: expected}
    assert list(daemonjson.parse(edited))[: len(before)] == list(before)
    assert daemonjson.add(edited, NAMES) == edited
    rest = daemonjson.parse(daemonjson.drop(edited, fresh, whole_key=present is None))
    if daemonjson.KEY in before:
        # A name that stood there twice goes twice only where it was ours.
        before[daemonjson.KEY] = list(present or ())
    assert rest == before


def _remember_and_restore(content: bytes) -> None:
    """By the journal, byte by byte, as the writer does it."""
    try:
        edited = daemonjson.add(content, NAMES)
    except Invalid:
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "etc/docker").mkdir(parents=True)
        (root / PATH[1:]).write_bytes(content)
        guest = Guest(HostRoot(root), Journal(root / "state"))
        record = Record(guest.journal.keep(content), (sha256(edited),), dict.fromkeys(NAMES, "u"))
        guest.journal.put(PATH, record)
        guest.put(Change(PATH, content, edited))
        again = Guest(HostRoot(root), Journal(root / "state"))
        current = again.read(PATH)
        assert current == edited
        assert again.base(PATH, current) == content
        again.put(Change(PATH, current, content))
        assert (root / PATH[1:]).read_bytes() == content
        his = edited + b" " if edited != content else content + b" "
        assert again.base(PATH, his) is Unknown


def _never_surprised(content: bytes) -> None:
    """Either hands off, with a sentence, or a file that means the same and more."""
    edits: tuple[Callable[[], bytes], ...] = (
        lambda: daemonjson.add(content, NAMES),
        lambda: daemonjson.add(content, []),
        lambda: daemonjson.drop(content, NAMES, whole_key=True),
        lambda: daemonjson.drop(content, NAMES, whole_key=False),
    )
    for edit in edits:
        try:
            result = edit()
        except Invalid:
            continue
        before, after = daemonjson.parse(content), daemonjson.parse(result)
        for config in (before, after):
            config.pop(daemonjson.KEY, None)
        assert before == after


@_fuzz(FEW)
@given(content=_files())
def test_any_daemon_json_is_edited_and_restored(content: bytes) -> None:
    _edit_and_restore(content)


@pytest.mark.long
@_fuzz(MANY)
@given(content=_files())
def test_ten_thousand_daemon_json_are_edited_and_restored(content: bytes) -> None:
    _edit_and_restore(content)


@_fuzz(FEW // 2)
@given(content=_files())
def test_any_daemon_json_is_given_back_byte_by_byte(content: bytes) -> None:
    _remember_and_restore(content)


@pytest.mark.long
@_fuzz(MANY)
@given(content=_files())
def test_ten_thousand_daemon_json_are_given_back_byte_by_byte(content: bytes) -> None:
    _remember_and_restore(content)


@_fuzz(FEW)
@given(content=st.one_of(_damaged(), st.binary(max_size=60)))
def test_any_bytes_are_edited_or_left_alone(content: bytes) -> None:
    _never_surprised(content)


@pytest.mark.long
@_fuzz(MANY)
@given(content=st.one_of(_damaged(), st.binary(max_size=60)))
def test_ten_thousand_damaged_files_are_edited_or_left_alone(content: bytes) -> None:
    _never_surprised(content)


_hosts = st.sampled_from(["registry.example.internal", "r.example", "localhost", "a"])
_lines = st.one_of(
    st.builds(
        lambda ip, gap, host, tail: f"{ip}{gap}{host}{tail}".encode(),
        st.sampled_from(["10.0.0.1", "::1", "fe80::1%eth0", "127.0.0.1", "#10.0.0.1"]),
        st.sampled_from([" ", "\t", "  \t "]),
        _hosts,
        st.sampled_from(["", " # why", " b c", "\t"]),
    ),
    st.sampled_from([b"", b"# comment", b"\xff\xfe", b"\x00", b"a\x0bb\x0c", "é".encode()]),
    st.binary(max_size=12).map(lambda raw: raw.replace(b"\n", b"").replace(b"\r", b"")),
)
_endings = st.sampled_from([b"\n", b"\n", b"\r\n", b"\r"])


@st.composite
def _hosts_files(draw: st.DrawFn) -> bytes:
    lines = draw(st.lists(_lines, max_size=8))
    text = b"".join(line + draw(_endings) for line in lines)
    return text if draw(st.booleans()) else text.rstrip(b"\r\n")


_addresses = st.dictionaries(_hosts, st.sampled_from(["10.96.0.7", "fd00::7"]), max_size=3)


def _block_and_restore(content: bytes, one: dict[str, str], other: dict[str, str]) -> None:
    if b"localregistry" in content:
        return
    first = hostsfile.with_block(content, one)
    second = hostsfile.with_block(first, other)
    assert second == hostsfile.with_block(content, other)
    assert hostsfile.with_block(second, other) == second
    for edited in (first, second):
        assert hostsfile.without_block(edited) == content
        # Others' bytes stand where they stood, whatever is in them.
        assert edited.startswith(content)
    for host, address in other.items():
        assert f"{address}\t{host}".encode() in second.split(b"\n")
        assert hostsfile.foreign_address(second, host) == hostsfile.foreign_address(content, host)


def _marks_and_all(pieces: list[bytes], addresses: dict[str, str]) -> None:
    """Blocks that others copied, cut or doubled: the result is stable, and theirs stays."""
    content = b"".join(pieces)
    result = hostsfile.with_block(content, addresses)
    assert hostsfile.with_block(result, addresses) == result
    rest = hostsfile.without_block(content)
    assert hostsfile.without_block(rest) == rest
    theirs = [piece for piece in pieces if piece == b"10.0.0.9 his.example\n"]
    assert rest.count(b"10.0.0.9 his.example\n") == len(theirs)


_pieces = st.lists(
    st.sampled_from(
        [
            b"10.0.0.9 his.example\n",
            b"# comment\n",
            hostsfile.BEGIN + b"\n",
            hostsfile.END + b"\n",
            b"10.96.0.7\tr.example\n",
            b"\n",
        ]
    ),
    max_size=8,
)


@_fuzz(FEW)
@given(content=_hosts_files(), one=_addresses, other=_addresses)
def test_any_hosts_file_is_given_back(
    content: bytes, one: dict[str, str], other: dict[str, str]
) -> None:
    _block_and_restore(content, one, other)


@pytest.mark.long
@_fuzz(MANY)
@given(content=_hosts_files(), one=_addresses, other=_addresses)
def test_ten_thousand_hosts_files_are_given_back(
    content: bytes, one: dict[str, str], other: dict[str, str]
) -> None:
    _block_and_restore(content, one, other)


@_fuzz(FEW)
@given(pieces=_pieces, addresses=_addresses)
def test_marks_of_ours_in_any_order_are_understood(
    pieces: list[bytes], addresses: dict[str, str]
) -> None:
    _marks_and_all(pieces, addresses)


@pytest.mark.long
@_fuzz(MANY)
@given(pieces=_pieces, addresses=_addresses)
def test_marks_of_ours_in_ten_thousand_orders_are_understood(
    pieces: list[bytes], addresses: dict[str, str]
) -> None:
    _marks_and_all(pieces, addresses)
