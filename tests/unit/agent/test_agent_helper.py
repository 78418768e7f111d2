"""The helper's process starts as its parent was started."""

from __future__ import annotations

import subprocess
import sys

import pytest

PARENT = """
import subprocess, sys
from localregistry.agent.helper import PYTHON
child = [*PYTHON, "-c", "import sys; print(sys.flags.optimize, sys.flags.isolated)"]
sys.exit(subprocess.run(child).returncode)
"""


@pytest.mark.parametrize(("flags", "level"), [([], 0), (["-O"], 1), (["-OO"], 2)])
def test_a_helper_is_isolated_and_as_optimized_as_the_agent(flags: list[str], level: int) -> None:
    done = subprocess.run(
        [sys.executable, *flags, "-c", PARENT],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == (f"{level} 1\n", 0), done.stderr
