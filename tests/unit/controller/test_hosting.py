"""Which LocalRegistry tools are told of, and what becomes of that ConfigMap."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from localregistry.controller.claims import Key
from localregistry.controller.errors import ApiError
from localregistry.controller.hosting import FOREIGN, HOSTING, LOOK_AGAIN, NOT_ITS_HOST, OFF
from localregistry.controller.kinds import CONFIG_MAP
from localregistry.controller.statuswriter import COUNTS_EVERY
from localregistry.resources import hosting as resource
from localregistry.spec import names
from localregistry.spec.registry import LocalRegistry
from unit.controller.bodies import CONFIG, HOST, KEY, NAMESPACE, lreg, read
from unit.controller.world import World

ASKED = {names.HOSTING_ANNOTATION: "true"}
OTHER: Key = (NAMESPACE, "other")
ON = replace(CONFIG, hosting=True)
FOUND = "Tools find it by ConfigMap kube-public/local-registry-hosting"


class Lab(World):
    """Its own LocalRegistry is `dev`; `other` is a younger one."""

    def __init__(self, **given: Any) -> None:
        usual: dict[str, Any] = {"config": ON, "annotations": ASKED}
        super().__init__(**(usual | given))

    def see(self, **given: Any) -> LocalRegistry:
        registry = read(**({"annotations": ASKED} | given))
        if registry.spec.suspend:
            self.trust.frozen(registry)
        else:
            self.trust.seen(registry)
        self.hosting.seen(registry)
        return registry

    def see_other(self, **given: Any) -> LocalRegistry:
        younger = {"name": "other", "uid": "u2", "created": "2026-02-01T00:00:00Z"}
        return self.see(**(younger | {"host": "other.example.internal"} | given))

    @property
    def found(self) -> dict[str, Any] | None:
        return self.api.look(CONFIG_MAP, resource.NAMESPACE, resource.NAME)

    @property
    def named(self) -> str | None:
        return resource.owner(self.found) if self.found else None

    def foreign(self) -> dict[str, Any]:
        body = resource.build(read(host="kind.example.internal"))
        del body["metadata"]["annotations"]
        return self.api.put(body)


async def test_the_one_that_asks_for_it_is_named_and_told() -> None:
    lab = Lab()
    await lab.run()
    assert lab.woken == [HOSTING]
    assert await lab.hosting.reconcile() is None
    assert lab.named == "u1"
    assert lab.woken == [HOSTING, KEY]
    await lab.run()
    assert FOUND not in lab.message("Exposed"), "words alone are written every 10 s at most"
    lab.clock.now += COUNTS_EVERY
    await lab.run()
    assert FOUND in lab.message("Exposed")


async def test_one_that_does_not_ask_costs_nothing() -> None:
    lab = Lab(annotations={})
    await lab.run()
    assert lab.woken == []
    await lab.hosting.reconcile()
    assert lab.found is None
    assert lab.hosting.verdict(KEY) == ""


async def test_nothing_is_written_again() -> None:
    lab = Lab()
    lab.see()
    await lab.hosting.reconcile()
    lab.woken.clear()
    calls, writes = len(lab.api.calls), len(lab.api.writes)
    for _ in range(3):
        lab.see()
        await lab.hosting.reconcile()
    assert lab.woken == []
    assert len(lab.api.writes) == writes
    assert [call.verb for call in lab.api.calls[calls:]] == ["get"] * 3


async def test_where_it_is_turned_off_nothing_is_asked_and_the_user_is_told() -> None:
    lab = Lab(config=CONFIG)
    lab.see()
    assert await lab.hosting.reconcile() is None
    assert lab.api.calls == []
    assert lab.hosting.verdict(KEY) == OFF


async def test_the_oldest_is_named_and_the_other_is_told_which() -> None:
    lab = Lab()
    lab.see_other()
    await lab.hosting.reconcile()
    assert lab.named == "u2"
    lab.see()
    await lab.hosting.reconcile()
    assert lab.named == "u1"
    assert lab.hosting.verdict(KEY) == FOUND
    assert "Tools find LocalRegistry team/dev" in lab.hosting.verdict(OTHER)
    assert lab.woken.count(OTHER) == 2, "once for each news"


@pytest.mark.parametrize("how", ["annotation", "gone"])
async def test_the_next_takes_over_where_the_first_goes(how: str) -> None:
    lab = Lab()
    lab.see()
    lab.see_other()
    await lab.hosting.reconcile()
    assert lab.named == "u1"
    if how == "gone":
        lab.hosting.drop(KEY)
    else:
        lab.see(annotations={})
    await lab.hosting.reconcile()
    assert lab.named == "u2"
    assert lab.hosting.verdict(OTHER) == FOUND
    assert lab.hosting.verdict(KEY) == ""


@pytest.mark.parametrize(
    "change",
    [
        {"annotations": {}},
        {"deleted": True},
        {"host": "NOT A HOST"},
        None,
    ],
    ids=["annotation", "deleted", "unreadable", "gone"],
)
async def test_it_is_withdrawn_with_the_annotation_or_the_registry(
    change: dict[str, Any] | None,
) -> None:
    lab = Lab()
    await lab.run()
    await lab.hosting.reconcile()
    assert lab.found
    if change is None:
        lab.api._objects.pop(("LocalRegistry", *KEY))
    else:
        lab.api.put(lreg(**({"annotations": ASKED} | change)))
    lab.woken.clear()
    await lab.run()
    assert lab.woken == [HOSTING]
    await lab.hosting.reconcile()
    assert lab.found is None


async def test_what_was_left_behind_while_the_operator_was_away_is_withdrawn() -> None:
    lab = Lab()
    lab.api.put(resource.build(read(uid="of-before")))
    await lab.hosting.reconcile()
    assert lab.found is None


async def test_a_foreign_one_is_left_alone_and_told_and_looked_at_again() -> None:
    lab = Lab()
    foreign = lab.foreign()
    lab.see()
    assert await lab.hosting.reconcile() == LOOK_AGAIN
    assert lab.found == foreign
    assert lab.hosting.verdict(KEY) == FOREIGN
    lab.hosting.drop(KEY)
    assert await lab.hosting.reconcile() is None
    assert lab.found == foreign, "nor is it deleted"

    lab.see()
    lab.api.remove(CONFIG_MAP, resource.NAMESPACE, resource.NAME)
    assert await lab.hosting.reconcile() is None
    assert lab.named == "u1"
    assert lab.hosting.verdict(KEY) == FOUND


async def test_one_that_comes_between_look_and_write_is_not_taken_over() -> None:
    lab = Lab()
    lab.see()
    lab.api.meanwhile("get", CONFIG_MAP, lab.foreign)
    with pytest.raises(ApiError) as raised:
        await lab.hosting.reconcile()
    assert raised.value.stale
    assert lab.named is None


async def test_what_is_changed_by_hand_is_repaired() -> None:
    lab = Lab()
    lab.see()
    await lab.hosting.reconcile()
    body = lab.found
    assert body
    lab.api.put(body | {"data": {resource.KEY: "host: evil.example.com"}})
    await lab.hosting.reconcile()
    assert lab.found
    assert HOST in lab.found["data"][resource.KEY]
    assert lab.hosting.known(CONFIG_MAP) == {lab.found["metadata"]["uid"]: HOSTING}


async def test_one_whose_host_another_holds_is_not_named() -> None:
    lab = Lab()
    lab.see(annotations={})
    lab.see_other(host=HOST)
    await lab.hosting.reconcile()
    assert lab.found is None
    assert lab.hosting.verdict(OTHER) == NOT_ITS_HOST


async def test_nothing_is_changed_for_a_suspended_one() -> None:
    lab = Lab()
    lab.see()
    await lab.hosting.reconcile()
    before = lab.found
    lab.see(suspend=True, host="changed.example.internal")
    lab.see_other()
    await lab.hosting.reconcile()
    assert lab.found == before
    lab.hosting.drop(KEY)
    lab.see_other(suspend=True)
    await lab.hosting.reconcile()
    assert lab.found is None, "the other has no claim to be kept"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ApiError(403, 'User "op" cannot patch resource "configmaps"'), "cannot patch"),
        (ApiError(404, 'namespaces "kube-public" not found'), "not found"),
        (ApiError(422, "a policy says no"), "a policy says no"),
    ],
)
async def test_a_refusal_is_told_and_heals(error: ApiError, told: str) -> None:
    lab = Lab()
    lab.see()
    lab.api.fail("apply", CONFIG_MAP, error)
    assert await lab.hosting.reconcile() == LOOK_AGAIN
    assert told in lab.hosting.verdict(KEY)
    assert await lab.hosting.reconcile() is None
    assert lab.hosting.verdict(KEY) == FOUND


async def test_an_api_server_that_is_away_changes_no_words() -> None:
    lab = Lab()
    lab.see()
    await lab.hosting.reconcile()
    lab.api.fail("get", CONFIG_MAP, ApiError(503, "away"))
    with pytest.raises(ApiError):
        await lab.hosting.reconcile()
    assert lab.hosting.verdict(KEY) == FOUND
