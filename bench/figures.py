"""Figures against their bars: a table for people, JSON for machines."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Figure:
    """What was measured. `bar` is the largest value that is good enough; None for a figure that
    only explains another. `detail` says where it comes from."""

    what: str
    value: float
    unit: str
    bar: float | None = None
    detail: str = ""

    @property
    def verdict(self) -> str:
        if self.bar is None:
            return ""
        return "met" if self.value <= self.bar else "MISSED"


def percentile(values: Sequence[float], share: float) -> float:
    """By nearest rank: of less than 100 values the 99th percentile is the largest."""
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * share // 100))
    return ordered[int(rank) - 1]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def table(figures: Sequence[Figure]) -> str:
    """One line a figure, with aligned columns."""
    rows = [("what", "measured", "bar", "", "")]
    for figure in figures:
        bar = "" if figure.bar is None else f"<= {figure.bar:g} {figure.unit}"
        measured = f"{figure.value:.4g} {figure.unit}"
        rows.append((figure.what, measured, bar, figure.verdict, figure.detail))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def machine() -> dict[str, Any]:
    """What figures depend on, and nothing that names the machine. `load`: the processes that ran or
    waited to, on average of the last five minutes; more than `cores` and times say little."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": commit.stdout.strip(),
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[1], 1),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "architecture": platform.machine(),
        "kernel": platform.release().split("-")[0],
    }


def publish(figures: Sequence[Figure], *, about: dict[str, Any], target: Path | None) -> int:
    """Prints the table, writes the JSON; 1 where a bar is missed."""
    print(f"\n{table(figures)}\n")
    print(json.dumps(about))
    if target is not None:
        listed = [{**asdict(figure), "verdict": figure.verdict} for figure in figures]
        target.write_text(json.dumps({**about, "figures": listed}, indent=1) + "\n")
    return 1 if any(figure.verdict == "MISSED" for figure in figures) else 0
