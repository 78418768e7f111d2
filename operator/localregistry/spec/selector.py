"""Label selectors of nodes, with the meaning that Kubernetes gives them everywhere else.

The CRD refuses the same inputs with the same sentences; a test compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .fields import Fields, InvalidSpec

# 253 of a DNS name, a slash and 63 of the name proper.
MAX_KEY = 317
_NAME = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
KEY = re.compile(f"({_LABEL}([.]{_LABEL})*/)?{_NAME}")
VALUE = re.compile(f"({_NAME})?")

KEY_FAULT = "must be the key of a label, such as disk or example.com/disk"
VALUE_FAULT = "must be the value of a label: up to 63 letters, digits and inner - _ and dots"
NO_VALUES = "must have values where the operator is In or NotIn"
NEEDLESS_VALUES = "must have no values where the operator is Exists or DoesNotExist"


class Operator(StrEnum):
    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


@dataclass(frozen=True)
class Requirement:
    """What one label must be like. `values` are sorted, and empty but for IN and NOT_IN."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """A missing label meets NOT_IN, as it does in every selector of Kubernetes."""
        value = labels.get(self.key)
        match self.operator:
            case Operator.IN:
                return value in self.values
            case Operator.NOT_IN:
                return value not in self.values
            case Operator.EXISTS:
                return value is not None
            case Operator.DOES_NOT_EXIST:
                return value is None

    def __str__(self) -> str:
        values = ",".join(self.values)
        match self.operator:
            case Operator.IN:
                one = len(self.values) == 1
                return f"{self.key}={values}" if one else f"{self.key} in ({values})"
            case Operator.NOT_IN:
                return f"{self.key} notin ({values})"
            case Operator.EXISTS:
                return self.key
            case Operator.DOES_NOT_EXIST:
                return f"!{self.key}"


@dataclass(frozen=True)
class Selector:
    """All requirements must be met; without any, every node is selected.

    As text it is what `kubectl get nodes -l` takes.
    """

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(requirement.matches(labels) for requirement in self.requirements)

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))

    @classmethod
    def from_fields(cls, fields: Fields) -> Selector:
        """Raises InvalidSpec. The order in which requirements are given means nothing."""
        found = {
            *_labels(fields.texts("matchLabels"), fields.at("matchLabels")),
            *(
                _expression(Fields(item, fields.at("matchExpressions")))
                for item in fields.items("matchExpressions")
            ),
        }
        return cls(tuple(sorted(found, key=lambda one: (one.key, one.operator, one.values))))


EVERY_NODE = Selector()


def _labels(labels: Mapping[str, str], path: str) -> list[Requirement]:
    for key, value in labels.items():
        _check(key, value, path=path)
    return [Requirement(key, Operator.IN, (value,)) for key, value in labels.items()]


def _expression(fields: Fields) -> Requirement:
    key = fields.required_text("key")
    fields.required_text("operator")
    operator = fields.one_of("operator", Operator, default=Operator.IN)
    values = fields.items("values")
    _check(key, *values, path=fields.path)
    wanted = operator in (Operator.IN, Operator.NOT_IN)
    if wanted != bool(values):
        raise InvalidSpec(f"{fields.at('values')} {NO_VALUES if wanted else NEEDLESS_VALUES}")
    return Requirement(key, operator, tuple(sorted(set(values))))


def _check(key: str, *values: Any, path: str) -> None:
    if len(key) > MAX_KEY or not KEY.fullmatch(key):
        raise InvalidSpec(f"{path} {KEY_FAULT}")
    if not all(isinstance(value, str) and VALUE.fullmatch(value) for value in values):
        raise InvalidSpec(f"{path} {VALUE_FAULT}")
