"""What the Ingress controller keeps on disk, of what a node prints."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from bench.tempfiles import SCRIPT, Kept, read

TEXT = """\
open 2a:71 16
open 2a:71 16
open 2a:72 8
master 4242
file 2a:1 24
file 2a:2 0
"""


def test_named_files_and_unlinked_ones_are_added_up() -> None:
    assert read(TEXT) == Kept(named=24 * 512, unlinked=(16 + 8) * 512)
    assert read(TEXT).total == 48 * 512


def test_a_node_without_nginx_is_no_measurement() -> None:
    with pytest.raises(ValueError, match="no nginx"):
        read("master \n")


def test_the_script_finds_a_file_that_is_open_and_gone(tmp_path: Path) -> None:
    # The same find, on this very process in the place of nginx's.
    path = tmp_path / "body"
    with path.open("wb") as file:
        file.write(b"x" * 65536)
        file.flush()
        os.fsync(file.fileno())
        path.unlink()
        (line,) = (line for line in SCRIPT.splitlines() if "-links 0" in line)
        done = subprocess.run(
            ["sh", "-c", line],
            env={**os.environ, "pid": str(os.getpid())},
            capture_output=True,
            text=True,
            check=True,
        )
    assert read(f"{done.stdout}master 1\n").unlinked >= 65536
