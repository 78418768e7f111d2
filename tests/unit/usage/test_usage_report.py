"""What the usage container answers, and what the operator makes of any answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localregistry.usage.report import Kind, Unreadable, Usage

GIB = 1 << 30


def usage(**given: Any) -> Usage:
    fields = {"used": GIB, "capacity": 10 * GIB, "free": 9 * GIB, "available": 8 * GIB}
    return Usage(Kind.VOLUME, **(fields | given))


@pytest.mark.parametrize(
    "one",
    [
        usage(),
        usage(used=0, capacity=0, free=0, available=0),
        usage(blobs=100_000, inodes=2**63, inodes_available=5, age=12.3),
        usage(read_only=True),
        Usage(Kind.BLOBS, used=3, capacity=2, free=1, available=1),
    ],
)
def test_an_answer_is_read_as_it_was_meant(one: Usage) -> None:
    assert Usage.from_json(one.to_json()) == one
    assert Usage.from_json(one.to_json().encode()) == one
    assert len(one.to_json()) < 300


def test_a_later_version_may_say_more_and_an_older_one_less() -> None:
    body = json.loads(usage().to_json())
    assert Usage.from_json(json.dumps(body | {"pages": [1]})) == usage()
    for name in ("inodes", "inodes_available", "blobs", "read_only"):
        del body[name]
    assert Usage.from_json(json.dumps(body)) == usage()


def changed(**fields: Any) -> str:
    return json.dumps(json.loads(usage().to_json()) | fields)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        b"\xff",
        "[" * 100_000,
        "9" * 5000,
        changed(kind="tape"),
        changed(kind=None),
        changed(used=-1),
        changed(used=1.5),
        changed(used=True),
        changed(used="1"),
        changed(used=2**64),
        changed(free=None),
        changed(blobs="many"),
        changed(age=-1),
        changed(age="now"),
        changed(age=float("nan")),
        changed(age=False),
        changed(read_only="no"),
        changed(read_only=1),
        changed(read_only=None),
    ],
)
def test_what_is_no_report_is_told_apart_and_nothing_else_is_raised(text: str | bytes) -> None:
    with pytest.raises(Unreadable):
        Usage.from_json(text)


@pytest.mark.parametrize(
    ("fields", "filled"),
    [
        ({"free": 10 * GIB, "available": 10 * GIB}, 0.0),
        ({"free": 5 * GIB, "available": 5 * GIB}, 0.5),
        # What only root may use is nobody's: a disk is full when others cannot write.
        ({"free": GIB, "available": 0}, 1.0),
        ({"free": 5 * GIB, "available": 5 * GIB, "inodes": 100, "inodes_available": 3}, 0.97),
        ({"free": GIB, "available": GIB, "inodes": 100, "inodes_available": 99}, 0.9),
        # A file system that tells no sizes.
        ({"capacity": 0, "free": 0, "available": 0}, 0.0),
        ({"free": 12 * GIB, "available": 12 * GIB}, 0.0),
    ],
)
def test_full_is_what_ends_first_bytes_or_inodes(fields: dict[str, int], filled: float) -> None:
    assert usage(**fields).filled == pytest.approx(filled)
