"""Typed reading of a body that admission may not have seen: one sentence per fault."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

_E = TypeVar("_E", bound=StrEnum)


class InvalidSpec(ValueError):
    """The resource breaks a rule; the message says which field and why, in a sentence."""


class Fields:
    """The fields of one object, at `path`. Null counts as absent, as the API server has it."""

    def __init__(self, value: Any, path: str) -> None:
        if value is not None and not isinstance(value, Mapping):
            raise InvalidSpec(f"{path or 'the resource'} must be an object, not {_kind(value)}")
        self.path = path
        self._value: Mapping[Any, Any] = value or {}

    def at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def has(self, name: str) -> bool:
        return self._value.get(name) is not None

    def object(self, name: str) -> Fields:
        return Fields(self._value.get(name), self.at(name))

    def raw(self, name: str) -> dict[str, Any]:
        """An object that is passed on as it is."""
        value = self._get(name, Mapping, "an object")
        return {} if value is None else dict(value)

    def items(self, name: str) -> list[Any]:
        value = self._get(name, list, "a list")
        return [] if value is None else list(value)

    def text(self, name: str) -> str | None:
        """A string; an empty one counts as absent."""
        value = self._get(name, str, "a string")
        return None if value is None or value == "" else str(value)

    def required_text(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise InvalidSpec(f"{self.at(name)} is required")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        value = self._get(name, bool, "true or false")
        return default if value is None else bool(value)

    def number(self, name: str) -> int:
        """An integer; 0 where it is absent."""
        value = self._value.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise InvalidSpec(f"{self.at(name)} must be a whole number, not {_kind(value)}")
        return value or 0

    def one_of(self, name: str, choices: type[_E], *, default: _E) -> _E:
        value = self.text(name)
        if value is None:
            return default
        try:
            return choices(value)
        except ValueError:
            allowed = ", ".join(choice.value for choice in choices)
            raise InvalidSpec(f"{self.at(name)} must be one of {allowed}") from None

    def texts(self, name: str) -> dict[str, str]:
        """A map of strings to strings."""
        value = self.raw(name)
        for key, item in value.items():
            if not isinstance(key, str) or not isinstance(item, str):
                raise InvalidSpec(f"{self.at(name)} must map strings to strings")
        return value

    def _get(self, name: str, kind: type, wanted: str) -> Any:
        value = self._value.get(name)
        if value is not None and not isinstance(value, kind):
            raise InvalidSpec(f"{self.at(name)} must be {wanted}, not {_kind(value)}")
        return value


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "true or false"
        case str():
            return "a string"
        case int() | float():
            return "a number"
        case list() | tuple():
            return "a list"
        case Mapping():
            return "an object"
        case _:
            return "null" if value is None else "something else"
