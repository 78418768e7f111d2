"""The reasons on the page of troubles, and the one test that has seen each of them.

A row of a table names it behind the reason, a heading on the line below it:

    | `ClaimLost` <!-- seen by test_a_claim_that_is_lost_is_told --> | the claim is there, its ...

That test makes the situation, on real parts or by injecting it, and compares reason and message.
`python -m documented.reasons` tells how many rows there are, and fails where one is not seen.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from documented.blocks import ROOT
from localregistry.spec.reasons import Reason
from localregistry.trust import NodeReason

PAGE = "docs/reference/troubleshooting.md"
# What fails a test where it is not so: an assertion, and what is waited for by these functions.
WAITS = ("wait_until", "wait_for", "until")

_ROW = re.compile(r"^\| (?P<names>`[A-Z]\w+`(?:, `[A-Z]\w+`)*)(?P<rest>[^|]*)\|")
_HEADING = re.compile(r"^### (?P<name>[A-Z]\w+)$")
_CLAIM = re.compile(r"<!-- seen by (?P<tests>[\w, ]+) -->")
_ENUMS: Mapping[str, type[Reason] | type[NodeReason]] = {"Reason": Reason, "NodeReason": NodeReason}


@dataclass(frozen=True)
class Row:
    """A reason, the line of the page that explains it, the tests that are said to have seen it."""

    reason: str
    line: int
    tests: tuple[str, ...]


@dataclass(frozen=True)
class Test:
    """A test function: the tier it is of (its folder below tests/), what it compares."""

    tier: str
    compared: frozenset[str]
    compares_words: bool


def rows(page: str) -> Iterator[Row]:
    """Of the page's text; what is no reason has no row, such as the cause of a failed pull."""
    known = {reason.value for reason in (*Reason, *NodeReason)}
    lines = page.splitlines()
    for number, line in enumerate(lines, 1):
        row, heading = _ROW.match(line), _HEADING.match(line)
        if row:
            names, claim = re.findall(r"`(\w+)`", row["names"]), _CLAIM.search(row["rest"])
        elif heading and heading["name"] in known:
            names, claim = [heading["name"]], _CLAIM.match("".join(lines[number : number + 1]))
        else:
            continue
        tests = tuple(re.split(r"[, ]+", claim["tests"])) if claim else ()
        yield from (Row(name, number, tests) for name in names)


def functions(root: Path) -> dict[str, list[Test]]:
    """The functions of all files of tests by their names."""
    found: dict[str, list[Test]] = {}
    for path in sorted((root / "tests").glob("*/**/test_*.py")):
        tier = path.relative_to(root / "tests").parts[0]
        for name, test in read(path.read_text(encoding="utf-8"), tier):
            found.setdefault(name, []).append(test)
    return found


def read(source: str, tier: str) -> Iterator[tuple[str, Test]]:
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            compared = frozenset(_texts(node))
            yield node.name, Test(tier, compared, any(map(_is_message, ast.walk(node))))


def missing(row: Row, known: Mapping[str, list[Test]]) -> str:
    """What this row lacks, as a sentence; "" where its one test has seen it."""
    place = f"{PAGE}:{row.line} {row.reason}"
    if len(row.tests) != 1:
        return f"{place}: names {len(row.tests)} tests and not one"
    [name] = row.tests
    found = known.get(name, [])
    if len(found) != 1:
        return f"{place}: there are {len(found)} tests {name}"
    if row.reason not in found[0].compared:
        return f"{place}: {name} does not compare the reason"
    if not found[0].compares_words:
        return f"{place}: {name} does not look at the message"
    return ""


def _texts(test: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    """Each text and each reason in what fails the test, its table of cases included."""
    for part in (*test.decorator_list, *_conditions(test)):
        for node in ast.walk(part):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                enum = _ENUMS.get(node.value.id)
                if enum and node.attr in enum.__members__:
                    yield enum[node.attr].value


def _conditions(test: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(test):
        if isinstance(node, ast.Assert):
            yield node.test
        elif isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in WAITS:
                yield node


def _is_message(node: ast.AST) -> bool:
    return "message" in (
        getattr(node, "attr", ""),  # .message
        getattr(node, "id", ""),  # message(...)
        getattr(node, "value", ""),  # ["message"]
    )


def main() -> int:
    known = functions(ROOT)
    found = list(rows((ROOT / PAGE).read_text(encoding="utf-8")))
    faults = [fault for row in found if (fault := missing(row, known))]
    for fault in faults:
        print(fault)
    by_tier = Counter(test.tier for row in found for name in row.tests for test in known[name][:1])
    where = ", ".join(f"{tier} {count}" for tier, count in by_tier.most_common())
    print(f"{len(found) - len(faults)} of {len(found)} reasons seen by their test ({where})")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
