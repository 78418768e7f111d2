"""Figures against bars, and what is told of a run."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from bench import restarts
from bench.control_plane import most_within
from bench.controller import changes, lists_beside_the_resync, writes_beside_the_resync
from bench.figures import Figure, percentile, table

JUDGED = {
    "at the bar": (Figure("x", 10.0, "MiB", 10.0), "met"),
    "above it": (Figure("x", 10.01, "MiB", 10.0), "missed"),
    "nothing where nothing may be": (Figure("x", 0.0, "", 0.0), "met"),
    "without a bar": (Figure("x", 3.0, "MiB"), ""),
    "a ratio at the bar": (Figure("x", 5.0, "s", 1.25, control=4.0, by_ratio=True), "met"),
    "a ratio above it": (Figure("x", 5.1, "s", 1.25, control=4.0, by_ratio=True), "missed"),
    "at the least": (Figure("x", 9.0, "MB/s", 9.0, least=True), "met"),
    "below the least": (Figure("x", 8.9, "MB/s", 9.0, least=True), "missed"),
    "below the least ratio": (
        Figure("x", 84.0, "MB/s", 0.85, control=100.0, by_ratio=True, least=True),
        "missed",
    ),
    "a control that is no bar": (Figure("x", 90.0, "ms", 50.0, control=95.0), "missed"),
}


@pytest.mark.parametrize(("figure", "verdict"), JUDGED.values(), ids=JUDGED)
def test_a_figure_is_judged(figure: Figure, verdict: str) -> None:
    assert figure.verdict == verdict


def test_a_ratio_without_a_control_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a control"):
        Figure("x", 1.0, "s", 1.25, by_ratio=True)


def test_writes_within_a_window_are_the_most_of_any() -> None:
    assert most_within([0.0, 2.0, 4.0, 4.1, 8.0], 1.95) == 2
    assert most_within([0.0, 2.0, 4.0], 1.95) == 1
    assert most_within([], 1.95) == 0


def test_applies_that_change_nothing_are_no_writes() -> None:
    def event(verb: str, name: str, version: str, second: int, code: int = 200) -> dict[str, Any]:
        return {
            "verb": verb,
            "objectRef": {"name": name},
            "responseStatus": {"code": code},
            "responseObject": {"metadata": {"resourceVersion": version}},
            "stageTimestamp": f"1970-01-01T00:00:{second:02}.000000Z",
        }

    events = [
        event("patch", "node-trust", "5", 1),
        event("patch", "node-trust", "7", 2),
        event("patch", "node-trust", "7", 3),
        event("patch", "another", "8", 4),
        event("patch", "node-trust", "9", 5, code=409),
        event("get", "node-trust", "9", 6),
        event("patch", "node-trust", "9", 7),
    ]
    assert changes(events, "node-trust", "5") == [2.0, 7.0]


@pytest.mark.parametrize(
    ("lists", "seconds", "beside"),
    [
        ({"nodes": 1, "pods": 1, "localregistries": 1}, 600, 0),
        ({"nodes": 2, "pods": 2, "localregistries": 2}, 600, 0),
        ({"nodes": 3}, 600, 1),
        ({"nodes": 2}, 300, 1),
        ({"services": 1}, 600, 1),
    ],
    ids=["one resync", "two", "one list more", "two in five minutes", "of another kind"],
)
def test_lists_that_no_resync_accounts_for(
    lists: dict[str, int], seconds: float, beside: int
) -> None:
    assert lists_beside_the_resync(Counter(lists), seconds) == beside


LOOK, APPLY, STATUS = ("list", "localregistries"), ("patch", "services"), ("patch", "x", "status")


@pytest.mark.parametrize(
    ("asked", "beside"),
    [
        ([], 0),
        ([LOOK, APPLY, APPLY], 1),
        ([LOOK, LOOK, APPLY, APPLY], 0),
        ([APPLY], 1),
        ([LOOK, STATUS], 1),
        ([LOOK, ("create", "events")], 1),
        ([LOOK, ("get", "services"), ("list", "nodes")], 0),
    ],
    ids=[
        "nothing",
        "one apply more than resyncs",
        "two resyncs",
        "an apply without one",
        "a status",
        "an object made",
        "reads",
    ],
)
def test_writes_that_no_resync_accounts_for(asked: list[tuple[str, ...]], beside: int) -> None:
    events = [
        {"verb": verb, "objectRef": {"resource": resource, "name": "a", "subresource": sub}}
        for verb, resource, sub in (((*one, "")[:3]) for one in asked)
    ]
    assert writes_beside_the_resync(events) == beside


def test_the_99th_percentile_of_few_is_the_slowest() -> None:
    values = [float(value) for value in range(1, 31)]
    assert (percentile(values, 50), percentile(values, 99)) == (15.0, 30.0)
    assert percentile([float(value) for value in range(200)], 99) == 197.0


def test_the_table_names_control_bar_and_verdict() -> None:
    figures = [Figure("RSS", 17.0, "MiB", 20), Figure("CPU", 7.0, "m", 1, "why", control=2.0)]
    lines = table(figures).splitlines()
    assert lines[1].split() == ["RSS", "17", "MiB", "at", "most", "20", "MiB", "met"]
    assert lines[2].split() == ["CPU", "7", "m", "2", "m", "at", "most", "1", "m", "MISSED", "why"]


def test_another_start_and_what_is_gone_are_restarts_and_what_is_new_is_none() -> None:
    before = {"runtime": {"n dockerd": "1 5"}, "container": {"a": "0 x", "b": "0 y"}}
    after = {"runtime": {"n dockerd": "1 5"}, "container": {"a": "1 z", "c": "0 w"}}
    assert restarts.compare(before, before) == {"runtime": [], "container": []}
    found = restarts.compare(before, after)
    assert found == {"runtime": [], "container": ["a: 0 x -> 1 z", "b: 0 y -> gone"]}
