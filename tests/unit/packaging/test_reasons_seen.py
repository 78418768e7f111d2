"""Each reason that the page of troubles explains has been seen, by the test that it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from documented import reasons
from documented.reasons import PAGE, Row

TEST = """
import pytest

@pytest.mark.parametrize("reason", ["Preview"])
def test_good(lab, reason):
    '''Suspicious'''
    note("ClaimLost")
    found = lab.wait_for("dev", "StorageReady", "DataLost")
    assert Reason.CLAIM_BOUND in found, "ClaimPending"
    assert "a word" in found["message"]

def test_without_words(lab):
    lab.wait_for("dev", "StorageReady", "DataLost")
"""


def test_every_row_is_seen_by_its_test(root: Path) -> None:
    found = list(reasons.rows((root / PAGE).read_text()))
    assert len(found) >= 50, "the tables were not read"
    known = reasons.functions(root)
    assert [fault for row in found if (fault := reasons.missing(row, known))] == []


@pytest.mark.parametrize(
    ("reason", "tests", "fault"),
    [
        ("DataLost", ("test_good",), ""),
        ("ClaimBound", ("test_good",), ""),
        ("Preview", ("test_good",), ""),
        ("DataLost", (), "names 0 tests"),
        ("DataLost", ("test_good", "test_without_words"), "names 2 tests"),
        ("DataLost", ("test_gone",), "there are 0 tests test_gone"),
        ("ClaimLost", ("test_good",), "does not compare the reason"),
        ("ClaimPending", ("test_good",), "does not compare the reason"),
        ("DataLost", ("test_without_words",), "does not look at the message"),
    ],
)
def test_what_is_not_seen_is_found(reason: str, tests: tuple[str, ...], fault: str) -> None:
    known = {name: [test] for name, test in reasons.read(TEST, "api")}
    found = reasons.missing(Row(reason, 7, tests), known)
    assert fault in found
    assert bool(fault) == bool(found)


def test_a_row_and_a_heading_name_their_tests() -> None:
    page = """
| `Pending` <!-- seen by test_a --> | waits |
| `DataLost`, `ClaimLost` <!-- seen by test_b --> | gone |
| `Preview` | nothing <!-- seen by test_c --> |
### DataLost
<!-- seen by test_d -->
### Pods could not pull
| `no such host` | none of ours |
"""
    assert list(reasons.rows(page)) == [
        Row("Pending", 2, ("test_a",)),
        Row("DataLost", 3, ("test_b",)),
        Row("ClaimLost", 3, ("test_b",)),
        Row("Preview", 4, ()),
        Row("DataLost", 5, ("test_d",)),
    ]
