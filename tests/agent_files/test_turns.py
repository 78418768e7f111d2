"""Two agents on one node, as for a moment during a rolling update: one after the other."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TURNS = 100


def test_two_agents_never_interleave(tmp_path: Path) -> None:
    hosts = tmp_path / "root/etc/hosts"
    hosts.parent.mkdir(parents=True)
    hosts.write_bytes(b"127.0.0.1\tlocalhost\n")
    paths = os.pathsep.join([str(ROOT / "operator"), str(ROOT / "tests")])
    places = [str(tmp_path / "root"), str(tmp_path / "state")]
    agents = [
        subprocess.Popen(
            [sys.executable, "-m", "agent_files.turns", *places, name, str(TURNS)],
            env={**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        for name in ("one", "other")
    ]
    assert [agent.wait(timeout=90) for agent in agents] == [0, 0]
    notes = (tmp_path / "root/turns").read_text().split("\n")[:-1]
    begins, ends = notes[::2], notes[1::2]
    assert [note.removesuffix(" begins") for note in begins] == [
        note.removesuffix(" ends") for note in ends
    ]
    assert len(begins) == len(ends) == 2 * TURNS
    # Both had turns in between: they did not just run one after the other.
    assert sum(a != b for a, b in itertools.pairwise(begins)) > 1
    assert hosts.read_bytes() == b"127.0.0.1\tlocalhost\n"
    # Whoever came last left nothing, or nothing but the directory to whom it just was refused.
    left = [p.name for p in (tmp_path / "state").iterdir()] if (tmp_path / "state").exists() else []
    assert left in ([], ["lock"])
