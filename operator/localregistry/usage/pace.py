"""Work that must not be noticed: a bounded share of one core, whatever there is to do."""

from __future__ import annotations

import time
from collections.abc import Callable

# 100,000 blobs take 0.7 s of a core, and so 16 s; a registry of the usual size is through within
# the first slices.
SHARE = 0.05
SLICE_SECONDS = 0.01


class Pace:
    """Called often; sleeps after each slice of CPU time, so that `share` of it was worked.

    CPU time and not the clock's: who waits for a slow disk or server costs nothing meanwhile.
    """

    def __init__(
        self,
        *,
        share: float = SHARE,
        spent: Callable[[], float] = time.thread_time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rest = 1 / share - 1
        self._spent = spent
        self._sleep = sleep
        self._since: float | None = None

    def __call__(self) -> None:
        now = self._spent()
        if self._since is None or now < self._since:
            # The first call, or one of another thread.
            self._since = now
            return
        worked = now - self._since
        if worked >= SLICE_SECONDS:
            self._sleep(worked * self._rest)
            self._since = now
