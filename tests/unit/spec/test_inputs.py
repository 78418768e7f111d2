"""The operator's own verdict on every input of the one table that the API server is asked too."""

from __future__ import annotations

from typing import Any

import pytest

from localregistry.spec.registry import InvalidSpec, LocalRegistry
from unit.spec.bodies import body
from unit.spec.inputs import INPUTS, Input


def refusal(spec: Any) -> str:
    try:
        LocalRegistry.from_body(body() | {"spec": spec})
    except InvalidSpec as error:
        return str(error)
    return ""


@pytest.mark.parametrize("given", INPUTS.values(), ids=INPUTS)
def test_the_operator_judges_as_the_table_says(given: Input) -> None:
    words = refusal(given.spec)
    assert (not words) is (given.good or given.schema_only)
    assert not words or words.startswith("spec")


def test_what_only_the_schema_judges_is_little_and_of_pods_or_limits() -> None:
    only = [name for name, given in INPUTS.items() if given.schema_only]
    assert len(only) <= 12, only
