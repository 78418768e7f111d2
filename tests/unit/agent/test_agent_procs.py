"""The node's processes, in /proc and signalled."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from localregistry.agent.procs import Process, Processes

from .standins import Node

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="the node's daemons are root's")


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    # Under nohup a child would ignore the very signal that is tested.
    default = functools.partial(signal.signal, signal.SIGHUP, signal.SIG_DFL)
    process = subprocess.Popen(["sleep", "60"], preexec_fn=default)
    yield process
    process.kill()
    process.wait()


def _find(sleeper: subprocess.Popen[bytes]) -> Process:
    deadline = time.monotonic() + 5
    # A new process has its parent's name until the kernel has set its own.
    while (found := Processes().get(sleeper.pid, "sleep")) is None or not found.cmdline[1:]:
        assert time.monotonic() < deadline
    return found


@needs_root
def test_a_process_is_found_by_its_name(sleeper: subprocess.Popen[bytes]) -> None:
    found = _find(sleeper)
    assert found.cmdline == ("sleep", "60")
    assert found in Processes().named("sleep")
    assert Processes().get(sleeper.pid, "other") is None
    assert Processes().alive(found.identity)


@needs_root
@pytest.mark.parametrize("pidfd", [True, False], ids=["by pidfd", "without pidfd"])
def test_a_signal_goes_to_exactly_this_start(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, pidfd: bool
) -> None:
    found = _find(sleeper)
    if not pidfd:

        def refuse(_: int) -> int:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "pidfd_open", refuse)
    reborn = Process(found.pid, found.comm, identity=f"{found.identity}0")
    assert not Processes().signal_hup(reborn)
    assert sleeper.poll() is None
    assert Processes().signal_hup(found)
    assert sleeper.wait(5) == -signal.SIGHUP
    assert not Processes().signal_hup(found)
    assert not Processes().alive(found.identity)


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
