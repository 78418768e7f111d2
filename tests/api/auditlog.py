"""An API server's audit log, read from its end: a tier's log grows to a hundred megabytes, and
tests ask for its last seconds again and again."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FIRST_BLOCK = 1 << 18
# Events are written when their request ends, by many threads, so that their order is a rough one.
SLACK_SECONDS = 2.0


def read(path: Path, since: float) -> Iterator[dict[str, Any]]:
    """The events whose request ended at `since` (epoch) or later; without it all, in their order.
    A last line that is still in the writing is left out."""
    for line in _lines(path, since - SLACK_SECONDS).split(b"\n")[:-1]:
        event: dict[str, Any] = json.loads(line)
        if epoch(event["stageTimestamp"]) >= since:
            yield event


def epoch(timestamp: str) -> float:
    return datetime.datetime.fromisoformat(timestamp).timestamp()


def _lines(path: Path, since: float) -> bytes:
    """Whole lines up to the file's end, from one that is older than `since`, or from the first."""
    data, block = b"", FIRST_BLOCK
    with path.open("rb") as file:
        start = file.seek(0, 2)
        while start > 0:
            length = min(block, start)
            start -= length
            file.seek(start)
            data = file.read(length) + data
            block *= 2
            if start == 0:
                break
            # Where the first line begins is not known; the second is a whole one.
            _, newline, rest = data.partition(b"\n")
            oldest = rest.partition(b"\n")
            if newline and oldest[1] and epoch(json.loads(oldest[0])["stageTimestamp"]) < since:
                return rest
    return data
