"""Where things stand in a JSON text, so that it can be edited without being written anew.

A JSON library that reads and writes would change number text, spacing and escapes that belong to
somebody else. This finds spans of text; what is between them stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_BLANK = " \t\r\n"  # the same four as in Go's decoder


class NotAnObject(ValueError):
    """The text is not one JSON object as a strict reader wants it. The message says where."""


@dataclass(frozen=True)
class Span:
    """A piece of text: `text[start:end]`, and what it means."""

    start: int
    end: int
    value: Any


@dataclass(frozen=True)
class Member:
    """A key of an object with its value."""

    key: Span
    value: Span


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NotAnObject(f"the key {twice!r} stands there twice")
    return found


def _no_constant(text: str) -> Any:
    raise NotAnObject(f"{text} is not JSON")


class Number(str):
    """The text of a number: it is compared, never calculated with."""

    __slots__ = ()


_DECODER = json.JSONDecoder(
    object_pairs_hook=_no_duplicates,
    parse_int=Number,
    parse_float=Number,
    parse_constant=_no_constant,
)


def members(text: str) -> list[Member]:
    """The members of the one object that is the text. Raises NotAnObject with line and column."""
    try:
        index = _skip(text, 0)
        if index == len(text):
            raise NotAnObject("the file is empty")
        if text[index] != "{":
            raise NotAnObject(f"{_where(text, index)}: not a JSON object")
        found = list(_items(text, index, pairs=True))
        end = found.pop().end
        if (rest := _skip(text, end)) != len(text):
            raise NotAnObject(f"{_where(text, rest)}: something follows the object")
        result = [Member(key, value) for key, value in zip(found[::2], found[1::2], strict=True)]
        _no_duplicates([(m.key.value, None) for m in result])
        return result
    except json.JSONDecodeError as error:
        raise NotAnObject(f"line {error.lineno} column {error.colno}: {error.msg}") from error
    except RecursionError as error:
        raise NotAnObject("nested too deep") from error


def elements(text: str, array: Span) -> list[Span]:
    """The elements of an array whose span is known."""
    return list(_items(text, array.start, pairs=False))[:-1]


def _items(text: str, opening: int, *, pairs: bool) -> Iterator[Span]:
    """Values (and before each its key) between brackets; last, the closing bracket itself."""
    closing = "}" if pairs else "]"
    index = _skip(text, opening + 1)
    first = True
    while True:
        if text[index : index + 1] == closing and first:
            break
        if pairs:
            if text[index : index + 1] != '"':
                raise json.JSONDecodeError("a key in double quotes is expected", text, index)
            key, end = _DECODER.raw_decode(text, index)
            yield Span(index, end, key)
            index = _skip(text, end)
            if text[index : index + 1] != ":":
                raise json.JSONDecodeError("':' is expected", text, index)
            index = _skip(text, index + 1)
        value, end = _DECODER.raw_decode(text, index)
        yield Span(index, end, value)
        index = _skip(text, end)
        first = False
        if text[index : index + 1] == closing:
            break
        if text[index : index + 1] != ",":
            raise json.JSONDecodeError(f"',' or '{closing}' is expected", text, index)
        index = _skip(text, index + 1)
    yield Span(index, index + 1, closing)


def _skip(text: str, index: int) -> int:
    while index < len(text) and text[index] in _BLANK:
        index += 1
    return index


def _where(text: str, index: int) -> str:
    line = text.count("\n", 0, index) + 1
    return f"line {line} column {index - (text.rfind(chr(10), 0, index) + 1) + 1}"
