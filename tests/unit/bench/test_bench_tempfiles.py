"""What the Ingress controller keeps on disk, of what a node prints."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import cast

import pytest

from api.processes import wait_until
from bench.tempfiles import SCRIPT, Kept, Watched, read
from e2e.cluster import Node

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
    with pytest.raises(ValueError, match="no controller"):
        read("master \n")


class Stages:
    """A node that prints one text after the other, and the last one for ever."""

    def __init__(self, *texts: str) -> None:
        self._texts = list(texts)

    def run(self, _: str) -> str:
        return self._texts.pop(0) if len(self._texts) > 1 else self._texts[0]


def kept(*blocks: int) -> list[str]:
    return [f"master 1\nfile 1:1 {number}\n" for number in blocks]


def test_the_most_is_what_was_seen_between_before_and_after() -> None:
    node = cast(Node, Stages(*kept(2, 5, 9, 4, 2)))
    with Watched(node) as watched:
        wait_until(lambda: watched.samples >= 4, timeout=10, what="four looks")
    assert (watched.before.total, watched.most.total, watched.after.total) == (1024, 4608, 1024)


def test_what_could_not_be_seen_is_no_measurement() -> None:
    node = cast(Node, Stages(*kept(2), "master \n"))
    watched = Watched(node)
    with pytest.raises(RuntimeError, match="not seen all the time"), watched:
        wait_until(lambda: not watched.looking, timeout=10, what="the failure")


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
