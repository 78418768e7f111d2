"""`python -m bench`: what is run, what is written, what becomes of a group that fails."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench import __main__ as program
from bench import plot
from bench.figures import Figure
from bench.machine import Circumstances
from bench.plan import BARS, SHORT, Group, Size
from bench.results import Result, read_all

VERSIONS = {"python": "3.13.5"}


class Groups:
    """Plays the groups' modules: `asked` has each with its bars; what is in `broken` raises."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, set[str]]] = []
        self.broken: dict[str, BaseException] = {}

    def load(self, group: Group) -> Any:
        name = group.module

        def measure(bars: frozenset[str], _: Size) -> Any:
            self.asked.append((name, set(bars)))
            if name in self.broken:
                raise self.broken[name]
            return {bar: [Figure(f"{name} {bar}", 1.0, "s", 2.0)] for bar in bars}, VERSIONS

        return SimpleNamespace(measure=measure)


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> Groups:
    made = Groups()
    monkeypatch.setattr(program, "load", made.load)
    return made


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["bench", *arguments])
    monkeypatch.setattr(plot, "draw", lambda results, target: target.write_text("<svg/>"))
    return program.main()


def test_one_bar_alone_runs_its_groups_and_is_reported(
    groups: Groups, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert call(monkeypatch, "p7", "--out", str(tmp_path)) == 0
    assert groups.asked == [("controller", {"P7"}), ("controller_scale", {"P7"})]
    (result,) = read_all(tmp_path)
    # Two groups have figures of this bar: both are kept.
    assert [figure.what for figure in result.figures] == ["controller P7", "controller_scale P7"]
    assert result.about["versions"] == VERSIONS
    assert "controller_scale P7" in (tmp_path / "README.md").read_text()
    assert (tmp_path / "results.svg").exists()


def test_without_a_name_everything_is_measured(
    groups: Groups, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert call(monkeypatch, "--out", str(tmp_path)) == 0
    assert [result.bar for result in read_all(tmp_path)] == list(BARS)


@pytest.mark.parametrize(
    "error", [AssertionError("no"), SystemExit("no")], ids=["an assertion", "an exit"]
)
def test_a_group_that_fails_keeps_none_of_the_others_from_being_measured(
    groups: Groups,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
) -> None:
    groups.broken["cold_start"] = error
    assert call(monkeypatch, "p8", "p9", "--out", str(tmp_path)) == 1
    assert [result.bar for result in read_all(tmp_path)] == ["P9"]
    assert "not measured: P8" in capsys.readouterr().out


def test_a_missed_bar_is_the_exit_code_and_is_named(
    groups: Groups,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    about = Circumstances().close(VERSIONS)
    Result("P1", (Figure("old", 3.0, "", 0),), about).write(tmp_path)
    # One that was missed in another run is in the report, and not this run's fault.
    assert call(monkeypatch, "p8", "--out", str(tmp_path)) == 0
    monkeypatch.setattr(Figure, "verdict", "missed")
    assert call(monkeypatch, "p8", "--out", str(tmp_path)) == 1
    assert "missed: P8: cold_start P8" in capsys.readouterr().out


def test_the_report_alone_measures_nothing(
    groups: Groups, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert call(monkeypatch, "report", "--out", str(tmp_path)) == 0
    assert groups.asked == []
    assert "not measured" in (tmp_path / "README.md").read_text()


def test_a_short_run_is_marked_and_written_elsewhere(
    groups: Groups, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(program, "SHORT_FOLDER", tmp_path)
    assert call(monkeypatch, "p8", "--short") == 0
    (result,) = read_all(tmp_path)
    assert result.short
    assert "short run, proves nothing" in (tmp_path / "README.md").read_text()
    assert Size() != SHORT


def test_an_unknown_bar_is_refused(
    groups: Groups, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        call(monkeypatch, "p11")
    assert "there is no p11" in capsys.readouterr().err
