"""Figures against their bars and beside their controls, and the statistics they are made of."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """What was measured. `bar` is the worst value that is good enough: the largest, or with `least`
    the smallest; None for a figure that only explains another. `control` is what the control took
    in the same run, in the same unit; with `by_ratio` the bar is one for value / control.
    `spread`: the least and the greatest of several runs. `detail` says where it comes from.
    """

    what: str
    value: float
    unit: str
    bar: float | None = None
    detail: str = ""
    control: float | None = None
    by_ratio: bool = False
    least: bool = False
    spread: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.by_ratio and not self.control:
            raise ValueError(f"{self.what}: a ratio needs a control")

    @property
    def ratio(self) -> float | None:
        return self.value / self.control if self.control else None

    @property
    def judged(self) -> float:
        """What the bar is for."""
        return self.value / self.control if self.by_ratio and self.control else self.value

    @property
    def verdict(self) -> str:
        """`met`, `missed`, or nothing where there is no bar."""
        if self.bar is None:
            return ""
        met = self.judged >= self.bar if self.least else self.judged <= self.bar
        return "met" if met else "missed"

    @property
    def bar_text(self) -> str:
        """`at most 50 ms`, `at least 0.85 times the control`."""
        if self.bar is None:
            return ""
        unit = "times the control" if self.by_ratio else self.unit
        return f"at {'least' if self.least else 'most'} {self.bar:g} {unit}".rstrip()


def percentile(values: Sequence[float], share: float) -> float:
    """By nearest rank: of less than 100 values the 99th percentile is the largest."""
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * share // 100))
    return ordered[int(rank) - 1]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def spread(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def number(value: float) -> str:
    """Four digits that count; no exponent for what figures are."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def table(figures: Sequence[Figure]) -> str:
    """For a terminal: one line a figure, with aligned columns."""
    rows = [("what", "measured", "control", "bar", "", "")]
    for figure in figures:
        control = "" if figure.control is None else f"{number(figure.control)} {figure.unit}"
        measured = f"{number(figure.value)} {figure.unit}"
        rows.append(
            (
                *(figure.what, measured, control),
                *(figure.bar_text, figure.verdict.replace("missed", "MISSED"), figure.detail),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)
