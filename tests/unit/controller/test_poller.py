"""Asking the agents, against HTTP servers on loopback that answer as agents do."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from localregistry.controller import poller
from localregistry.controller.fleet import Fleet
from localregistry.controller.poller import Poller
from localregistry.trust import TASK_ANNOTATION, NodeReason, NodeResult, Report, Task
from unit.controller.bodies import agent, document, entry, node, until
from unit.controller.serving import Handler, serving

DOCUMENT = document(entry())


def report(reason: NodeReason | None = None, *, revision: str = DOCUMENT.revision) -> Report:
    return Report(revision, "containerd", {"u1": NodeResult(reason, "why")} if reason else {})


def says(*reports: Report) -> Handler:
    """One after the other, then the last again and again."""
    left = list(reports)

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=(left.pop(0) if len(left) > 1 else left[0]).to_json())

    return answer


class World:
    """Agents on 127.0.1.N, one port, and the poller that asks them."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self.fleet = Fleet()
        self.fleet.remember(DOCUMENT)
        self.answers: dict[str, Handler] = {}
        self.asked: list[str] = []
        self.changes: list[set[str] | None] = []
        self.running: asyncio.Task[None] | None = None
        self.late: list[str] = []
        self.poller = Poller(
            self.fleet,
            session,
            revision=lambda: DOCUMENT.revision,
            changed=self.changes.append,
            late=self.late.append,
            port=port,
        )

    def start(self) -> None:
        self.running = asyncio.create_task(self.poller.run())

    def join(self, name: str, answer: Handler | None, *, index: int) -> None:
        address = f"127.0.1.{index}"
        self.fleet.observe_node(node(name), gone=False)
        self.fleet.observe_pod(agent(name, uid=f"p{index}", address=address), gone=False)
        if answer:
            self.answers[address] = answer

    async def handle(self, request: web.Request) -> web.StreamResponse:
        assert request.path == "/status"
        address = request.host.partition(":")[0]
        self.asked.append(address)
        return await self.answers[address](request)

    def times(self, index: int) -> int:
        return self.asked.count(f"127.0.1.{index}")


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    # Times are in the same order as in earnest, only shorter.
    monkeypatch.setattr(poller, "BUSY_SECONDS", 0.01)
    monkeypatch.setattr(poller, "FAILING_SECONDS", 0.2)
    monkeypatch.setattr(poller, "SETTLED_SECONDS", 2.0)
    monkeypatch.setattr(poller, "SLOWEST_SECONDS", 0.1)
    monkeypatch.setattr(poller, "PATIENCE", 5)
    monkeypatch.setattr(poller, "LATE_ATTEMPTS", 3)
    monkeypatch.setattr(poller, "TIMEOUT", aiohttp.ClientTimeout(total=0.2))
    made: list[World] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        return await made[0].handle(request)

    async with (
        serving(handle, method="GET", address="0.0.0.0") as port,
        aiohttp.ClientSession() as session,
    ):
        made.append(World(session, port))
        yield made[0]
        assert made[0].running is not None
        made[0].running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await made[0].running


async def test_nothing_is_known_until_every_agent_was_asked(world: World) -> None:
    world.join("n1", says(report()), index=1)
    world.join("n2", None, index=2)
    world.answers["127.0.1.2"] = hangs
    world.start()
    await until(lambda: "n1" in world.fleet.reports)
    assert not world.fleet.surveyed
    await until(lambda: world.fleet.surveyed)
    assert world.changes[-1] is None, "then all registries are looked at again"
    assert world.fleet.reports == {"n1": report()}


async def test_a_cluster_without_agents_is_known_at_once(world: World) -> None:
    world.start()
    await until(lambda: world.fleet.surveyed)
    assert world.changes == [None]


async def hangs(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(5)
    return web.Response()


async def test_a_busy_agent_is_asked_until_it_is_through(world: World) -> None:
    answers = [report(NodeReason.PENDING), report(revision="older"), report(NodeReason.PENDING)]
    world.join("n1", says(*answers, report()), index=1)
    world.start()
    # Sooner than a settled one would be asked again.
    await until(lambda: world.fleet.reports.get("n1") == report(), seconds=1.8)
    await asyncio.sleep(0.2)
    assert world.times(1) == 4, "a settled one is left alone"
    await until(lambda: world.times(1) == 5)


async def test_an_agent_that_reports_a_failure_is_asked_more_often_than_a_settled_one(
    world: World,
) -> None:
    world.join("n1", says(report(NodeReason.PULL_FAILED)), index=1)
    world.join("n2", says(report()), index=2)
    world.start()
    await until(lambda: world.times(1) >= 7, seconds=5)
    assert world.times(2) <= 4


async def test_one_that_stays_busy_is_asked_less_and_less(world: World) -> None:
    world.join("n1", says(report(NodeReason.PENDING)), index=1)
    world.start()
    await until(lambda: world.times(1) >= 6)
    world.asked.clear()
    await asyncio.sleep(0.5)
    # At once 5 more at most while it slows down, then every 0.1 s; at full speed about 40.
    assert 3 <= world.times(1) <= 14


@pytest.mark.parametrize(
    ("answer", "late"),
    [
        (says(report(revision="older")), True),
        (says(report(NodeReason.PENDING)), False),
        (hangs, False),
    ],
    ids=["knows an older document", "is at it", "does not answer"],
)
async def test_an_agent_that_does_not_come_to_know_its_task_is_late(
    world: World, answer: Handler, late: bool
) -> None:
    """One that is at work has all it needs, and one that does not answer would not hear either."""
    world.join("n1", answer, index=1)
    world.start()
    await until(lambda: world.times(1) >= 4, seconds=5)
    assert bool(world.late) is late


async def test_a_new_task_makes_a_settled_agent_busy(world: World) -> None:
    world.join("n1", says(report()), index=1)
    world.start()
    await until(lambda: world.times(1) == 1)
    await asyncio.sleep(0.05)
    world.poller.soon("n1")
    await until(lambda: world.times(1) == 2, seconds=1.8)


async def test_only_news_is_told_and_only_to_whom_it_concerns(world: World) -> None:
    first, then = report(NodeReason.PENDING), report(NodeReason.PULL_FAILED)
    world.join("n1", says(first, first, then), index=1)
    world.start()
    await until(lambda: world.times(1) == 4)
    assert world.changes == [None, None, {"u1"}]


async def redirects(request: web.Request) -> web.StreamResponse:
    return web.Response(
        status=302, headers={"Location": f"http://127.0.1.9:{request.url.port}/status"}
    )


async def in_pieces(request: web.Request) -> web.StreamResponse:
    text = report(NodeReason.PULL_FAILED).to_json().encode()
    answer = web.StreamResponse()
    await answer.prepare(request)
    for place in range(0, len(text), 40):
        await answer.write(text[place : place + 40])
        await asyncio.sleep(0.01)
    return answer


def body(content: bytes, status: int = 200) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, body=content)

    return answer


async def test_an_answer_that_comes_in_pieces_is_read_whole(world: World) -> None:
    world.join("n1", in_pieces, index=1)
    world.start()
    await until(lambda: world.fleet.reports.get("n1") == report(NodeReason.PULL_FAILED))


@pytest.mark.parametrize(
    "answer",
    [
        body(report().to_json().encode(), 503),
        body(b""),
        body(b"<html>"),
        body(b"\xff\xfe"),
        body(b"[]"),
        body(b"[" * 200_000),
        body(report().to_json().encode() + b" " * (poller.MAX_ANSWER + 1)),
        redirects,
        hangs,
    ],
    ids=[
        "an error",
        "nothing",
        "a page",
        "no text",
        "another shape",
        "what makes the parser give up",
        "without an end",
        "a way to somebody else",
        "too late",
    ],
)
async def test_an_agent_that_answers_nonsense_disturbs_no_other(
    world: World, answer: Handler, caplog: pytest.LogCaptureFixture
) -> None:
    world.join("n1", answer, index=1)
    world.join("n2", says(report(NodeReason.PULL_FAILED)), index=2)
    world.answers["127.0.1.9"] = says(report())
    with caplog.at_level(logging.CRITICAL):
        world.start()
        await until(lambda: world.times(1) >= 2 and world.times(2) >= 2)
    assert "n1" not in world.fleet.reports
    assert "127.0.1.9" not in world.asked


async def test_an_agent_that_refuses_the_connection_is_asked_again(world: World) -> None:
    world.join("n1", None, index=1)
    world.poller._port, port = 1, world.poller._port
    world.start()
    await until(lambda: world.fleet.surveyed)
    assert world.fleet.reports == {}
    world.answers["127.0.1.1"] = says(report())
    world.poller._port = port
    await until(lambda: world.fleet.reports == {"n1": report()})


async def test_an_agent_that_is_gone_is_asked_no_more(world: World) -> None:
    world.join("n1", says(report(NodeReason.PENDING)), index=1)
    world.start()
    await until(lambda: world.times(1) >= 2)
    world.fleet.observe_pod(agent("n1", uid="p1"), gone=True)
    await asyncio.sleep(0.05)
    world.asked.clear()
    await asyncio.sleep(0.15)
    assert world.asked == []


async def test_an_agent_is_through_when_it_has_left_out_what_its_task_says(world: World) -> None:
    out = ("u2", "u1")
    done = Report(DOCUMENT.revision, "containerd", excluded=("u1", "u2"))
    answers = (report(), dataclasses.replace(done, excluded=("u1",)), done)
    world.join("n1", says(*answers), index=1)
    body = agent("n1", uid="p1", address="127.0.1.1")
    task = Task(DOCUMENT.revision, "containerd", out).to_json()
    body["metadata"]["annotations"] = {TASK_ANNOTATION: task}
    world.fleet.observe_pod(body, gone=False)
    world.start()
    await until(lambda: world.times(1) == 3)
    assert world.fleet.reports["n1"] == done
    assert world.changes == [None, None], "what is left out is proved no more from the first answer"
    await asyncio.sleep(0.1)
    assert world.times(1) == 3, "a settled one is left alone"


async def test_one_that_leaves_out_what_it_should_not_is_not_through(world: World) -> None:
    world.join("n1", says(Report(DOCUMENT.revision, excluded=("u1",))), index=1)
    world.start()
    await until(lambda: world.times(1) >= 6)


async def test_a_task_that_is_new_while_the_agent_answers_is_what_counts(world: World) -> None:
    async def answer(_: web.Request) -> web.Response:
        pod = world.fleet.pods["n1"]
        task = Task(DOCUMENT.revision, "containerd", ("u1",)).to_json()
        world.fleet.pods["n1"] = dataclasses.replace(pod, task=task)
        return web.Response(text=report().to_json())

    world.join("n1", answer, index=1)
    world.start()
    await until(lambda: world.times(1) >= 6)
