"""A dockerd that is restarted in the middle of a change: by its administrator, or by the signal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from localregistry.agent import dockerapi
from localregistry.agent.dockerapply import Applier
from localregistry.agent.procs import Process
from localregistry.trust import NodeReason

from .dockerlab import CONFIG, HIS, Lab
from .standins import registry

NAME = "registry.example.internal"
LOOPBACK = {"127.0.0.0/8", "::1/128"}


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    _hurry(made)
    yield made
    made.close()


def _hurry(lab: Lab) -> None:
    def sleep(seconds: float) -> None:
        lab.clock.now += seconds

    guest, processes = lab.writer.guest, lab.writer.processes
    lab.writer._applier = Applier(guest, processes, lab.clock, sleep)


def _once(lab: Lab, what: Callable[[], None]) -> None:
    """`what` happens in the place of the next signal."""
    signal = type(lab.writer.processes).signal_hup
    done: list[bool] = []

    def instead(self: Any, process: Process) -> bool:
        if done:
            return bool(signal(self, process))
        done.append(True)
        what()
        return bool(signal(self, process))

    object.__setattr__(lab.writer.processes, "signal_hup", instead.__get__(lab.writer.processes))


def test_one_that_was_restarted_before_the_write_is_told_later(lab: Lab) -> None:
    found = lab.writer.detect()
    plan = lab.writer.plan([registry()], found)
    lab.daemon.start(at=2000)
    result = lab.writer.apply(plan, found)["u1"]
    assert result.reason is NodeReason.PENDING
    assert lab.node.snapshot() == lab.before
    assert lab.bring(registry()) == {}
    assert NAME in lab.daemon.insecure


def test_one_that_was_restarted_before_the_signal_takes_the_file_as_it_starts(lab: Lab) -> None:
    _once(lab, lambda: lab.daemon.start(at=2000))
    result = lab.bring(registry())["u1"]
    assert result.reason is NodeReason.PENDING
    assert CONFIG in result.message
    assert NAME in lab.daemon.insecure
    assert lab.bring(registry()) == {}
    assert lab.daemon.signals == 0
    assert lab.idle(registry())


def test_one_that_read_the_file_before_the_write_is_told_by_the_next_pass(lab: Lab) -> None:
    def restart() -> None:
        written = lab.node.read(CONFIG)
        lab.node.write(CONFIG, HIS)
        lab.daemon.start(at=2000)
        lab.node.write(CONFIG, written)

    _once(lab, restart)
    assert lab.bring(registry())["u1"].reason is NodeReason.PENDING
    assert NAME not in lab.daemon.insecure
    assert lab.bring(registry()) == {}
    assert NAME in lab.daemon.insecure
    assert lab.daemon.signals == 1


def test_one_that_is_restarted_during_a_withdrawal_forgets_in_the_end(lab: Lab) -> None:
    lab.bring(registry())
    _once(lab, lambda: lab.daemon.start(at=2000))
    assert lab.bring()["u1"].reason is NodeReason.PENDING
    assert lab.bring() == {}
    assert lab.daemon.insecure == LOOPBACK
    assert lab.node.snapshot() == lab.before
    assert lab.journal.empty


@pytest.fixture
def dying(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A dockerd that each signal ends; it serves again when `serving` is set."""
    info = dockerapi.info
    starts = iter(range(2000, 9000, 1000))

    def asked(path: Path) -> dockerapi.Info:
        if lab.daemon.signals and lab.daemon.refusing:
            lab.daemon.signals = 0
            lab.daemon.start(at=next(starts))
            raise dockerapi.NoAnswer("connection refused")
        return info(path)

    monkeypatch.setattr(dockerapi, "info", asked)
    lab.daemon.refusing = True
    return lab


def test_one_that_went_with_the_signal_and_is_back_has_read_the_file(dying: Lab) -> None:
    result = dying.bring(registry())["u1"]
    assert result.reason is NodeReason.PENDING
    assert "as it started" in result.message
    assert NAME in dying.daemon.insecure
    assert dying.bring(registry()) == {}


def test_one_that_does_not_come_back_gets_its_file_back(
    dying: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    pings = iter([True, True])  # at the detection, and before the signal
    monkeypatch.setattr(dockerapi, "ping", lambda _: next(pings, False))
    result = dying.bring(registry())["u1"]
    assert result.reason is NodeReason.PENDING
    assert "as it was before" in result.message
    assert dying.node.snapshot() == dying.before


def test_one_that_each_signal_ends_is_not_told_a_third_time(dying: Lab) -> None:
    dying.bring(registry())
    # Its administrator has another file by then, so that it is to be told again.
    dying.node.write(CONFIG, HIS)
    dying.daemon.start(at=1500)
    result = dying.bring(registry())["u1"]
    assert result.reason is NodeReason.ROLLED_BACK
    assert "went 2 times" in result.message
    assert dying.node.read(CONFIG).decode() == HIS
    # Another start of it makes no difference.
    dying.daemon.start(at=1600)
    assert dying.bring(registry())["u1"] == result


def test_a_restart_during_the_roll_back_is_no_verdict(lab: Lab) -> None:
    lab.daemon.losing = {"127.0.0.0/8"}
    signals = lab.writer.processes.signal_hup

    def signal(process: Process) -> bool:
        if lab.daemon.signals == 1:
            lab.daemon.losing = set()
            lab.daemon.start(at=2000)
        return signals(process)

    object.__setattr__(lab.writer.processes, "signal_hup", signal)
    assert lab.bring(registry())["u1"].reason is NodeReason.PENDING
    assert lab.node.snapshot() == lab.before
    assert lab.bring(registry()) == {}
    assert lab.bring() == {}
    assert lab.node.snapshot() == lab.before
    assert lab.journal.empty
    assert lab.daemon.insecure == LOOPBACK
