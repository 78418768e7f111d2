"""News of Events: of whom, how often, and what is read then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from localregistry.controller import listening as module
from localregistry.controller.causes import HEARD_AGAIN, PATIENCE, READ_AGAIN
from localregistry.controller.claims import Key
from localregistry.controller.errors import ApiError
from localregistry.controller.hearing import Hearing
from localregistry.controller.kinds import DEPLOYMENT, EVENT, LOCAL_REGISTRY, Kind
from unit.controller.bodies import CHILD, KEY, NAMESPACE, lreg, read, until
from unit.controller.kubeevents import NO_MOUNT, UNSCHEDULABLE, deployment, event, warning
from unit.controller.standin_api import StandInApi
from unit.controller.world import World


class Watched(StandInApi):
    """An API server in memory whose watch says what a test puts into `says`: a body, an error, or
    None where it ends."""

    def __init__(self) -> None:
        super().__init__()
        self.says: asyncio.Queue[dict[str, Any] | ApiError | None] = asyncio.Queue()
        self.begun: list[str | None] = []
        self.refused: list[ApiError] = []
        self.running = 0

    async def watch(
        self,
        kind: Kind,
        namespace: str | None,
        *,
        seconds: float,
        since: str | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> AsyncIterator[dict[str, Any]]:
        self.begun.append(since)
        if self.refused:
            raise self.refused.pop(0)
        self.running += 1
        try:
            yield {}
            while said := await self.says.get():
                if isinstance(said, ApiError):
                    raise said
                yield said
        finally:
            self.running -= 1

    def hear(self, body: dict[str, Any]) -> None:
        self.says.put_nowait(self.put(body))


class Lab:
    """A Hearing, and what it has told."""

    def __init__(self) -> None:
        self.api = Watched()
        self.told: list[Key] = []
        self.hearing = Hearing(self.api, changed=self.told.append)

    async def follow(self, **given: Any) -> None:
        self.hearing.follow(read(**given))
        await until(lambda: self.api.running)

    async def heard(self, *bodies: dict[str, Any]) -> int:
        """How much of it was news."""
        before = len(self.told)
        for body in bodies:
            self.api.hear(body)
        await until(lambda: self.api.says.empty())
        await asyncio.sleep(0)
        return len(self.told) - before


@pytest.fixture
async def lab(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lab]:
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.01)
    lab = Lab()
    yield lab
    await lab.hearing.close()
    assert lab.api.running == 0


def on_claim(name: str, note: str = "no class") -> dict[str, Any]:
    body = warning("ProvisioningFailed", note)
    body["metadata"]["name"] = f"{name}.{note}"
    return body | {"regarding": {"kind": "PersistentVolumeClaim", "name": name}}


@pytest.mark.parametrize(
    ("body", "news"),
    [
        (warning("FailedScheduling", UNSCHEDULABLE), 1),
        (event("Scheduled"), 1),
        (warning("FailedScheduling", UNSCHEDULABLE, pod="web-1"), 0),
        (warning("FailedScheduling", UNSCHEDULABLE, pod=CHILD), 0),
        (on_claim(CHILD), 0),
        ({**event("Killing"), "regarding": {"kind": "ReplicaSet", "name": f"{CHILD}-1"}}, 0),
        ({**event("Killing"), "regarding": None}, 0),
    ],
    ids=[
        "a trouble of its pod",
        "its end",
        "of somebody else's pod",
        "of a pod of that name",
        "of a claim that nobody asked about",
        "of what is no pod",
        "of nothing",
    ],
)
async def test_what_concerns_a_registry_is_news(lab: Lab, body: dict[str, Any], news: int) -> None:
    await lab.follow()
    assert await lab.heard(body) == news
    assert lab.told == [KEY] * news


async def test_of_a_claim_it_is_told_once_somebody_asked_about_it(lab: Lab) -> None:
    await lab.follow()
    lab.hearing.follow(read(), ("mine",))
    assert await lab.heard(on_claim("mine"), on_claim("other")) == 1


async def test_the_same_warning_once_more_is_no_news_unless_something_went_well(lab: Lab) -> None:
    await lab.follow()
    # As a kubelet alternates while it cannot pull.
    first, second = warning("BackOff", "Back-off pulling"), warning("Failed", "Error: x", at=1)
    first["metadata"]["uid"], second["metadata"]["uid"] = "e1", "e2"
    assert await lab.heard(first, second) == 2
    assert await lab.heard(first, second, first, second) == 0
    assert await lab.heard(event("Pulled", at=2)) == 1
    assert await lab.heard(first) == 1


async def test_who_is_well_again_is_listened_to_no_more(lab: Lab) -> None:
    await lab.follow()
    await lab.follow(name="other", uid="u2")
    assert len(lab.api.begun) == 1, "one watch for a namespace"
    lab.hearing.leave("u1")
    assert lab.hearing.news(read()) is None
    assert lab.hearing.news(read(name="other", uid="u2")) == 0
    assert lab.api.running == 1
    lab.hearing.leave("u2")
    await until(lambda: not lab.api.running)
    lab.hearing.leave("u2")
    await lab.follow()
    assert lab.hearing.news(read()) == 0


async def test_a_watch_that_ends_is_resumed_where_it_was(lab: Lab) -> None:
    await lab.follow()
    await lab.heard(event("Scheduled"))
    told = lab.api.all_of(EVENT)[0]["metadata"]["resourceVersion"]
    lab.api.says.put_nowait(None)
    await until(lambda: len(lab.api.begun) == 2)
    assert lab.api.begun == [None, told]
    assert lab.hearing.news(read()) == 1, "nothing was missed"


async def test_a_watch_whose_place_is_forgotten_is_begun_anew(lab: Lab) -> None:
    await lab.follow()
    await lab.heard(event("Scheduled"))
    lab.api.says.put_nowait(ApiError(410, "too old resource version"))
    await until(lambda: len(lab.api.begun) == 2 and lab.api.running)
    assert lab.api.begun == [None, None]
    assert await lab.heard(event("Pulled")) == 1


async def test_a_watch_that_is_away_tells_that_nobody_listens_and_is_begun_again(lab: Lab) -> None:
    lab.api.refused = [ApiError(0, "away"), ApiError(503, "starting")]
    lab.hearing.follow(read())
    await asyncio.sleep(0)
    assert lab.hearing.news(read()) is None
    await until(lambda: lab.api.running)
    assert lab.hearing.news(read()) == 0
    assert len(lab.api.begun) == 3


async def test_without_the_right_it_is_asked_for_seldom(lab: Lab) -> None:
    lab.api.refused = [ApiError(403, "cannot watch events")] * 9
    lab.hearing.follow(read())
    await asyncio.sleep(0.1)
    assert len(lab.api.begun) == 1
    assert lab.hearing.news(read()) is None


async def not_well(lab: Lab) -> World:
    """A registry whose pod fits no node, whose Events are heard of and were read."""
    world = World(api=lab.api, hearing=lab.hearing)
    lab.api.put(lreg(ingress={"enabled": False}))
    await world.run()
    lab.api.put(world.live(DEPLOYMENT) | {"status": deployment()["status"]})
    await world.run()
    lab.api.put(warning("FailedScheduling", UNSCHEDULABLE))
    world.clock.now += PATIENCE
    await world.run()
    await until(lambda: lab.api.running)
    assert await world.run() == HEARD_AGAIN
    assert world.condition("RegistryAvailable") == ("False", "PodUnschedulable")
    return world


def reads(lab: Lab) -> int:
    return len(lab.api.called("list", EVENT))


async def test_without_news_nothing_is_read_again_and_the_cause_stands(lab: Lab) -> None:
    world = await not_well(lab)
    before, status = reads(lab), world.status()
    for _ in range(9):
        world.clock.now += HEARD_AGAIN
        await world.run()
    assert reads(lab) == before
    assert world.status() == status


async def test_after_news_it_is_read_at_once(lab: Lab) -> None:
    world = await not_well(lab)
    before = reads(lab)
    assert await lab.heard(event("Scheduled", at=30), warning("FailedMount", NO_MOUNT, at=31)) == 2
    assert lab.told == [KEY, KEY]
    await world.run()
    await world.run()
    assert world.condition("RegistryAvailable") == ("False", "VolumeNotMounted")
    assert reads(lab) == before + 1


async def test_it_is_read_again_after_minutes_all_the_same(lab: Lab) -> None:
    world = await not_well(lab)
    before = reads(lab)
    world.clock.now += READ_AGAIN
    await world.run()
    assert reads(lab) == before + 1


async def test_another_roll_out_is_another_question(lab: Lab) -> None:
    world = await not_well(lab)
    before = reads(lab)
    live = world.live(DEPLOYMENT)
    progress = {"type": "Progressing", "message": f'ReplicaSet "{CHILD}-other" is progressing.'}
    lab.api.put(live | {"status": live["status"] | {"conditions": [progress]}})
    await world.run()
    assert reads(lab) == before + 1


@pytest.mark.parametrize("how", ["well", "suspended", "deleted", "gone"])
async def test_who_is_not_asked_about_is_not_listened_to(lab: Lab, how: str) -> None:
    world = await not_well(lab)
    body = world.body()
    if how == "well":
        world.available()
    elif how == "suspended":
        lab.api.put(body | {"spec": body["spec"] | {"suspend": True}})
    elif how == "deleted":
        lab.api.put(body | {"metadata": body["metadata"] | {"deletionTimestamp": "2026-02-03"}})
    else:
        lab.api.remove(LOCAL_REGISTRY, NAMESPACE, KEY[1])
    await world.run()
    await until(lambda: not lab.api.running)
