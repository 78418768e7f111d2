"""How often a daemon is signalled."""

from __future__ import annotations

import pytest

from localregistry.agent.pace import (
    COALESCE_SECONDS,
    MAX_PAUSE_SECONDS,
    PER_WINDOW,
    WINDOW_SECONDS,
    Pace,
)

from .standins import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> Pace:
    return Pace(clock)


def _signal(pace: Pace, clock: Clock) -> float:
    """Waits as long as told, signals, and gives how long that was."""
    waited = 0.0
    while (seconds := pace.wait()) > 0:
        clock.now += seconds
        waited += seconds
    pace.signalled()
    return waited


def test_changes_of_half_a_second_are_one_signal(pace: Pace, clock: Clock) -> None:
    assert pace.wait() == COALESCE_SECONDS
    clock.now += 0.3
    assert pace.wait() == pytest.approx(COALESCE_SECONDS - 0.3)
    clock.now += 0.3
    assert pace.wait() == 0


def test_a_want_that_has_passed_does_not_shorten_the_next(pace: Pace, clock: Clock) -> None:
    pace.wait()
    pace.calm()
    clock.now += 10
    assert pace.wait() == COALESCE_SECONDS


def test_the_seventh_signal_waits_until_the_first_is_a_minute_old(pace: Pace, clock: Clock) -> None:
    assert _signal(pace, clock) == COALESCE_SECONDS
    first = clock.now
    for _ in range(PER_WINDOW - 1):
        assert _signal(pace, clock) == COALESCE_SECONDS
    _signal(pace, clock)
    assert clock.now == first + WINDOW_SECONDS


def test_signals_now_and_then_never_wait(pace: Pace, clock: Clock) -> None:
    for _ in range(50):
        assert _signal(pace, clock) == COALESCE_SECONDS
        clock.now += 11


def test_who_goes_on_waits_longer_and_longer_to_an_end(pace: Pace, clock: Clock) -> None:
    waits = [_signal(pace, clock) for _ in range(60)]
    pauses = [wait for wait in waits if wait > COALESCE_SECONDS]
    assert pauses == sorted(pauses)
    assert pauses[0] < WINDOW_SECONDS < pauses[1] < pauses[2]
    assert WINDOW_SECONDS < pauses[-1] <= WINDOW_SECONDS + MAX_PAUSE_SECONDS


def test_a_quiet_time_is_a_new_beginning(pace: Pace, clock: Clock) -> None:
    for _ in range(20):
        _signal(pace, clock)
    clock.now += WINDOW_SECONDS + 1
    assert [_signal(pace, clock) for _ in range(PER_WINDOW)] == [COALESCE_SECONDS] * PER_WINDOW
    assert _signal(pace, clock) < WINDOW_SECONDS


@pytest.mark.parametrize("gaps", [(0,), (50, 0, 0, 0, 0), (9, 1, 30)], ids=str)
def test_no_minute_sees_more_than_six(pace: Pace, clock: Clock, gaps: tuple[int, ...]) -> None:
    sent = []
    for gap in gaps * 60:
        clock.now += gap
        _signal(pace, clock)
        sent.append(clock.now)
    for start in sent:
        assert len([t for t in sent if start <= t < start + 60]) <= PER_WINDOW
