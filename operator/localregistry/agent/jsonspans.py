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


class Number(str):
    """The text of a number: it is compared, never calculated with."""

    __slots__ = ()


class _NoJson(str):
    """A word that Python's decoder takes and JSON has not: NaN, Infinity."""

    __slots__ = ()


# Of scalars alone: objects and arrays are walked here, so that each fault has its place.
_DECODER = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=_NoJson)


def members(text: str) -> list[Member]:
    """The members of the one object that is the text. Raises NotAnObject with line and column."""
    try:
        index = _skip(text, 0)
        if index == len(text):
            raise json.JSONDecodeError("the file is empty", text, 0)
        if text[index] != "{":
            raise json.JSONDecodeError("not a JSON object", text, index)
        found = list(_items(text, index, pairs=True))
        end = found.pop().end
        if (rest := _skip(text, end)) != len(text):
            raise json.JSONDecodeError("something follows the object", text, rest)
        return [Member(key, value) for key, value in zip(found[::2], found[1::2], strict=True)]
    except json.JSONDecodeError as error:
        raise NotAnObject(f"{where(text, error.pos)}: {error.msg}") from error
    except RecursionError as error:
        raise NotAnObject("nested too deep") from error


def elements(text: str, array: Span) -> list[Span]:
    """The elements of an array whose span is known."""
    return list(_items(text, array.start, pairs=False))[:-1]


def where(text: str, index: int) -> str:
    """A place in the text as editors count: both from 1."""
    line_start = text.rfind("\n", 0, index) + 1
    return f"line {text.count(chr(10), 0, index) + 1} column {index - line_start + 1}"


def _items(text: str, opening: int, *, pairs: bool) -> Iterator[Span]:
    """Values (and before each its key) between brackets; last, the closing bracket itself."""
    closing = "}" if pairs else "]"
    index = _skip(text, opening + 1)
    keys: set[str] = set()
    first = True
    while True:
        if text[index : index + 1] == closing and first:
            break
        if pairs:
            if text[index : index + 1] != '"':
                raise json.JSONDecodeError("a key in double quotes is expected", text, index)
            key, end = _DECODER.raw_decode(text, index)
            if key in keys:
                raise json.JSONDecodeError(f"the key {key!r} stands there twice", text, index)
            keys.add(key)
            yield Span(index, end, key)
            index = _skip(text, end)
            if text[index : index + 1] != ":":
                raise json.JSONDecodeError("':' is expected", text, index)
            index = _skip(text, index + 1)
        value = _value(text, index)
        yield value
        index = _skip(text, value.end)
        first = False
        if text[index : index + 1] == closing:
            break
        if text[index : index + 1] != ",":
            raise json.JSONDecodeError(f"',' or '{closing}' is expected", text, index)
        index = _skip(text, index + 1)
    yield Span(index, index + 1, closing)


def _value(text: str, index: int) -> Span:
    match text[index : index + 1]:
        case "{":
            *found, closing = _items(text, index, pairs=True)
            values = {k.value: v.value for k, v in zip(found[::2], found[1::2], strict=True)}
            return Span(index, closing.end, values)
        case "[":
            *found, closing = _items(text, index, pairs=False)
            return Span(index, closing.end, [item.value for item in found])
    value, end = _DECODER.raw_decode(text, index)
    if isinstance(value, _NoJson):
        raise json.JSONDecodeError(f"{value} is not JSON", text, index)
    return Span(index, end, value)


def _skip(text: str, index: int) -> int:
    while index < len(text) and text[index] in _BLANK:
        index += 1
    return index
