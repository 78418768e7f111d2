"""Figures against bars, and what is told of a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import restarts
from bench.figures import Figure, percentile, publish, table


@pytest.mark.parametrize(
    ("value", "bar", "verdict"),
    [(10.0, 10.0, "met"), (10.01, 10.0, "MISSED"), (0.0, 0.0, "met"), (3.0, None, "")],
)
def test_a_bar_is_met_up_to_its_value(value: float, bar: float | None, verdict: str) -> None:
    assert Figure("x", value, "MiB", bar).verdict == verdict


def test_the_99th_percentile_of_few_is_the_slowest() -> None:
    values = [float(value) for value in range(1, 31)]
    assert (percentile(values, 50), percentile(values, 99)) == (15.0, 30.0)
    assert percentile([float(value) for value in range(200)], 99) == 197.0


def test_the_table_names_bar_and_verdict() -> None:
    lines = table([Figure("RSS", 17.0, "MiB", 20), Figure("CPU", 7.0, "m", 1, "why")]).splitlines()
    assert lines[1].split() == ["RSS", "17", "MiB", "<=", "20", "MiB", "met"]
    assert lines[2].split() == ["CPU", "7", "m", "<=", "1", "m", "MISSED", "why"]


@pytest.mark.parametrize(("value", "code"), [(1.0, 0), (3.0, 1)])
def test_a_missed_bar_is_the_exit_code_and_in_the_json(
    tmp_path: Path, value: float, code: int
) -> None:
    target = tmp_path / "figures.json"
    figures = [Figure("a", value, "s", 2.0), Figure("b", 9.0, "s")]
    assert publish(figures, about={"cores": 2}, target=target) == code
    body = json.loads(target.read_text())
    assert body["cores"] == 2
    assert [f["verdict"] for f in body["figures"]] == ["MISSED" if code else "met", ""]


def test_another_start_and_what_is_gone_are_restarts_and_what_is_new_is_none() -> None:
    before = {"runtime": {"n dockerd": "1 5"}, "container": {"a": "0 x", "b": "0 y"}}
    after = {"runtime": {"n dockerd": "1 5"}, "container": {"a": "1 z", "c": "0 w"}}
    assert restarts.compare(before, before) == {"runtime": [], "container": []}
    found = restarts.compare(before, after)
    assert found == {"runtime": [], "container": ["a: 0 x -> 1 z", "b: 0 y -> gone"]}
