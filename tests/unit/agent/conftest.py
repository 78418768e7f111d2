"""What many of the agent's tests begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from localregistry.agent import endpoint

from .looplab import Lab


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setattr(endpoint, "peer", lambda _: 77)
    made = Lab(tmp_path)
    yield made
    made.close()
