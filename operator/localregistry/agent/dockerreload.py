"""SIGHUP to dockerd, and the proof that it did what was meant."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from localregistry.agent import dockerapi, dockerwords
from localregistry.agent.dockernode import Found
from localregistry.agent.paths import HostRoot
from localregistry.agent.procs import Processes
from localregistry.trust import NodeResult

# A reload takes 10 to 30 ms; a loaded daemon gets more.
CONFIRM_SECONDS = 5.0

# After a refusal nothing is tried again with the same daemon and the same file for this long,
# doubling up to the second: every SIGHUP also applies what the administrator left pending.
REFUSED_SECONDS, REFUSED_MAX_SECONDS = 60.0, 600.0


class Gone(Exception):
    """The daemon went, or is another start of itself: nothing is known of what it would have said.
    `told`: it had been sent the signal, and may have died of it."""

    def __init__(self, *, told: bool) -> None:
        super().__init__()
        self.told = told


@dataclass(frozen=True)
class Reload:
    """One signal and its confirmation."""

    host: HostRoot
    processes: Processes
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def run(
        self,
        found: Found,
        *,
        present: Collection[str],
        absent: Collection[str],
        kept: Collection[str] = (),
    ) -> str | None:
        """None when the running daemon trusts all of `present` and `kept` and none of `absent`;
        else in a sentence what it says. A signal has no answer, and the log may say both: /info
        counts. Raises Gone."""
        if not dockerapi.ping(found.api) or not self.processes.signal_hup(found.process):
            raise Gone(told=False)
        deadline = self.clock() + CONFIRM_SECONDS
        pause, version = 0.01, ""
        insecure: Collection[str] | None = None
        while True:
            try:
                info = dockerapi.info(found.api)
                version, insecure = info.version, info.insecure
                if {*present, *kept} <= info.insecure and not set(absent) & info.insecure:
                    return None
            except dockerapi.NoAnswer:
                pass
            if not self.processes.alive(found.identity):
                raise Gone(told=True)
            if self.clock() > deadline:
                break
            self.sleep(pause)
            pause = min(pause * 2, 0.5)
        words = dockerwords.ask(self.host, found.process, version)
        if words:
            return words
        if insecure is not None and (lost := sorted(set(kept) - set(insecure))):
            return f"It trusts {', '.join(lost)} no longer, which it did before."
        return "It gave no reason; look at its log."

    def comes_back(self, found: Found, seconds: float) -> bool:
        """Whether another start of the daemon serves within this time."""
        deadline = self.clock() + seconds
        while not dockerapi.ping(found.api):
            if self.clock() > deadline:
                return False
            self.sleep(0.2)
        return True


class Refusals:
    """What a daemon did not take, so that it is not asked in a loop. Not kept over a restart.
    "" is the identity of any start of it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._key: tuple[str, bytes | None] | None = None
        self._until = 0.0
        self._pause = REFUSED_SECONDS
        self._result: NodeResult | None = None

    def known(self, identity: str, listing: bytes | None) -> NodeResult | None:
        same = self._key in ((identity, listing), ("", listing)) and self._clock() < self._until
        return self._result if same else None

    def remember(self, identity: str, listing: bytes | None, result: NodeResult) -> None:
        again = self._key == (identity, listing)
        self._pause = min(self._pause * 2, REFUSED_MAX_SECONDS) if again else REFUSED_SECONDS
        self._key, self._result = (identity, listing), result
        self._until = self._clock() + self._pause
