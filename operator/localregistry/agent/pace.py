"""When a daemon may be sent its next SIGHUP."""

from __future__ import annotations

from collections.abc import Callable

# Several registries that are made together are one reload. Of the two seconds in which a change is
# proved, another 0.5 go to seeing it.
COALESCE_SECONDS = 0.5

# Each reload makes dockerd read and apply all of its file.
WINDOW_SECONDS, PER_WINDOW = 60.0, 6

# When that is used up, and doubled each time it is used up again.
PAUSE_SECONDS, MAX_PAUSE_SECONDS = 60.0, 600.0


class Pace:
    """Asked before each signal but those of a roll-back or withdrawal, which never wait."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._wanted_since: float | None = None
        self._signals: list[float] = []
        self._closed_until = 0.0
        self._pause = PAUSE_SECONDS

    def wait(self) -> float:
        """Seconds until a signal that is wanted now may be sent; 0 is at once."""
        now = self._clock()
        if self._wanted_since is None:
            self._wanted_since = now
        if len([t for t in self._signals if now - t < WINDOW_SECONDS]) >= PER_WINDOW:
            self._signals = [self._signals[-1]]
            self._closed_until = now + self._pause
            self._pause = min(self._pause * 2, MAX_PAUSE_SECONDS)
        return max(self._wanted_since + COALESCE_SECONDS - now, self._closed_until - now, 0.0)

    def calm(self) -> None:
        """No signal is wanted any longer."""
        self._wanted_since = None

    def signalled(self) -> None:
        """One was sent, whatever for."""
        now = self._clock()
        self.calm()
        if self._signals and now - self._signals[-1] > MAX_PAUSE_SECONDS:
            self._pause = PAUSE_SECONDS
        self._signals = [*(t for t in self._signals if now - t < WINDOW_SECONDS), now]
