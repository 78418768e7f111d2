"""Watches that are late, cut, refused or lose events, and old lists: the end is the same."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from faults.scenarios import SCENARIOS, Scenario
from faults.world import Outcome, World

CREATE, HOST, DELETE = (
    next(s for s in SCENARIOS if s.name == name) for name in ("create", "another host", "delete")
)
WATCHED = (
    "localregistries",
    "configmaps",
    "persistentvolumeclaims",
    "deployments",
    "services",
    "ingresses",
    "nodes",
    "pods",
    "daemonsets",
)
SECONDS = 3.0

_expected: dict[str, Outcome] = {}


def check(world: World, scenario: Scenario, outcome: Outcome) -> None:
    if scenario.name not in _expected:
        _expected[scenario.name] = world.run(scenario)
    expected = _expected[scenario.name]
    assert outcome.state == expected.state
    assert (outcome.effects, outcome.told) == (expected.effects, expected.told)


@contextmanager
def disturbed(world: World, which: set[str], plurals: tuple[str, ...]) -> Iterator[None]:
    which.update(plurals)
    try:
        yield
        time.sleep(SECONDS)
    finally:
        which.difference_update(plurals)


@pytest.mark.parametrize("scenario", [CREATE, HOST, DELETE], ids=lambda scenario: scenario.name)
def test_events_that_come_late_are_caught_up_with(world: World, scenario: Scenario) -> None:
    streams = world.proxy.streams
    outcome = world.run(scenario, disturbed=disturbed(world, streams.held, WATCHED))
    check(world, scenario, outcome)


@pytest.mark.parametrize("scenario", [CREATE, HOST, DELETE], ids=lambda scenario: scenario.name)
def test_watches_that_are_cut_are_resumed(world: World, scenario: Scenario) -> None:
    streams = world.proxy.streams
    outcome = world.run(scenario, disturbed=disturbed(world, streams.cut, WATCHED))
    check(world, scenario, outcome)


@pytest.mark.parametrize("plural", WATCHED)
def test_a_watch_that_is_gone_is_begun_anew_by_a_list(world: World, plural: str) -> None:
    """410: the API server no longer knows where the watch was."""
    streams = world.proxy.streams
    refused = streams.refused

    @contextmanager
    def gone() -> Iterator[None]:
        with disturbed(world, streams.gone, (plural,)):
            streams.cut.add(plural)
            yield

    outcome = world.run(HOST, disturbed=gone())
    streams.cut.discard(plural)
    check(world, HOST, outcome)
    if plural == "localregistries":
        assert streams.refused > refused, "nothing was refused, so nothing was seen"


@pytest.mark.parametrize("scenario", [CREATE, HOST, DELETE], ids=lambda scenario: scenario.name)
def test_events_that_are_lost_for_ever_are_made_up_for_by_a_resync(
    world: World, scenario: Scenario
) -> None:
    world.stop_operator()
    world.options = ("--resync-seconds", "5")
    streams = world.proxy.streams
    dropped = streams.dropped
    try:
        outcome = world.run(scenario, disturbed=disturbed(world, streams.dropping, WATCHED))
    finally:
        world.options = ()
        world.stop_operator()
    check(world, scenario, outcome)
    assert streams.dropped > dropped, "nothing was lost, so nothing was seen"


def test_an_operator_that_starts_with_an_old_list_withdraws_nothing(world: World) -> None:
    """A list that does not know the LocalRegistry yet: nodes must go on trusting it."""
    streams = world.proxy.streams
    replayed = streams.replayed

    @contextmanager
    def remembered() -> Iterator[None]:
        streams.old.add("localregistries")
        yield

    world.reset(first=False)
    world.restart_operator()
    outcome = world.run(CREATE, disturbed=remembered())
    world.proxy.arm(None)
    world.restart_operator()
    time.sleep(SECONDS)
    told = world.told()
    streams.clear()
    assert streams.replayed > replayed, "nothing old was said, so nothing was seen"
    assert told == (), "nodes were told to forget the name"
    check(world, CREATE, outcome)
