"""The edit of docker's daemon.json: names are added to `insecure-registries` and taken away again.

Pure: bytes in, bytes out. The smallest possible piece of text is inserted or cut; every result is
parsed back and compared with what was meant, before anybody may write it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from localregistry.agent import jsonspans

KEY = "insecure-registries"

# Since docker 29.10 an explicit list takes away the default trust in loopback addresses, so a list
# that we create names them. Harmless before.
LOOPBACK = ("127.0.0.0/8", "::1/128")

_BOM = b"\xef\xbb\xbf"


class Invalid(ValueError):
    """dockerd would refuse the file, or reads it otherwise than we: hands off. Says where."""


def parse(content: bytes, *, bom_allowed: bool = True) -> dict[str, Any]:
    """The file as a dict (numbers as text). Raises Invalid where dockerd might not take it."""
    if content.startswith(_BOM) and not bom_allowed:
        raise Invalid("line 1 column 1: a byte order mark, which docker before 23.0 refuses")
    text = _decode(content)
    try:
        found = {member.key.value: member.value for member in jsonspans.members(text)}
    except jsonspans.NotAnObject as error:
        raise Invalid(str(error)) from error
    for key in (KEY, "registry-mirrors", "authorization-plugins"):
        span = found.get(key)
        if span is not None and not (span.value is None or _is_list_of_strings(span.value)):
            raise Invalid(f'{jsonspans.where(text, span.start)}: "{key}" is not a list of strings')
    return {key: span.value for key, span in found.items()}


def _is_list_of_strings(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is str for item in value)


def listed(content: bytes | None) -> tuple[str, ...] | None:
    """The names in the list; None where there is no such key."""
    if content is None:
        return None
    config = parse(content)
    return tuple(config[KEY] or ()) if KEY in config else None


def add(content: bytes | None, names: Sequence[str]) -> bytes:
    """The file with `names` in the list, and the loopback default where the key is made by this.

    Names that are there already stay where they are. Raises Invalid.
    """
    present = listed(content)
    fresh = [name for name in names if name not in (present or ())]
    if content is None:
        body = json.dumps({KEY: [*LOOPBACK, *fresh]}, indent=2)
        return f"{body}\n".encode()
    if present is not None and not fresh:
        return content
    bom, text = _split(content)
    found = jsonspans.members(text)
    if present is None:
        edited = _insert_key(text, found, [*LOOPBACK, *fresh])
    else:
        member = next(m for m in found if m.key.value == KEY)
        edited = _extend(text, member.value, fresh)
    result = bom + edited.encode()
    expected = parse(content)
    expected[KEY] = [*(LOOPBACK if present is None else present), *fresh]
    return _proved(result, expected)


def drop(content: bytes, names: Iterable[str], *, whole_key: bool) -> bytes:
    """The file without `names`; without the key too where `whole_key` and nothing else is in it.

    For files that somebody edited after us: what he wrote stays. Raises Invalid.
    """
    present = listed(content)
    gone = {name for name in names if name in (present or ())}
    if present is None:
        return content
    rest = [name for name in present if name not in gone]
    bom, text = _split(content)
    found = jsonspans.members(text)
    position = next(i for i, m in enumerate(found) if m.key.value == KEY)
    expected = parse(content)
    if whole_key and set(rest) <= set(LOOPBACK):
        spans = [(m.key.start, m.value.end) for m in found]
        edited = _cut(text, spans, position)
        del expected[KEY]
    else:
        edited = text
        for name in gone:
            member = next(m for m in jsonspans.members(edited) if m.key.value == KEY)
            while True:
                items = jsonspans.elements(edited, member.value)
                at = next((i for i, item in enumerate(items) if item.value == name), None)
                if at is None:
                    break
                edited = _cut(edited, [(item.start, item.end) for item in items], at)
                member = next(m for m in jsonspans.members(edited) if m.key.value == KEY)
        expected[KEY] = rest if gone else expected[KEY]
    return _proved(bom + edited.encode(), expected)


def _insert_key(text: str, found: Sequence[jsonspans.Member], names: Sequence[str]) -> str:
    entry = f"{json.dumps(KEY)}: {json.dumps(list(names))}"
    if found:
        # As far from the comma as the last key stands from what is before it.
        last = found[-1]
        return _insert(text, last.value.end, f",{_blank_before(text, last.key.start)}{entry}")
    opening = text.index("{")
    return f"{text[: opening + 1]}\n  {entry}\n{text[text.rindex('}') :]}"


def _extend(text: str, value: jsonspans.Span, names: Sequence[str]) -> str:
    items = jsonspans.elements(text, value) if value.value else []
    if not items:  # [] or null
        return text[: value.start] + json.dumps(list(names)) + text[value.end :]
    blank = _blank_before(text, items[-1].start)
    if "\n" not in blank:
        blank = " "
    return _insert(text, items[-1].end, "".join(f",{blank}{json.dumps(name)}" for name in names))


def _cut(text: str, spans: Sequence[tuple[int, int]], at: int) -> str:
    """Without the item `at` and the one comma that goes with it."""
    start, end = spans[at]
    if at > 0:
        return text[: spans[at - 1][1]] + text[end:]
    if len(spans) > 1:
        return text[:start] + text[spans[1][0] :]
    blank_start = start - len(_blank_before(text, start))
    blank_end = end + len(text[end:]) - len(text[end:].lstrip())
    return text[:blank_start] + text[blank_end:]


def _blank_before(text: str, index: int) -> str:
    return text[len(text[:index].rstrip()) : index]


def _insert(text: str, index: int, piece: str) -> str:
    return text[:index] + piece + text[index:]


def _split(content: bytes) -> tuple[bytes, str]:
    bom = _BOM if content.startswith(_BOM) else b""
    return bom, _decode(content)


def _decode(content: bytes) -> str:
    try:
        return content.removeprefix(_BOM).decode()
    except UnicodeDecodeError as error:
        text = error.object[: error.start].decode()
        raise Invalid(f"{jsonspans.where(text, len(text))}: not UTF-8") from error


def _proved(result: bytes, expected: dict[str, Any]) -> bytes:
    if parse(result) != expected or list(parse(result)) != list(expected):
        raise Invalid("its layout is not understood: the edit would have changed more than our own")
    return result
