"""What is written to the agents' pods, and when."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from localregistry.controller import nodetasks
from localregistry.controller.errors import ApiError
from localregistry.controller.fleet import Fleet
from localregistry.controller.kinds import POD
from localregistry.controller.nodetasks import NodeTasks
from localregistry.trust import NUDGE_ANNOTATION, TASK_ANNOTATION, Report, Task, TrustDocument
from unit.controller.bodies import SYSTEM, agent, document, entry, node, until
from unit.controller.standin_api import StandInApi


class World:
    def __init__(self) -> None:
        self.api = StandInApi()
        self.fleet = Fleet()
        self.document: TrustDocument = document(entry())
        self.told: list[str] = []
        self.excluded: dict[str, tuple[str, ...]] = {}
        self.tasks = NodeTasks(
            self.api,
            self.fleet,
            namespace=SYSTEM,
            document=lambda: self.document,
            excluded=lambda node: self.excluded.get(node, ()),
            told=self.told.append,
            now=lambda: 0.0,
        )

    def join(self, name: str = "n1", *, uid: str = "p1", pod: bool = True) -> None:
        self.fleet.observe_node(node(name), gone=False)
        body = self.api.put(agent(name, uid=uid))
        if pod:
            self.fleet.observe_pod(body, gone=False)

    def task(self, uid: str = "p1") -> Task | None:
        pod = self.api.look(POD, SYSTEM, f"agent-{uid}")
        assert pod is not None
        text = (pod["metadata"].get("annotations") or {}).get(TASK_ANNOTATION)
        return Task.from_json(text) if text else None


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    running = asyncio.create_task(world.tasks.run())
    yield world
    running.cancel()
    (result,) = await asyncio.gather(running, return_exceptions=True)
    assert isinstance(result, asyncio.CancelledError), result


async def test_an_agent_is_given_the_revision_and_its_node_s_runtime(world: World) -> None:
    world.join()
    world.tasks.tell("n1")
    await until(lambda: world.told == ["n1"])
    assert world.task() == Task(world.document.revision, "containerd://1.7.24")
    assert world.fleet.pods["n1"].task == world.task().to_json()  # type: ignore[union-attr]


async def test_a_task_that_is_right_is_not_written_again(world: World) -> None:
    world.join()
    for _ in range(2):
        world.tasks.tell("n1")
        await until(lambda: world.told)
        await asyncio.sleep(0.03)
    assert len(world.api.called("patch", POD)) == 1
    assert world.told == ["n1"]


async def test_a_new_revision_is_a_new_task(world: World) -> None:
    world.join()
    world.tasks.tell("n1")
    await until(lambda: world.told == ["n1"])
    world.document = document()
    world.tasks.tell("n1")
    await until(lambda: world.told == ["n1", "n1"])
    assert world.task() == Task(document().revision, "containerd://1.7.24")


async def test_a_registry_that_leaves_the_node_out_is_in_its_task_and_in_no_other(
    world: World,
) -> None:
    world.join()
    world.join("n2", uid="p2")
    world.tasks.tell("n1")
    world.tasks.tell("n2")
    await until(lambda: len(world.told) == 2)
    world.excluded["n1"] = ("u1",)
    world.tasks.tell("n1")
    world.tasks.tell("n2")
    await until(lambda: world.told == ["n1", "n2", "n1"])
    assert world.task() == Task(world.document.revision, "containerd://1.7.24", ("u1",))
    assert world.task("p2") == Task(world.document.revision, "containerd://1.7.24")


async def test_what_a_node_has_proved_ends_when_it_is_told_to_forget_it(world: World) -> None:
    world.join()
    world.fleet.reports["n1"] = Report(world.document.revision)
    world.excluded["n1"] = ("u1",)
    world.tasks.tell("n1")
    await until(lambda: world.told == ["n1"])
    assert world.fleet.reports["n1"].excluded == ("u1",)


@pytest.mark.parametrize("missing", ["node", "pod", "runtime"])
async def test_nothing_is_written_while_half_is_unknown(world: World, missing: str) -> None:
    world.join(pod=missing != "pod")
    if missing == "node":
        world.fleet.observe_node(node("n1"), gone=True)
    if missing == "runtime":
        world.fleet.observe_node({"metadata": {"name": "n1"}}, gone=False)
    world.tasks.tell("n1")
    await asyncio.sleep(0.05)
    assert world.api.calls == []


@pytest.mark.parametrize(
    "error",
    [ApiError(0, "refused"), ApiError(409, "modified"), ApiError(403, "pods is forbidden")],
    ids=str,
)
async def test_a_write_that_fails_is_tried_again_and_holds_up_no_other(
    world: World, error: ApiError
) -> None:
    world.join()
    world.join("n2", uid="p2")
    world.api.fail("patch", POD, error)
    world.tasks.tell("n1")
    world.tasks.tell("n2")
    await until(lambda: len(world.told) == 2)
    assert world.told == ["n2", "n1"]


async def test_an_overloaded_server_is_left_alone_for_as_long_as_it_asks(world: World) -> None:
    world.join()
    world.api.fail("patch", POD, ApiError(429, "later", retry_after=0.6))
    began = time.monotonic()
    world.tasks.tell("n1")
    await until(lambda: world.told == ["n1"])
    assert time.monotonic() - began >= 0.6
    assert len(world.api.called("patch", POD)) == 2


async def test_a_pod_that_is_gone_is_not_tried_again(world: World) -> None:
    world.join()
    world.api.remove(POD, SYSTEM, "agent-p1")
    world.tasks.tell("n1")
    await asyncio.sleep(0.5)
    assert len(world.api.called("patch", POD)) == 1


@pytest.mark.parametrize("successor", [False, True], ids=["without a successor", "replaced"])
async def test_a_pod_that_goes_while_it_is_told_does_not_come_back(
    world: World, successor: bool
) -> None:
    world.join()
    new: dict[str, Any] = agent("n1", uid="p2", address="10.244.0.2")

    def goes() -> None:
        world.fleet.observe_pod(agent("n1"), gone=True)
        if successor:
            world.api.put(new)
            world.fleet.observe_pod(new, gone=False)

    world.api.meanwhile("patch", POD, goes)
    world.tasks.tell("n1")
    await until(lambda: world.api.called("patch", POD))
    await asyncio.sleep(0.03)
    pods = {name: (pod.uid, pod.task) for name, pod in world.fleet.pods.items()}
    assert pods == ({"n1": ("p2", "")} if successor else {})


async def test_many_nodes_are_told_at_a_bounded_rate(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodetasks, "PATCHES_PER_SECOND", 20)
    began = time.monotonic()
    for number in range(20):
        world.join(f"n{number}", uid=f"p{number}")
        world.tasks.tell(f"n{number}")
    await until(lambda: len(world.told) >= 6)
    # The first goes at once, each of the others a twentieth of a second after the one before.
    assert len(world.told) <= 1 + 20 * (time.monotonic() - began)


def nudged(world: World) -> str | None:
    pod = world.api.look(POD, SYSTEM, "agent-p1")
    assert pod is not None
    found: str | None = (pod["metadata"].get("annotations") or {}).get(NUDGE_ANNOTATION)
    return found


async def test_a_node_that_is_late_is_nudged_once_and_its_task_stays(world: World) -> None:
    """Its kubelet refreshed the volumes before it had heard of the new document."""
    world.join()
    world.tasks.tell("n1")
    await until(lambda: world.told == ["n1"])
    before = world.task()
    world.tasks.nudge("n1")
    await until(lambda: nudged(world) == "1970-01-01T00:00:00Z")
    assert world.task() == before
    writes = len(world.api.calls)
    world.tasks.tell("n1")
    await asyncio.sleep(0.05)
    assert len(world.api.calls) == writes


async def test_a_late_node_with_another_task_by_now_is_told_and_not_nudged(world: World) -> None:
    world.join()
    world.tasks.tell("n1")
    await until(lambda: world.told == ["n1"])
    world.document = document()
    world.tasks.nudge("n1")
    await until(lambda: world.told == ["n1", "n1"])
    assert nudged(world) is None
