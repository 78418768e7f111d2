"""Results as files, and the report that is made of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.figures import Figure
from bench.plan import BARS, GROUPS, chosen
from bench.plot import FARTHEST, bars
from bench.report import markdown
from bench.results import FOLDER, Result, missed, read_all
from unit.golden import assert_golden

ABOUT: dict[str, Any] = {
    "date": "2026-01-02 03:04 UTC",
    "commit": "0123456",
    "seconds": 90,
    "cores": 2,
    "memory_gib": 7.8,
    "architecture": "x86_64",
    "kernel": "6.1.0",
    "load_start": 0.1,
    "load_end": 1.9,
    "versions": {"python": "3.13.5", "kubernetes": "1.36.3"},
}
NO_OP = Figure("a run, p50", 44.4, "ms", 50, "of 100 runs", control=30.0)
CHANGED = Figure("children changed by it", 3, "", 0)
PUSH = Figure(
    *("push through the Ingress", 178.6, "MB/s", 0.85),
    control=200.0,
    by_ratio=True,
    least=True,
    spread=(150.0, 190.25),
)
RESULTS = [
    Result("P2", (NO_OP, CHANGED), ABOUT),
    Result("P9", (PUSH,), {**ABOUT, "load_start": 7.5}),
    Result("P10", (Figure("start | all", 1234.5, "s", 60),), ABOUT, short=True),
]


def test_the_report_is_this(request: pytest.FixtureRequest) -> None:
    assert_golden(request, "bench-report.md", markdown(RESULTS))


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    paths = [result.write(tmp_path) for result in RESULTS]
    assert [path.name for path in paths] == ["p2.json", "p9.json", "p10.json"]
    assert read_all(tmp_path) == RESULTS
    verdicts = [figure["verdict"] for figure in json.loads(paths[0].read_text())["figures"]]
    assert verdicts == ["met", "missed"]


@pytest.mark.parametrize("text", ["{", "[]", '{"bar": "P1"}'])
def test_what_is_no_result_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "p1.json").write_text(text)
    with pytest.raises(ValueError, match=r"p1\.json is no result"):
        read_all(tmp_path)


def test_what_missed_is_named() -> None:
    assert missed(RESULTS) == ["P2: children changed by it", "P10: start | all"]


def test_the_plot_has_each_figure_as_a_share_of_its_bar() -> None:
    run, changed, push, start = bars(RESULTS)
    assert [run.share, run.control] == pytest.approx([0.888, 0.6])
    assert (changed.share, changed.control, changed.met) == (FARTHEST, None, False)
    assert [push.share, push.control] == pytest.approx([0.85 / 0.893, 0.85])
    assert (start.label, start.met) == ("P10 start | all", False)


def test_every_bar_is_measured_by_some_group() -> None:
    assert {bar for group in GROUPS for bar in group.minutes} == BARS.keys()


def test_all_of_it_takes_three_quarters_of_an_hour_at_most() -> None:
    assert sum(group.expected(of_it) for group, of_it in chosen(frozenset(BARS))) <= 45


def test_a_bar_alone_needs_no_more_than_its_groups() -> None:
    assert [(g.module, set(b)) for g, b in chosen(frozenset({"P7"}))] == [
        ("controller", {"P7"}),
        ("controller_scale", {"P7"}),
    ]


def test_the_report_that_is_kept_is_that_of_the_files_beside_it() -> None:
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == markdown(read_all(FOLDER))
