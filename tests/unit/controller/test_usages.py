"""Asking the usage containers, against HTTP servers on loopback that answer as they do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiohttp import web

from localregistry.controller import usages
from localregistry.controller.kinds import DEPLOYMENT, LOCAL_REGISTRY
from localregistry.controller.storageuse import Silent, Told
from unit.controller.bodies import KEY, until
from unit.controller.serving import Handler
from unit.controller.usagelab import GIB, Lab, open_lab, says, usage
from unit.controller.world import World


@pytest.fixture
async def lab(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lab]:
    async for opened in open_lab(monkeypatch):
        yield opened


async def test_a_new_registry_is_asked_at_once_and_then_again(lab: Lab) -> None:
    lab.answer(says(usage()))
    uid = lab.follow()
    assert lab.usages.of(uid) is None
    await until(lambda: lab.usages.of(uid))
    assert lab.usages.of(uid) == usage()
    assert lab.changes == [("team", "u1")]
    await until(lambda: lab.times() >= 3)


async def test_only_what_the_status_does_not_say_yet_is_news(lab: Lab) -> None:
    close = GIB + 1000
    lab.answer(says(usage(), usage(close), usage(close), usage(2 * GIB), usage(2 * GIB)))
    lab.follow(told=Told("1Gi"))
    await until(lambda: lab.times() >= 4)
    await until(lambda: lab.changes)
    assert len(lab.changes) == 1, "1Gi stayed 1Gi, then became 2Gi"
    await until(lambda: lab.times() >= 7)
    assert len(lab.changes) == 1, "what is being written is not told again"


async def test_a_warning_that_begins_is_news_though_the_figure_is_the_same(lab: Lab) -> None:
    lab.answer(says(usage(), usage(free=GIB // 100)))
    lab.follow(told=Told("1Gi"))
    await until(lambda: lab.changes)
    assert lab.times() >= 2


async def test_a_volume_that_became_read_only_is_news_though_the_figure_is_the_same(
    lab: Lab,
) -> None:
    lab.answer(says(usage(), replace(usage(), read_only=True)))
    lab.follow(told=Told("1Gi"))
    await until(lambda: lab.changes)
    assert lab.changes == [("team", "u1")]


def test_what_is_to_be_told_within_a_minute_is_asked_for_in_time() -> None:
    longest = usages.EVERY_SECONDS * 1.2 + (usages.TIMEOUT.total or 0.0)
    assert longest <= 58, "what is left of the minute is for one reconcile"


async def test_of_many_registries_the_operators_start_makes_no_burst(lab: Lab) -> None:
    lab.usages._every = 2.0
    for index in range(1, 101):
        lab.answer(says(usage()), index=index)
        lab.follow(index, told=Told("1Gi"))
    await until(lambda: len(set(lab.asked)) >= 10)
    assert len(lab.asked) < 80
    assert lab.changes == []


async def refuses(_: web.Request) -> web.Response:
    return web.Response(status=503, text="the volume cannot be measured")


async def hangs(_: web.Request) -> web.Response:
    await asyncio.sleep(5)
    return web.Response()


async def garbage(_: web.Request) -> web.Response:
    return web.Response(text="{}")


async def no_text(_: web.Request) -> web.Response:
    return web.Response(body=b"\xff\xfe")


async def too_much(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    for _ in range(64):
        await answer.write(b" " * 1000)
    await answer.write(usage().to_json().encode())
    return answer


async def breaks_off(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Length": "1000"})
    await answer.prepare(request)
    assert request.transport
    request.transport.close()
    return answer


async def redirects(_: web.Request) -> web.Response:
    raise web.HTTPFound("/elsewhere")


BAD: list[Handler] = [refuses, hangs, garbage, no_text, too_much, breaks_off, redirects]


@pytest.mark.parametrize("bad", BAD, ids=lambda answer: answer.__name__)
async def test_a_bad_answer_keeps_the_figure_for_five_minutes_and_then_drops_it(
    lab: Lab, bad: Handler, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    lab.answer(says(usage()))
    uid = lab.follow()
    await until(lambda: lab.usages.of(uid))
    lab.answer(bad)
    lab.clock.now += usages.SILENT_SECONDS - 1
    asked = lab.times()
    await until(lambda: lab.times() >= asked + 2)
    assert lab.usages.of(uid) == usage()
    assert len(lab.changes) == 1
    lab.clock.now += 2
    await until(lambda: len(lab.changes) == 2)
    assert lab.usages.of(uid) == Silent()
    lab.answer(says(usage()))
    await until(lambda: lab.usages.of(uid) == usage())
    assert len(lab.changes) == 3
    assert caplog.records == [], "nothing that anybody has to act on"


async def test_a_registry_that_nobody_answers_for_loses_an_old_figure(lab: Lab) -> None:
    lab.answer(refuses)
    uid = lab.follow(told=Told("1Gi"))
    await until(lambda: lab.times() >= 2)
    assert lab.usages.of(uid) is None
    lab.clock.now += usages.SILENT_SECONDS
    await until(lambda: lab.changes)
    assert lab.usages.of(uid) == Silent()


async def test_a_measurement_that_no_longer_ends_is_no_figure(lab: Lab) -> None:
    lab.answer(says(usage(), usage(age=usages.SILENT_SECONDS + 1)))
    uid = lab.follow()
    await until(lambda: lab.usages.of(uid) == Silent())
    assert len(lab.changes) == 2


async def test_one_that_hangs_holds_up_none_of_the_others(lab: Lab) -> None:
    for index in range(1, 6):
        lab.answer(hangs, index=index)
        lab.follow(index)
    lab.answer(says(usage()), index=9)
    uid = lab.follow(9)
    # One after the other they would take a second.
    await until(lambda: lab.usages.of(uid), seconds=0.8)


async def test_what_is_forgotten_is_neither_asked_nor_remembered(lab: Lab) -> None:
    lab.answer(says(usage()))
    uid = lab.follow()
    await until(lambda: lab.usages.of(uid))
    lab.usages.forget(uid)
    assert lab.usages.of(uid) is None
    asked = lab.times()
    await asyncio.sleep(0.3)
    assert lab.times() == asked
    for kept in (lab.usages._targets, lab.usages._known, lab.usages._failed):
        assert not kept


async def test_an_address_that_changes_is_followed(lab: Lab) -> None:
    lab.answer(says(usage()))
    lab.answer(says(usage(5 * GIB)), index=2)
    lab.follow()
    await until(lambda: lab.times())
    lab.usages.follow("u1", ("team", "u1"), address="127.0.2.2", port=1, told=Told())
    await until(lambda: lab.usages.of("u1") == usage(5 * GIB))


# With the reconciler


async def test_a_figure_reaches_the_status_and_is_written_once(lab: Lab) -> None:
    world = World(usages=lab.usages)
    await world.run()
    assert not lab.usages._targets, "not asked before it is available"
    world.available()
    await world.run()
    assert world.status()["storage"] == {"summary": "-/ephemeral"}
    target = lab.usages._targets["u1"]
    assert target.key == KEY
    lab.answer(says(usage()))
    told = Told.by(world.status())
    lab.usages.follow("u1", KEY, address="127.0.2.1", port=1, told=told)
    await until(lambda: lab.changes)
    world.clock.now += 60
    await world.run()
    assert world.status()["storage"] == {"used": "1Gi", "summary": "1Gi/ephemeral"}
    writes = len(world.api.writes)
    await world.run()
    assert len(world.api.writes) == writes
    world.api.remove(LOCAL_REGISTRY, *KEY)
    await world.run()
    assert not lab.usages._targets


async def test_a_registry_that_is_down_goes_on_being_asked_and_is_no_less_ready_for_it(
    lab: Lab,
) -> None:
    world = World(usages=lab.usages)
    await world.ready()
    lab.answer(refuses)
    lab.usages.follow("u1", KEY, address="127.0.2.1", port=1, told=Told())
    await until(lambda: lab.times() >= 3)
    await world.run()
    assert world.condition("Ready") == ("True", "Ready")
    assert world.live(DEPLOYMENT)
