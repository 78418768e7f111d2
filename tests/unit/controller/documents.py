"""Trust documents as an API server has them: granted, and lost."""

from __future__ import annotations

from typing import Any

from localregistry.controller.kinds import CONFIG_MAP
from localregistry.resources import node_agent, trust_config
from localregistry.trust import DOCUMENT_KEY, TrustDocument
from unit.controller.bodies import CONFIG, SYSTEM, Trust, claim, document, entry
from unit.controller.standin_api import StandInApi


def written(api: StandInApi) -> TrustDocument | None:
    body = api.look(CONFIG_MAP, SYSTEM, trust_config.NAME)
    return TrustDocument.from_json(body["data"][DOCUMENT_KEY]) if body else None


async def granted(*claims: Any) -> tuple[StandInApi, Trust]:
    """A trust that has granted these, and has been quiet since."""
    api = StandInApi()
    given = Trust(api)
    for item in claims or (claim(),):
        given.trust.update(item)
    assert await given.trust.reconcile() is None
    given.clock.now += 60
    given.forget_woken()
    return api, given


def lost(how: str) -> list[dict[str, Any]]:
    body = trust_config.build(document(entry()), CONFIG)
    match how:
        case "gone":
            return [node_agent.build(CONFIG)]
        case "without the key":
            return [body | {"data": {}}]
        case "empty":
            return [{key: value for key, value in body.items() if key != "data"}]
        case _:
            return [body | {"data": {DOCUMENT_KEY: body["data"][DOCUMENT_KEY][:-40]}}]
