"""Golden files: what is rendered, whole, in tests/golden; `pytest --update-golden` writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def assert_golden(request: pytest.FixtureRequest, name: str, text: str) -> None:
    """The file tests/golden/<name> holds exactly `text`."""
    path = GOLDEN / name
    if request.config.getoption("--update-golden"):
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"no {path.name} yet: run pytest --update-golden and read the diff"
    assert text == path.read_text(encoding="utf-8")
