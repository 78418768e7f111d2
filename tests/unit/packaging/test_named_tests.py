"""The tests that the documentation names are there, in the tier that it says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PAGES = ("docs/reference/faults.md", "docs/reference/runtimes.md")
# Of the faults' page: what every release has to have seen, but what removes all of it.
CASES = {
    *("A1", "A2", "A6", "A16", "A18", "A20", "B6", "B7", "B8", "B9", "B10"),
    *("E1", "E2", "E3", "E4", "E7", "E12", "F1", "F2", "F3"),
}
# Part of another tier, by what runs them.
RUN_WITH = {"agent_files": "agent"}


class Row(NamedTuple):
    """One case of the faults' page: its letters, the tests, where they are said to be."""

    cases: set[str]
    tests: list[str]
    tiers: set[str]


@pytest.fixture(scope="module")
def tests(root: Path) -> dict[str, set[str]]:
    """The tiers of each test, by its name."""
    found: dict[str, set[str]] = {}
    for path in (root / "tests").glob("*/**/test_*.py"):
        tier = path.relative_to(root / "tests").parts[0]
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found.setdefault(node.name, set()).add(RUN_WITH.get(tier, tier))
    return found


def named(text: str) -> list[str]:
    return re.findall(r"`(test_\w+)`", text)


def rows(page: str) -> Iterator[Row]:
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and re.match(r"[A-F]\d", cells[0]):
            yield Row(set(cells[0].split(", ")), named(cells[2]), set(cells[3].split(", ")))


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_a_page_names_is_there(
    root: Path, tests: dict[str, set[str]], page: str
) -> None:
    found = named((root / page).read_text())
    assert found
    assert [name for name in found if name not in tests] == []


def test_each_is_in_a_tier_of_its_row_and_each_tier_has_one(
    root: Path, tests: dict[str, set[str]]
) -> None:
    for row in rows((root / "docs/reference/faults.md").read_text()):
        for name in row.tests:
            assert tests[name] & row.tiers, f"{row.cases}: {name} is in {tests[name]}"
        if row.tests:
            assert set().union(*(tests[name] for name in row.tests)) >= row.tiers, row.cases


def test_every_case_that_matters_has_its_row(root: Path) -> None:
    found = list(rows((root / "docs/reference/faults.md").read_text()))
    assert CASES - set().union(*(row.cases for row in found)) == set()
    assert all(row.tests for row in found)
