"""A dockerd that its administrator restarts at the worst moment: in the middle of a change.

strace holds the agent up between its steps, for as long as the restart takes.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from agent.conftest import only
from agent.node import NAME, Node, registry
from agent.runtimes import Docker

# A stop of dockerd takes one second, its start half a one.
HELD_SECONDS = 6


@contextmanager
def held_up(node: Node, call: str, where: str) -> Iterator[None]:
    """The agent's next `call` takes long, before (`enter`) or after (`exit`) it is done."""
    options = ["-f", "-e", f"trace={call}", "-o", "/dev/null"]
    options += ["-e", f"inject={call}:delay_{where}={HELD_SECONDS}s:when=1"]
    command = ["strace", *options, "-p", str(node.agent_pid())]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr is not None
        try:
            assert "attached" in strace.stderr.readline()
            yield
        finally:
            strace.terminate()


MOMENTS = {
    "between the write and the signal": ("pidfd_open", "enter"),
    "between the signal and the proof": ("pidfd_send_signal", "exit"),
}


@pytest.mark.parametrize(("call", "where"), MOMENTS.values(), ids=MOMENTS.keys())
@only("graphdriver")
def test_a_docker_that_is_restarted(node: Node, call: str, where: str) -> None:
    docker = node.runtime
    assert isinstance(docker, Docker)
    assert node.apply().exceptions == {}
    for wanted in ([registry()], []):
        with held_up(node, call, where):
            revision = node.trust(*wanted)
            node.until(partial(_moved, node, bool(wanted)), 20, "the write")
            if where == "exit":
                node.until(lambda: docker.signals() > 0, 20, "the signal")
            docker.restart()
            assert node.settle(revision).exceptions == {}
        assert (NAME in docker.insecure()) is bool(wanted)
        assert node.trusts() is bool(wanted)
        assert docker.alive
    assert node.changes() == {}
    # It went by itself: none of this is a refusal.
    assert "RolledBack" not in node.agent_log()


def _moved(node: Node, wanted: bool) -> bool:
    content = node.machine.read(node.runtime.config_path) or b""
    return (NAME.encode() in content) is wanted
