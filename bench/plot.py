"""The plot: every figure as a share of its bar, so that seconds and MiB stand beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .results import Result

MET, MISSED, CONTROL = "#4c78a8", "#d62728", "#9d9d9d"
# What is further away is drawn to here, with its number.
FARTHEST = 2.0


class Bar(NamedTuple):
    """`share` 1.0 is the bar itself, less is better; `control` is where the control stands."""

    label: str
    share: float
    control: float | None
    met: bool


def bars(results: Sequence[Result]) -> list[Bar]:
    """What has a bar, in the results' order. A bar of nothing (0 restarts) is 0 when met, else
    FARTHEST."""
    found = []
    for result in results:
        for figure in result.figures:
            if figure.bar is None:
                continue
            met = figure.verdict == "met"
            if not figure.bar:
                share, control = (0.0 if met else FARTHEST), None
            else:
                share = figure.bar / figure.judged if figure.least else figure.judged / figure.bar
                of_bar = 1.0 if figure.by_ratio else figure.control
                control = None
                if of_bar is not None:
                    control = figure.bar / of_bar if figure.least else of_bar / figure.bar
            found.append(Bar(f"{result.bar} {figure.what}", share, control, met))
    return found


def draw(results: Sequence[Result], target: Path) -> None:
    """Writes an SVG. Raises ImportError where matplotlib is not installed (the `bench` extra)."""
    import matplotlib

    matplotlib.use("svg")
    # The same results make the same file: no random ids, no date.
    matplotlib.rcParams["svg.hashsalt"] = "localregistry"
    from matplotlib import pyplot

    drawn = bars(results)
    figure, axes = pyplot.subplots(figsize=(10, 1.2 + 0.3 * len(drawn)), layout="constrained")
    places = range(len(drawn))
    axes.barh(
        places,
        [min(bar.share, FARTHEST) for bar in drawn],
        color=[MET if bar.met else MISSED for bar in drawn],
    )
    for place, bar in zip(places, drawn, strict=True):
        axes.text(min(bar.share, FARTHEST) + 0.02, place, f"{bar.share:.2f}", va="center", size=8)
        if bar.control is not None:
            axes.plot([min(bar.control, FARTHEST)] * 2, [place - 0.4, place + 0.4], color=CONTROL)
    axes.axvline(1.0, color="black", linewidth=1)
    axes.set_yticks(places, [bar.label for bar in drawn], size=8)
    axes.invert_yaxis()
    axes.set_xlim(0, FARTHEST + 0.2)
    axes.set_xlabel("share of the bar: left of 1 is met, grey strokes are the controls")
    figure.savefig(target, metadata={"Date": None})
    pyplot.close(figure)
