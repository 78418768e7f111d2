"""Real processes, found and signalled: the node's daemons are root's."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from localregistry.agent.procs import Process, Processes


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


def test_a_process_is_found_by_its_name(sleeper: subprocess.Popen[bytes]) -> None:
    found = _find(sleeper)
    assert found.cmdline == ("sleep", "60")
    assert found in Processes().named("sleep")
    assert Processes().get(sleeper.pid, "other") is None
    assert Processes().alive(found.identity)


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
