"""The node's processes, in /proc."""

from __future__ import annotations

from pathlib import Path

import pytest

from .standins import Node


def test_only_the_nodes_own_daemons_of_root_count(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.process(10, "/usr/bin/dockerd", "--debug")
    node.process(11, "/usr/bin/dockerd", nspid="11\t1")
    node.process(12, "/usr/bin/dockerd", uid=1000)
    node.process(13, "/usr/bin/containerd")
    (node.proc / "14").mkdir()
    found = node.processes.named("dockerd")
    assert [process.pid for process in found] == [10]
    assert found[0].flags == {"debug": ("true",)}


@pytest.mark.parametrize("identity", ["", "x", "boot/x/1", "boot/99/1"])
def test_an_identity_of_no_process_is_not_alive(tmp_path: Path, identity: str) -> None:
    assert not Node(tmp_path).processes.alive(identity)


def test_a_name_with_blanks_and_parentheses_hides_nothing(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.process(10, "dockerd", start=77)
    stat = (node.proc / "10/stat").read_text()
    (node.proc / "10/stat").write_text(stat.replace("(dockerd)", "(a) b (c) 1 2 3)"))
    found = node.processes.named("dockerd")
    assert found[0].identity == "boot/10/77"
