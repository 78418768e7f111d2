"""The report: a Markdown table of all results. Pure: the same results make the same text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .figures import Figure, number
from .plan import BARS
from .results import Result

_HEAD = """\
# Measured

Written by `python -m bench report` from the JSON files beside it: do not edit. `make bench`
measures anew. A control is measured in the same run, on the same machine, in the same unit; a bar
for a ratio is one for measured / control. What the figures mean stands in
[the docs](../../docs/reference/figures.md).

"""
_COLUMNS = ("", "figure", "measured", "control", "ratio", "bar", "")
_PLOT = """
![Each figure as a share of its bar](results.svg)
"""


def markdown(results: Sequence[Result]) -> str:
    """All bars in order; one that nobody has measured has a row that says so."""
    by_bar = {result.bar: result for result in results}
    rows = [_COLUMNS, ("---",) * len(_COLUMNS)]
    for bar, title in BARS.items():
        result = by_bar.get(bar)
        rows.append(
            (f"**{bar}**", f"**{title}**", "", "", "", "", "" if result else "not measured")
        )
        if result:
            rows += [_row(figure, short=result.short) for figure in result.figures]
    lines = ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    parts = [_HEAD, _summary(results), "\n".join(lines), "\n"]
    if results:
        parts += [_PLOT, "\n## The runs\n\n", _runs(results)]
    details = [line for result in results for line in _details(result)]
    if details:
        parts += ["\n## Where they come from\n\n", "\n".join(details), "\n"]
    return "".join(parts)


def _summary(results: Sequence[Result]) -> str:
    verdicts = [f.verdict for r in results if not r.short for f in r.figures if f.verdict]
    missed = verdicts.count("missed")
    absent = len(BARS) - len(results)
    text = f"{len(verdicts) - missed} bars met, {missed} missed"
    return text + (f"; {absent} of {len(BARS)} not measured.\n\n" if absent else ".\n\n")


def _row(figure: Figure, *, short: bool) -> tuple[str, ...]:
    measured = f"{number(figure.value)} {figure.unit}".rstrip()
    if figure.spread:
        measured += f" ({number(figure.spread[0])} to {number(figure.spread[1])})"
    control = "" if figure.control is None else f"{number(figure.control)} {figure.unit}".rstrip()
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    verdict = f"**{figure.verdict}**" if figure.verdict == "missed" else figure.verdict
    if short and verdict:
        verdict = "short run, proves nothing"
    return ("", figure.what, measured, control, ratio, figure.bar_text, verdict)


def _runs(results: Sequence[Result]) -> str:
    columns = ("", "date", "commit", "seconds", "machine", "load before, after", "versions")
    rows = [columns, ("---",) * len(columns)]
    for result in results:
        about = result.about
        rows.append(
            (
                *(result.bar, about["date"], about["commit"], str(about["seconds"])),
                *(_machine(about), _load(about), _versions(about["versions"])),
            )
        )
    return "\n".join("| " + " | ".join(map(_cell, row)) + " |" for row in rows) + "\n"


def _machine(about: Mapping[str, Any]) -> str:
    return (
        f"{about['cores']} cores, {about['memory_gib']} GiB, {about['architecture']}, "
        f"Linux {about['kernel']}"
    )


def _load(about: Mapping[str, Any]) -> str:
    text = f"{about['load_start']}, {about['load_end']}"
    # Others were at work before anything was measured.
    return f"{text}: **a busy machine**" if about["load_start"] > about["cores"] / 2 else text


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _details(result: Result) -> list[str]:
    return [f"- {result.bar}, {f.what}: {f.detail}" for f in result.figures if f.detail]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
