"""When a daemon may be sent its next SIGHUP."""

from __future__ import annotations

from collections.abc import Callable

# Several registries that are made together are one reload. Of the two seconds in which a change is
# proved, another 0.5 go to seeing it.
COALESCE_SECONDS = 0.5

# Each reload makes dockerd read and apply all of its file.
WINDOW_SECONDS, PER_WINDOW = 60.0, 6

# A window that is used up closes until its first signal is a minute old. Where the next one is used
# up as soon, somebody goes on for ever: then a pause on top, doubled each time.
PAUSE_SECONDS, MAX_PAUSE_SECONDS = 60.0, 600.0


class Pace:
    """Asked before each signal but those of a roll-back or withdrawal, which never wait and do not
    count: taking trust away must not keep the next registry waiting."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._wanted_since: float | None = None
        self._signals: list[float] = []
        self._closed_until = float("-inf")
        self._pause = 0.0

    def wait(self) -> float:
        """Seconds until a signal that is wanted now may be sent; 0 is at once."""
        now = self._clock()
        if self._wanted_since is None:
            self._wanted_since = now
        recent = [t for t in self._signals if now - t < WINDOW_SECONDS]
        if len(recent) >= PER_WINDOW and now >= self._closed_until:
            again = now - self._closed_until < WINDOW_SECONDS
            self._pause = (
                min(max(self._pause * 2, PAUSE_SECONDS), MAX_PAUSE_SECONDS) if again else 0
            )
            self._closed_until = recent[-PER_WINDOW] + WINDOW_SECONDS + self._pause
        return max(self._wanted_since + COALESCE_SECONDS - now, self._closed_until - now, 0.0)

    def calm(self) -> None:
        """No signal is wanted any longer."""
        self._wanted_since = None

    def signalled(self) -> None:
        """One that had to wait for its turn was sent."""
        now = self._clock()
        self.calm()
        self._signals = [*(t for t in self._signals if now - t < WINDOW_SECONDS), now]
