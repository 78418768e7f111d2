"""Measure the project against its bars, each figure beside its control.

    python -m bench            everything, then the report
    python -m bench p2 p8      these alone, then the report
    python -m bench report     the report alone: README.md and results.svg from the JSON files

Every bar's figures are written to a JSON file of their own as soon as its group is done, so what
is stopped half-way has not lost what came before. Leave the machine alone meanwhile. Exit code 1: a
bar was missed, or something could not be measured.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
import traceback
from collections import defaultdict
from pathlib import Path
from typing import Any

from . import plot, report, results
from .figures import Figure, table
from .machine import ROOT, Circumstances
from .plan import BARS, SHORT, Group, Size, chosen
from .results import FOLDER, Result, read_all

# Not beside what full runs have found.
SHORT_FOLDER = ROOT / "build" / "bench"


def main() -> int:
    parser = _parser()
    options = parser.parse_args()
    options.what = options.what or ["all"]
    if unknown := set(options.what) - {"all", "report", *map(str.lower, BARS)}:
        parser.error(f"there is no {', '.join(sorted(unknown))}; see --help")
    folder: Path = options.out or (SHORT_FOLDER if options.short else FOLDER)
    if options.what == ["report"]:
        return write_report(folder)
    named = set(map(str.upper, options.what))
    bars = frozenset(BARS) if "ALL" in named else frozenset(BARS) & named
    failed = measure(bars, SHORT if options.short else Size(), folder)
    write_report(folder)
    told = [result for result in read_all(folder) if result.bar in bars]
    for line in results.missed(told):
        print(f"missed: {line}")
    for name in failed:
        print(f"not measured: {name}; its traceback stands above")
    return 1 if failed or results.missed(told) else 0


def measure(bars: frozenset[str], size: Size, folder: Path) -> list[str]:
    """Runs what is needed, writes what is found; the groups that failed, by name."""
    plan = chosen(bars)
    found: dict[str, list[Figure]] = defaultdict(list)
    failed = []
    for at, (group, of_it) in enumerate(plan, 1):
        short = size == SHORT
        minutes = "a minute or two" if short else f"about {group.expected(of_it):.0f} minutes"
        rest = sum(other.expected(its) for other, its in plan[at:])
        names = ", ".join(bar for bar in BARS if bar in of_it)
        after = f", then {rest:.0f} more" if rest and not short else ""
        print(f"\n== {at}/{len(plan)} {names}: {minutes}{after}", flush=True)
        try:
            run(group, of_it, size, folder, found)
        except (Exception, SystemExit):
            # The rest is measured all the same: hours later nobody wants to begin anew.
            traceback.print_exc()
            failed.append(names)
    return failed


def run(
    group: Group, bars: frozenset[str], size: Size, folder: Path, found: dict[str, list[Figure]]
) -> None:
    """One group. `found` is added to: two groups may have figures of one bar."""
    circumstances = Circumstances()
    figures, versions = load(group).measure(bars, size)
    about = circumstances.close(versions)
    for bar, of_it in figures.items():
        found[bar] += of_it
        path = Result(bar, tuple(found[bar]), about, short=size == SHORT).write(folder)
        print(f"\n{bar}: {BARS[bar]}\n{table(of_it)}\n{path}")
    print(f"{about['seconds']} s, load {about['load_start']} before, {about['load_end']} after")


def load(group: Group) -> Any:
    """The module that measures it. Only now: each brings a cluster's whole stage along."""
    return importlib.import_module(f"bench.{group.module}")


def write_report(folder: Path) -> int:
    found = read_all(folder)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "README.md"
    target.write_text(report.markdown(found), encoding="utf-8")
    print(f"\n{target}")
    try:
        plot.draw(found, folder / "results.svg")
    except ImportError:
        print("no plot: matplotlib is in the extra `bench` (pip install --editable '.[bench]')")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {bar.lower():4} {title}" for bar, title in BARS.items())
    minutes = sum(group.expected(of_it) for group, of_it in chosen(frozenset(BARS)))
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        epilog=f"{listed}\n\nall of it takes about {minutes:.0f} minutes on two cores",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", nargs="*", metavar="BAR", help="p1 to p10, all, or report")
    parser.add_argument("--short", action="store_true", help="in seconds, to see that it works")
    parser.add_argument("--out", type=Path, help="folder of the JSON files and the report")
    return parser


if __name__ == "__main__":
    started = time.monotonic()
    code = main()
    print(f"{(time.monotonic() - started) / 60:.1f} minutes")
    sys.exit(code)
