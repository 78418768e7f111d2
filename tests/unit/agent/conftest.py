"""What many of the agent's tests begin with."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from localregistry.agent import endpoint

from .looplab import Lab


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A short one: the path of a socket below it may have 107 bytes, and pytest's own name the
    test, and the process where several run side by side. What is watched beside it is quiet."""
    with tempfile.TemporaryDirectory(prefix="lr-") as folder:
        path = Path(folder) / "t"
        path.mkdir()
        yield path


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setattr(endpoint, "peer", lambda _: 77)
    made = Lab(tmp_path)
    yield made
    made.close()
