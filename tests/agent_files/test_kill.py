"""kill -9 at every system call of a write: old or new at the next start, and never half."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kind import debian, progress

ROOT = Path(__file__).parents[2]


def kill_everywhere(way: str, directory: Path) -> dict[str, Any]:
    assert os.geteuid() == 0, "these tests mount and give files away: run them as root"
    debian.require("strace", progress.Progress(0), otherwise="install it for this test")
    paths = os.pathsep.join([str(ROOT / "operator"), str(ROOT / "tests")])
    unshare = ("unshare", "--mount", "--propagation", "private")
    done = subprocess.run(
        [*unshare, sys.executable, "-m", "agent_files.killer", way, str(directory)],
        env={**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    print(f"{way}: {result['points']} kills: {result['seen']}")
    return result


@pytest.mark.parametrize(
    ("way", "least", "states"),
    [
        ("rename", 100, {"old", "new"}),
        ("new file", 100, {"old", "new"}),
        ("in place", 150, {"old", "new", "between, mended"}),
    ],
)
def test_a_kill_at_every_system_call_leaves_old_or_new(
    way: str, least: int, states: set[str], tmp_path: Path
) -> None:
    result = kill_everywhere(way, tmp_path)
    assert result["failures"] == []
    assert set(result["seen"]) == states
    assert result["points"] >= least
