"""The queue that decides what is reconciled when."""

from __future__ import annotations

import asyncio

import pytest

from localregistry.controller.workqueue import BACKOFF_FIRST, FAIR_SHARE, PATIENCE, WorkQueue


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> WorkQueue[str]:
    return WorkQueue(clock)


async def take(queue: WorkQueue[str]) -> str | None:
    """The next key, or None where none is ready now."""
    try:
        return await asyncio.wait_for(queue.get(), 0.02)
    except TimeoutError:
        return None


async def test_keys_come_out_in_the_order_in_which_they_came_in(queue: WorkQueue[str]) -> None:
    for key in ("a", "b", "c"):
        queue.add(key)
    assert [await take(queue) for _ in range(3)] == ["a", "b", "c"]


async def test_a_key_that_waits_already_is_not_added_twice(queue: WorkQueue[str]) -> None:
    queue.add("a")
    queue.add("a")
    assert await take(queue) == "a"
    assert await take(queue) is None


async def test_a_key_added_while_it_runs_runs_once_more_and_not_beside(
    queue: WorkQueue[str],
) -> None:
    queue.add("a")
    assert await take(queue) == "a"
    queue.add("a")
    queue.add("a")
    assert await take(queue) is None
    queue.done("a")
    assert await take(queue) == "a"
    queue.done("a")
    assert await take(queue) is None


async def test_a_key_for_later_comes_when_its_time_has_come(
    queue: WorkQueue[str], clock: Clock
) -> None:
    queue.add_after("a", 5)
    assert await take(queue) is None
    clock.now += 5
    assert await take(queue) == "a"


async def test_the_earlier_of_two_appointments_stands(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add_after("a", 5)
    queue.add_after("a", 60)
    clock.now += 5
    assert await take(queue) == "a"
    queue.done("a")
    clock.now += 60
    assert await take(queue) is None


async def test_an_earlier_appointment_replaces_a_later_one(
    queue: WorkQueue[str], clock: Clock
) -> None:
    queue.add_after("a", 60)
    queue.add_after("a", 1)
    clock.now += 1
    assert await take(queue) == "a"
    queue.done("a")
    clock.now += 60
    assert await take(queue) is None, "the later appointment was for the same news"


async def test_work_at_once_replaces_an_appointment(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add_after("a", 1)
    queue.add("a")
    assert await take(queue) == "a"
    queue.done("a")
    clock.now += 1
    assert await take(queue) is None


async def test_failures_in_a_row_wait_longer_up_to_the_limit(queue: WorkQueue[str]) -> None:
    waits = []
    for _ in range(12):
        waits.append(queue.add_failed("a", longest=20))
    assert BACKOFF_FIRST * 0.8 <= waits[0] <= BACKOFF_FIRST * 1.2
    assert waits[4] > waits[1] * 2
    assert 16 <= waits[-1] <= 24
    queue.forget("a")
    assert queue.add_failed("a") <= BACKOFF_FIRST * 1.2


async def test_the_back_off_of_one_key_is_not_that_of_another(queue: WorkQueue[str]) -> None:
    for _ in range(8):
        queue.add_failed("poisoned")
    assert queue.add_failed("healthy") <= BACKOFF_FIRST * 1.2


async def test_the_age_is_that_of_the_longest_waiting_ready_key(
    queue: WorkQueue[str], clock: Clock
) -> None:
    assert queue.oldest_age() == 0
    queue.add("a")
    clock.now += 3
    queue.add("b")
    clock.now += 4
    assert queue.oldest_age() == 7
    await take(queue)
    assert queue.oldest_age() == 4


async def test_the_longest_run_is_that_of_the_key_that_is_worked_on_longest(
    queue: WorkQueue[str], clock: Clock
) -> None:
    assert queue.longest_run() == 0
    queue.add("a")
    queue.add("b")
    clock.now += 50
    await take(queue)
    clock.now += 3
    await take(queue)
    clock.now += 4
    assert queue.longest_run() == 7
    queue.done("a")
    assert queue.longest_run() == 4
    queue.done("b")
    assert queue.longest_run() == 0


async def test_a_waiting_worker_is_woken_by_a_new_key(clock: Clock) -> None:
    queue: WorkQueue[str] = WorkQueue()
    waiting = asyncio.ensure_future(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    assert await asyncio.wait_for(waiting, 1) == "a"


@pytest.mark.parametrize("turns", range(5))
async def test_a_worker_that_is_stopped_while_a_key_comes_in_stops(turns: int) -> None:
    queue: WorkQueue[str] = WorkQueue()

    async def work() -> None:
        while True:
            queue.done(await queue.get())

    queue.add_after("later", 60)
    worker = asyncio.create_task(work())
    await asyncio.sleep(0.01)
    queue.add("a")
    for _ in range(turns):
        await asyncio.sleep(0)
    worker.cancel()
    done, _ = await asyncio.wait({worker}, timeout=10)
    assert done, "it would have worked on until the process was killed"


async def test_what_a_user_waits_for_goes_first(queue: WorkQueue[str]) -> None:
    for key in ("a", "b"):
        queue.add(key)
    for key in ("x", "y"):
        queue.add(key, urgent=True)
    queue.add("x")
    assert len(queue) == 4
    assert [await take(queue) for _ in range(5)] == ["x", "y", "a", "b", None]


async def test_nobody_starves_those_that_are_not_urgent(
    queue: WorkQueue[str], clock: Clock
) -> None:
    queue.add("a")
    for number in range(FAIR_SHARE * 3):
        queue.add(f"x{number}", urgent=True)
    first = [await take(queue) for _ in range(FAIR_SHARE * 2)]
    assert "a" not in first, "it has not waited for long"
    clock.now += PATIENCE
    assert "a" in [await take(queue) for _ in range(FAIR_SHARE)]
