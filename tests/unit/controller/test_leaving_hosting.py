"""What becomes of the ConfigMap for tools when the operator is removed."""

from __future__ import annotations

from typing import Any

import pytest

from localregistry.controller.kinds import CONFIG_MAP
from localregistry.controller.leaving import Leaving, Options
from localregistry.controller.restore import parse
from localregistry.resources import hosting
from unit.controller.bodies import SYSTEM, read
from unit.controller.standin_api import StandInApi


async def leave(api: StandInApi, *, told: bool) -> list[str]:
    said: list[str] = []
    options = Options(namespace=SYSTEM, operator="op", identity="me", hosting=told)
    session: Any = None
    await Leaving(api, session, options, say=said.append)._unname()
    return said


@pytest.mark.parametrize("ours", [True, False])
async def test_ours_goes_and_what_somebody_else_made_stays(ours: bool) -> None:
    body = hosting.build(read())
    if not ours:
        del body["metadata"]["annotations"]
    api = StandInApi(body)
    said = await leave(api, told=True)
    assert (api.look(CONFIG_MAP, hosting.NAMESPACE, hosting.NAME) is None) is ours
    assert bool(said) is ours


async def test_none_is_no_fault() -> None:
    assert await leave(StandInApi(), told=True) == []


async def test_where_it_was_never_turned_on_nothing_is_asked_for_which_there_is_no_right() -> None:
    api = StandInApi(hosting.build(read()))
    assert await leave(api, told=False) == []
    assert api.calls == []


@pytest.mark.parametrize(("value", "told"), [("true", True), ("false", False), ("", False)])
def test_it_is_told_as_the_operator_was(value: str, told: bool) -> None:
    assert parse([], {"LOCAL_REGISTRY_HOSTING": value}).local_registry_hosting is told
