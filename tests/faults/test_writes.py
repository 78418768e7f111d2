"""Every write of every scenario, lost or refused in every way: the end is that of the undisturbed
run, and nothing was written twice."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator

import pytest

from faults.proxy import RETRY_AFTER, Fault, Injection
from faults.scenarios import SCENARIOS, Scenario
from faults.world import Outcome, World

# What runs by default is drawn from all points with this seed, a new one each day.
SEED = int(os.environ.get("FAULTS_SEED", time.strftime("%Y%m%d")))
DRAWN = 20
# No scenario takes as many writes; ends an enumeration that never gets past its end.
MOST_WRITES = 80

_undisturbed: dict[str, Outcome] = {}


def undisturbed(world: World, scenario: Scenario) -> Outcome:
    if scenario.name not in _undisturbed:
        _undisturbed[scenario.name] = world.run(scenario, None)
    return _undisturbed[scenario.name]


def check(world: World, scenario: Scenario, fault: Fault, number: int) -> bool:
    """One run; whether there was such a write at all."""
    expected = undisturbed(world, scenario)
    outcome = world.run(scenario, Injection(fault, number))
    point = f"{scenario.name}: {fault} at write {number}"
    assert outcome.state == expected.state, point
    assert outcome.effects == expected.effects, point
    assert outcome.told == expected.told, point
    if outcome.hit and fault is Fault.BUSY:
        assert outcome.seconds >= RETRY_AFTER, f"{point}: did not wait as long as it was told"
    return outcome.hit


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_an_undisturbed_run_can_be_repeated(world: World, scenario: Scenario) -> None:
    first = undisturbed(world, scenario)
    again = world.run(scenario, None)
    assert again.state == first.state
    assert (again.effects, again.told) == (first.effects, first.told)


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
