"""The controller around its parts: what becomes of a run that fails, and of a list anew."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Coroutine
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from localregistry.controller import app
from localregistry.controller.app import TRUST, Controller
from localregistry.controller.claims import Key
from localregistry.controller.errors import ApiError
from localregistry.controller.hosting import HOSTING
from localregistry.controller.kinds import LOCAL_REGISTRY, NODE, Kind
from localregistry.controller.settings import Settings
from localregistry.controller.workqueue import WorkQueue
from localregistry.resources import hosting, trust_config
from localregistry.spec.registry import LocalRegistry
from unit.controller.bodies import (
    CONFIG,
    KEY,
    NAMESPACE,
    Clock,
    document,
    entry,
    lreg,
    until,
)
from unit.controller.standin_api import StandInApi


@pytest.fixture
def api() -> StandInApi:
    return StandInApi()


@pytest.fixture
async def controller(api: StandInApi) -> AsyncIterator[Controller]:
    async with aiohttp.ClientSession() as session:
        yield Controller(api, session, Settings(config=CONFIG, identity="op-1"))


@pytest.fixture
def clock(controller: Controller) -> Clock:
    clock = Clock()
    controller.queue = WorkQueue(clock)
    return clock


async def ready(controller: Controller) -> Key | None:
    """The key that is ready now, marked as done; None where none is."""
    try:
        key = await asyncio.wait_for(controller.queue.get(), 0.01)
    except TimeoutError:
        return None
    controller.queue.done(key)
    return key


@pytest.mark.parametrize(
    ("error", "failures", "not_before", "not_after"),
    [
        (ApiError(409, "modified"), 1, 0.1, 0.4),
        (ApiError(409, "modified"), 12, 0.7, 1.3),
        (ApiError(503, "starting"), 1, 0.1, 0.4),
        (ApiError(0, "refused"), 12, 7.9, 12.1),
        (ApiError(403, "forbidden"), 12, 239, 361),
        (ApiError(500, "failed to create typed patch object (x)"), 12, 239, 361),
        (ApiError(429, "too many requests", retry_after=20.0), 1, 19.9, 20.1),
        (ApiError(429, "too many requests", retry_after=0.1), 12, 7.9, 12.1),
    ],
    ids=[
        "a conflict is tried again at once",
        "many conflicts in a row are tried again within a second or so",
        "an API server that starts is tried again soon",
        "one that is away is tried at least every 12 s, so that its return is noticed",
        "a lacking right is looked at again after minutes",
        "what does not fit the schema is no outage",
        "a server that asks for 20 s is left alone for 20 s",
        "a server that asks for little gets the back-off all the same",
    ],
)
async def test_a_failed_run_is_tried_again(
    api: StandInApi,
    controller: Controller,
    clock: Clock,
    error: ApiError,
    failures: int,
    not_before: float,
    not_after: float,
) -> None:
    api.fail("get", LOCAL_REGISTRY, error, times=failures)
    for _ in range(failures):
        clock.now += 1000
        await ready(controller)
        await controller._one(KEY)
    clock.now += not_before
    assert await ready(controller) is None
    clock.now += not_after - not_before
    assert await ready(controller) == KEY


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (None, "success"),
        (ApiError(409, "modified"), "conflict"),
        (ApiError(0, "refused"), "unreachable"),
        (ApiError(429, "too many requests"), "unreachable"),
        (ApiError(403, "forbidden"), "refused"),
        (ValueError("ours"), "defect"),
    ],
)
async def test_a_run_is_counted_by_what_came_of_it(
    api: StandInApi,
    controller: Controller,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception | None,
    result: str,
) -> None:
    async def reconcile(_: Key) -> float | None:
        if error:
            raise error
        return None

    monkeypatch.setattr(controller._reconciler, "reconcile", reconcile)
    await controller._one(KEY)
    await controller._one(TRUST)
    lines = controller._metrics.render()[0].decode().splitlines()
    counted = [line for line in lines if "reconciles_total{" in line and not line.endswith(" 0.0")]
    assert counted == [
        f'localregistry_reconciles_total{{result="{result}",subject="registry"}} 1.0',
        'localregistry_reconciles_total{result="success",subject="nodes"} 1.0',
    ]
    assert 'localregistry_reconcile_seconds_count{subject="registry"} 1.0' in lines


async def test_watches_that_have_not_begun_are_not_silent(controller: Controller) -> None:
    assert controller.watches_silent() == 0.0
    controller._beat = time.monotonic() - 7
    assert 7 <= controller.watches_silent() < 8
    controller._alive()
    assert controller.watches_silent() < 1


async def test_a_run_that_went_well_starts_the_back_off_anew(
    api: StandInApi, controller: Controller, clock: Clock
) -> None:
    api.fail("get", LOCAL_REGISTRY, ApiError(403, "forbidden"), times=6)
    for _ in range(6):
        await controller._one(KEY)
    clock.now += 1000
    assert await ready(controller) == KEY
    await controller._one(KEY)
    api.fail("get", LOCAL_REGISTRY, ApiError(403, "forbidden"))
    await controller._one(KEY)
    clock.now += 0.4
    assert await ready(controller) == KEY


async def test_a_run_that_asks_for_a_look_later_gets_it(
    controller: Controller, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def again(key: Key) -> float:
        return 15.0

    monkeypatch.setattr(controller._reconciler, "reconcile", again)
    await controller._one(KEY)
    clock.now += 14.9
    assert await ready(controller) is None
    clock.now += 0.2
    assert await ready(controller) == KEY


async def test_a_defect_is_told_in_full_and_kept_from_the_other_keys(
    controller: Controller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Key] = []

    async def reconcile(key: Key) -> None:
        seen.append(key)
        if key == KEY:
            raise KeyError("a field that nobody thought of")

    monkeypatch.setattr(controller._reconciler, "reconcile", reconcile)
    worker = asyncio.create_task(controller._work())
    with caplog.at_level(logging.ERROR):
        controller.queue.add(KEY)
        controller.queue.add((NAMESPACE, "other"))
        await until(lambda: len(seen) >= 3)
    assert not worker.done()
    worker.cancel()
    assert seen[:3] == [KEY, (NAMESPACE, "other"), KEY]
    record = caplog.records[0]
    assert record.getMessage() == "Reconcile of team/dev failed"
    assert record.exc_info is not None


async def test_a_list_anew_takes_in_what_is_there_and_wakes_it(
    api: StandInApi, controller: Controller, clock: Clock
) -> None:
    api.put(lreg())
    api.put(lreg(name="asleep", uid="u2", suspend=True))
    api.put(lreg(name="going", uid="u3", deleted=True))
    api.put(lreg(name="broken", uid="u4", host="127.0.0.1"))
    await controller._relist()
    claims = {claim.name: claim.managed for claim in controller._trust.claims}
    assert claims == {"dev": True, "asleep": False}
    woken = {await ready(controller) for _ in range(6)}
    names = ("dev", "asleep", "going", "broken")
    assert woken == {TRUST, None, *((NAMESPACE, name) for name in names)}


async def test_what_tools_read_is_looked_at_where_it_is_turned_on(api: StandInApi) -> None:
    """Else a run that asks nothing would pass for one that ended well, and keep an alert silent."""
    settings = Settings(config=replace(CONFIG, hosting=True), identity="op-1")
    async with aiohttp.ClientSession() as session:
        controller = Controller(api, session, settings)
        await controller._relist()
        assert {await ready(controller) for _ in range(3)} == {HOSTING, TRUST, None}


async def test_a_change_of_what_tools_read_is_looked_at(controller: Controller) -> None:
    body = hosting.build(LocalRegistry.from_body(lreg()))
    body["metadata"] |= {"uid": "c1", "resourceVersion": "5"}
    controller._sinks().child(body)
    assert controller._news._held.keys() == {HOSTING}
    controller._news._deliver(HOSTING)
    assert await ready(controller) == HOSTING


async def test_a_list_anew_drops_the_claim_of_one_that_is_gone(
    api: StandInApi, controller: Controller
) -> None:
    api.put(lreg())
    await controller._relist()
    api.remove(LOCAL_REGISTRY, *KEY)
    await controller._relist()
    assert list(controller._trust.claims) == []


async def test_a_list_anew_keeps_what_a_worker_has_seen_meanwhile(
    api: StandInApi, controller: Controller
) -> None:
    def made_and_seen() -> None:
        api.put(lreg())
        controller._trust.seen(LocalRegistry.from_body(lreg()))

    api.meanwhile("list", NODE, made_and_seen)
    await controller._relist()
    assert [claim.key for claim in controller._trust.claims] == [KEY]


async def test_a_start_knows_all_claims_before_it_touches_the_trust(
    api: StandInApi, controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted = document(entry("u1"), entry("u2", host="other.example.internal", name="other"))
    api.put(trust_config.build(trusted, CONFIG))
    api.put(lreg())
    api.put(lreg(name="other", uid="u2", host="other.example.internal"))
    await controller._trust.load()
    await controller._relist()
    await controller._one(TRUST)
    assert controller._trust.document == trusted


async def test_a_list_that_is_old_takes_no_trust_away(
    api: StandInApi, controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is trusted and not listed is asked for by name: only what is gone is forgotten."""
    api.put(trust_config.build(document(entry("u1")), CONFIG))
    api.put(lreg())
    await controller._trust.load()
    whole = api.all_of

    def old(kind: Kind) -> list[dict[str, Any]]:
        return [] if kind == LOCAL_REGISTRY else whole(kind)

    monkeypatch.setattr(api, "all_of", old)
    await controller._relist()
    await controller._one(TRUST)
    assert [claim.key for claim in controller._trust.claims] == [KEY]
    assert controller._trust.document == document(entry("u1"))
    api.remove(LOCAL_REGISTRY, *KEY)
    await controller._relist()
    assert list(controller._trust.claims) == []


async def test_a_start_that_finds_the_api_server_away_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(app, "CRD_WAIT", 0.01)
    answers = iter([ApiError(0, "refused"), ApiError(503, "starting"), None])
    taken = []

    async def step() -> None:
        answer = next(answers)
        taken.append(answer)
        if answer:
            raise answer

    await Controller._patiently(step)
    assert len(taken) == 3


async def test_an_outage_while_listing_anew_does_not_end_the_operator(
    api: StandInApi, controller: Controller
) -> None:
    controller._resync_seconds = 0.01
    api.put(lreg())
    api.fail("list", NODE, ApiError(0, "refused"), times=2)
    resync = asyncio.create_task(controller._resync())
    await until(lambda: list(controller._trust.claims))
    assert not resync.done()
    resync.cancel()
    assert len(api.called("list", NODE)) >= 3


async def test_a_whole_controller_ends_when_one_of_its_parts_does(
    controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def watch(*_: Any, **__: Any) -> None:
        raise RuntimeError("the CRD is gone")

    monkeypatch.setattr(app, "watch", watch)
    running: Coroutine[Any, Any, None] = controller.run()
    with pytest.raises(ExceptionGroup) as raised:
        await asyncio.wait_for(running, 2)
    assert raised.group_contains(RuntimeError, match="the CRD is gone")
