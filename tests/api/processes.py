"""Child processes that end with the test, whatever becomes of it."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1

# From below those that Linux gives to outgoing connections (32768 and up): one of these might take
# the port before the program that it is for.
_FIRST_PORT, _PORTS, _SHARES = 20_000, 10_000, 10


@dataclass
class Process:
    """One program, its output in a log file; `stop` and `restart` may be called in any order."""

    name: str
    command: Sequence[str | Path]
    log: Path
    _running: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(cls, name: str, command: Sequence[str | Path], log: Path) -> Process:
        process = cls(name, command, log)
        process.restart()
        return process

    def restart(self) -> None:
        """Starts the program again with the same arguments; ends it first where it runs."""
        self.stop()
        with self.log.open("ab") as output:
            self._running = subprocess.Popen(
                [str(part) for part in self.command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=_end_with_parent,
            )

    def check(self) -> None:
        """Raises where the program has ended by itself, with the end of its log."""
        if self._running is not None and self._running.poll() is not None:
            tail = self.log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{self.name} ended with {self._running.returncode}: {tail}")

    @property
    def alive(self) -> bool:
        return self._running is not None and self._running.poll() is None

    @property
    def pid(self) -> int:
        assert self._running is not None
        return self._running.pid

    def kill(self) -> None:
        """SIGKILL at once, from any thread; `restart` or `stop` collects it."""
        if self._running is not None:
            self._running.send_signal(signal.SIGKILL)

    def stop(self, *, kill: bool = False) -> None:
        """SIGTERM, then SIGKILL after 10 s; at once with `kill`, as in a crash."""
        if self._running is None:
            return
        running, self._running = self._running, None
        running.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            running.wait(timeout=10)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait(timeout=10)

    def signal(self, number: int) -> None:
        assert self._running is not None
        self._running.send_signal(number)

    def pause(self) -> None:
        """The process hangs: connections are taken, nothing is answered."""
        assert self._running is not None
        self._running.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._running is not None
        self._running.send_signal(signal.SIGCONT)


def wait_until(
    is_true: Callable[[], bool], *, timeout: float, what: str, interval: float = 0.2
) -> None:
    """Polls; raises AssertionError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not is_true():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:.0f} s in vain for {what}")
        time.sleep(interval)


def _own_ports() -> Iterator[int]:
    """Those of this process of a test run, each again only after all others.

    A port is free until its program listens, seconds later. So the processes of one run draw from
    shares of their own, and no process draws a port twice in short order. Mixed by chance of the
    system's, since test runs side by side may draw the same of Python's.
    """
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    share = list(range(_FIRST_PORT, _FIRST_PORT + _PORTS))[number % _SHARES :: _SHARES]
    random.SystemRandom().shuffle(share)
    return itertools.cycle(share)


_ports = _own_ports()


def free_port() -> int:
    """A port that nobody listens on at this moment, by any address of this machine: nodes and
    Services have addresses of loopback other than 127.0.0.1."""
    for port in itertools.islice(_ports, 100):
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("", port))
            return port
    raise RuntimeError("of 100 ports none is free")


def _end_with_parent() -> None:
    """Without it a killed test run would leave an API server behind. Linux only, as the tests."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
