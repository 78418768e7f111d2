"""Every write of every scenario, lost or refused in every way: the end is that of the undisturbed
run, and nothing was written twice."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from faults.proxy import RETRY_AFTER, Fault, Injection
from faults.scenarios import SCENARIOS, Scenario
from faults.world import NAME, Outcome, World

# What runs by default is drawn from all points with this seed, a new one each day.
SEED = int(os.environ.get("FAULTS_SEED", time.strftime("%Y%m%d")))
DRAWN = 20
# Of one scenario: storage, registry, exposure and nodes become so one after the other, each once,
# and some of it together. A fault may show in between, and go again.
MOST_STATUSES = 12
# Longer than the ten seconds for which mere numbers of the status are held back.
QUIET = (12.0, pytest.param(60.0, marks=pytest.mark.long))
# No scenario takes as many writes; ends an enumeration that never gets past its end.
MOST_WRITES = 80

_undisturbed: dict[str, Outcome] = {}


def undisturbed(world: World, scenario: Scenario) -> Outcome:
    if scenario.name not in _undisturbed:
        _undisturbed[scenario.name] = world.run(scenario, None)
    return _undisturbed[scenario.name]


def check(world: World, scenario: Scenario, fault: Fault, number: int) -> bool:
    """One run, as the undisturbed one in all that counts; whether there was such a write at all."""
    expected = undisturbed(world, scenario)
    outcome = world.run(scenario, Injection(fault, number))
    point = f"{scenario.name}: {fault} at write {number}"
    assert outcome.state == expected.state, point
    assert outcome.effects == expected.effects, point
    assert outcome.told == expected.told, point
    assert outcome.statuses <= MOST_STATUSES, point
    if outcome.hit and fault is Fault.BUSY:
        assert outcome.seconds >= RETRY_AFTER, f"{point}: did not wait as long as it was told"
    return outcome.hit


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_an_undisturbed_run_can_be_repeated(world: World, scenario: Scenario) -> None:
    first = undisturbed(world, scenario)
    again = world.run(scenario, None)
    assert again.state == first.state
    assert (again.effects, again.told) == (first.effects, first.told)
    assert max(first.statuses, again.statuses) <= MOST_STATUSES


def drawn() -> Iterator[tuple[Scenario, Fault, float]]:
    rng = random.Random(SEED)
    for _ in range(DRAWN):
        yield rng.choice(SCENARIOS), rng.choice(list(Fault)), rng.random()


@pytest.mark.parametrize(
    ("scenario", "fault", "where"),
    list(drawn()),
    ids=lambda value: (
        f"{value:.2f}" if isinstance(value, float) else str(getattr(value, "name", value))
    ),
)
def test_a_drawn_fault_changes_nothing_in_the_end(
    world: World, scenario: Scenario, fault: Fault, where: float
) -> None:
    number = 1 + int(where * undisturbed(world, scenario).writes)
    check(world, scenario, fault, number)


@pytest.mark.long
@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.name.lower())
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_no_write_matters_more_than_another(
    world: World, scenario: Scenario, fault: Fault, record_property: Callable[[str, object], None]
) -> None:
    number = 1
    while check(world, scenario, fault, number):
        number += 1
        assert number < MOST_WRITES, "the writes do not come to an end"
    print(f"{scenario.name}: {fault}: {number - 1} of {number - 1} points")
    record_property("points", number - 1)
    assert number > 1


@pytest.mark.parametrize("seconds", QUIET, ids=lambda seconds: f"{seconds:.0f} s")
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_what_has_converged_is_left_alone(world: World, scenario: Scenario, seconds: float) -> None:
    """After a fault: whatever was put off then must come to its end too."""
    rng = random.Random(f"{SEED} {scenario.name}")
    number = rng.randint(1, undisturbed(world, scenario).writes)
    fault = rng.choice(list(Fault))
    check(world, scenario, fault, number)
    time.sleep(seconds)
    late = [f"{write.method} {write.path}" for write in world.proxy.writes]
    assert late == [], f"{fault} at write {number}"
    assert scenario.settled(world)


@pytest.mark.parametrize(
    "scenario", [s for s in SCENARIOS if s.after], ids=lambda scenario: scenario.name
)
@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER])
def test_a_crash_before_the_status_is_written_makes_no_child_anew(
    world: World, scenario: Scenario, fault: Fault
) -> None:
    """The children are there, and nobody has said so: the next process takes them for its own."""
    expected = undisturbed(world, scenario)
    before: dict[str, tuple[str, int]] = {}

    @contextmanager
    def remembered() -> Iterator[None]:
        yield
        assert world.proxy.hit.wait(30), "no status was written"
        before.update(world.children())

    starts = world.starts
    crash = Injection(fault, 1, to=f"/{NAME}/status")
    outcome = world.run(scenario, crash, disturbed=remembered())
    assert world.starts > starts, "nothing has crashed"
    assert "configmap" in before
    after = world.children()
    assert {kind: after.get(kind) for kind in before} == before
    assert outcome.state == expected.state
    assert (outcome.effects, outcome.told) == (expected.effects, expected.told)
