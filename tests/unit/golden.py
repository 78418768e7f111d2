"""Golden files: what is rendered, whole, in tests/golden; `pytest --update-golden` writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def assert_golden(request: pytest.FixtureRequest, name: str, text: str) -> None:
    """The file tests/golden/<name> holds exactly `text`."""
    assert_file(request, GOLDEN / name, text)


def assert_file(request: pytest.FixtureRequest, path: Path, text: str) -> None:
    """A file that the repository holds somewhere else, such as a picture of the docs."""
    if request.config.getoption("--update-golden"):
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"no {path.name} yet: run pytest --update-golden and read the diff"
    assert text == path.read_text(encoding="utf-8")
