"""What a log tells of its last seconds is what a reading of all of it tells."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from api import auditlog

FIRST = 1_800_000_000


def line(second: float, **more: Any) -> str:
    at = datetime.fromtimestamp(FIRST + second, UTC).isoformat().replace("+00:00", "Z")
    return json.dumps({"stageTimestamp": at, "second": second, **more}) + "\n"


def seconds(path: Path, since: float) -> list[float]:
    return [event["second"] for event in auditlog.read(path, FIRST + since)]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Larger than several blocks: 20,000 lines of 100 bytes, ten a second."""
    path = tmp_path / "audit.log"
    path.write_text("".join(line(n / 10, filler="x" * 40) for n in range(20_000)))
    assert path.stat().st_size > 4 * auditlog.FIRST_BLOCK
    return path


@pytest.mark.parametrize("since", [-5, 0, 0.1, 700, 1500.5, 1990, 1999.9, 2000, 9999])
def test_the_end_tells_what_the_whole_tells(log: Path, since: float) -> None:
    whole = [n / 10 for n in range(20_000)]
    assert seconds(log, since) == [second for second in whole if second >= since]


def test_without_a_time_it_is_all(log: Path) -> None:
    assert len([*auditlog.read(log, 0.0)]) == 20_000


def test_what_comes_a_little_out_of_order_is_found(log: Path) -> None:
    with log.open("a") as file:
        file.write(line(1990) + line(2001) + line(1999.5) + line(2002))
    assert seconds(log, 2000.5) == [2001, 2002]
    in_time = [1999.4, 1999.5, 1999.6, 1999.7, 1999.8, 1999.9]
    assert seconds(log, 1999.4) == [*in_time, 2001, 1999.5, 2002]


def test_a_line_in_the_writing_is_left_for_the_next_time(log: Path) -> None:
    text = line(2003)
    with log.open("a") as file:
        file.write(text[:30])
    assert seconds(log, 2000) == []
    with log.open("a") as file:
        file.write(text[30:])
    assert seconds(log, 2000) == [2003]


def test_an_empty_log_tells_nothing(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.touch()
    assert seconds(path, 0) == []
