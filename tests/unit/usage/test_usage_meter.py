"""When it is measured, what it costs, and what is told when it cannot be."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from localregistry.usage import meter as meters
from localregistry.usage.blobs import Walk
from localregistry.usage.meter import Meter, NotMeasured, gauge
from localregistry.usage.pace import SLICE_SECONDS, Pace
from localregistry.usage.report import Kind, Usage

EMPTY = Usage(Kind.BLOBS, used=0, capacity=100, free=100, available=100)


class World:
    """A meter whose measurements a test lets through or fails, and its clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.measured = 0
        self.forgotten = 0
        self.logged: list[str] = []
        self.error: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.meter = Meter(
            self._measure, forget=self._forget, log=self.logged.append, clock=lambda: self.now
        )

    def _measure(self) -> Usage:
        assert self.gate.wait(10)
        self.measured += 1
        if self.error:
            raise self.error
        return Usage(Kind.BLOBS, used=self.measured, capacity=100, free=50, available=50)

    def _forget(self) -> None:
        self.forgotten += 1

    def used(self, *, patience: float = 5.0) -> int:
        return self.meter.usage(patience=patience).used


@pytest.fixture
def world() -> World:
    made = World()
    made.meter.start()
    return made


def test_it_is_measured_when_asked_and_at_most_every_ten_seconds(world: World) -> None:
    assert [world.used() for _ in range(5)] == [1] * 5
    world.now += 9.9
    assert world.used() == 1
    assert world.meter.usage().age == pytest.approx(9.9)
    world.now += 0.2
    assert world.used() == 2
    assert world.meter.usage().age == 0.0


def test_nobody_asks_and_nothing_is_done(world: World) -> None:
    assert world.used() == 1
    world.now += 86_400
    time.sleep(0.1)
    assert world.measured == 1


def test_who_asks_while_it_is_measured_gets_the_last_one_after_a_while(world: World) -> None:
    assert world.used() == 1
    world.gate.clear()
    world.now += 60
    started = time.monotonic()
    assert world.used(patience=0.1) == 1
    assert 0.1 <= time.monotonic() - started < 2
    assert world.meter.usage(patience=0).age == pytest.approx(60)
    world.gate.set()
    assert world.used() == 2


def test_many_that_ask_at_once_share_one_measurement(world: World) -> None:
    assert world.used() == 1
    world.gate.clear()
    world.now += 60
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(world.used())) for _ in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    world.gate.set()
    for thread in threads:
        thread.join(10)
    assert found == [2] * 8
    time.sleep(0.05)
    assert world.measured == 2


def test_before_the_first_measurement_it_says_so() -> None:
    world = World()
    world.gate.clear()
    world.meter.start()
    with pytest.raises(NotMeasured, match="under way"):
        world.used(patience=0.05)
    world.gate.set()
    assert world.used() == 1


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), MemoryError("no"), KeyError()])
def test_what_fails_is_told_once_and_tried_again(world: World, error: Exception) -> None:
    assert world.used() == 1
    world.error = error
    for _ in range(3):
        world.now += 60
        with pytest.raises(NotMeasured, match="cannot be measured"):
            world.used()
    assert len(world.logged) == 1
    world.error = None
    world.now += 60
    assert world.used() == world.measured


def test_once_an_hour_everything_is_read_anew(world: World) -> None:
    for _ in range(60):
        world.used()
        world.now += 60
    assert world.forgotten == 0
    for _ in range(60):
        world.used()
        world.now += 60
    assert world.forgotten == 1


def test_a_folder_of_the_disk_is_measured_by_its_blobs(tmp_path: Path) -> None:
    blob = tmp_path / "docker/registry/v2/blobs/sha256/aa/aa11/data"
    blob.parent.mkdir(parents=True)
    blob.write_bytes(b"x" * 4242)
    found = gauge(str(tmp_path), Walk(str(tmp_path), lambda: None))
    assert (found.kind, found.used, found.blobs) == (Kind.BLOBS, 4242, 1)
    assert found.capacity == os.statvfs(tmp_path).f_blocks * os.statvfs(tmp_path).f_frsize


def test_a_device_of_its_own_is_measured_by_the_file_system(tmp_path: Path) -> None:
    line = f"90 22 8:16 / {tmp_path} ro - ext4 /dev/sdb rw"
    walk = Walk(str(tmp_path / "never walked"), lambda: None)
    found = gauge(str(tmp_path), walk, mountinfo=lambda: line)
    assert found.kind is Kind.VOLUME
    assert found.used == found.capacity - found.free > 0


def test_the_times_fit_the_operators_question() -> None:
    assert meters.PATIENCE_SECONDS < 3, "the operator waits 3 s"
    assert meters.FRESH_SECONDS < 60, "it asks about every minute"


class Spent:
    """CPU time and the clock's, when every call costs `each`."""

    def __init__(self, each: float) -> None:
        self.each = each
        self.cpu = 0.0
        self.slept = 0.0

    def spent(self) -> float:
        self.cpu += self.each
        return self.cpu

    def sleep(self, seconds: float) -> None:
        self.slept += seconds


@pytest.mark.parametrize("each", [0.000_01, 0.001, 0.02])
def test_however_much_there_is_to_do_it_takes_its_share_of_a_core(each: float) -> None:
    spent = Spent(each)
    pace = Pace(share=0.05, spent=spent.spent, sleep=spent.sleep)
    while spent.cpu < 2.0:
        pace()
    assert spent.cpu / (spent.cpu + spent.slept) == pytest.approx(0.05, rel=0.4)


def test_little_work_is_not_delayed() -> None:
    spent = Spent(SLICE_SECONDS / 100)
    pace = Pace(spent=spent.spent, sleep=spent.sleep)
    for _ in range(50):
        pace()
    assert spent.slept == 0.0


def test_a_walk_of_another_thread_is_no_debt() -> None:
    times = iter([50.0, 0.0, 0.001])
    slept: list[float] = []
    pace = Pace(spent=lambda: next(times), sleep=slept.append)
    for _ in range(3):
        pace()
    assert slept == []
