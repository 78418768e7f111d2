"""A de-duplicating queue of keys with back-off per key, after client-go's.

Keys, never objects: whoever takes a key reads the world as it is then. A key that is added while it
is being worked on is worked on once more afterwards, so no change is lost and none runs twice at
the same time. What a user waits for goes first.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

# The first retry is quick, since a conflict is over after one read; five minutes is the longest a
# mended cause may go unnoticed where nothing can be watched.
BACKOFF_FIRST = 0.25
BACKOFF_LAST = 300.0

# Nobody may starve those that are not urgent: of so many keys one is of theirs, once the oldest of
# them has waited for so long. Drift is to be repaired within ten seconds.
FAIR_SHARE, PATIENCE = 5, 3.0


class WorkQueue(Generic[K]):
    """Single event loop only. `clock` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self._ready: deque[K] = deque()
        self._urgent: deque[K] = deque()
        self._turn = itertools.cycle(range(FAIR_SHARE))
        self._waiting: set[K] = set()
        self._running: dict[K, float] = {}
        self._dirty: set[K] = set()
        self._failures: dict[K, int] = {}
        self._added_at: dict[K, float] = {}
        self._later: list[tuple[float, int, K]] = []
        self._due: dict[K, float] = {}
        self._order = itertools.count()
        self._wakeup = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._running)

    def add(self, key: K, *, urgent: bool = False) -> None:
        """Have the key worked on as soon as a worker is free; an `urgent` one before the others."""
        self._due.pop(key, None)
        if key in self._running:
            self._dirty.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            (self._urgent if urgent else self._ready).append(key)
            self._added_at[key] = self._clock()
            self._wakeup.set()

    def add_after(self, key: K, seconds: float) -> None:
        """Have it worked on then; an earlier appointment of the same key stands."""
        due = self._clock() + seconds
        if key in self._waiting or self._due.get(key, float("inf")) <= due:
            return
        self._due[key] = due
        heapq.heappush(self._later, (due, next(self._order), key))
        self._wakeup.set()

    def add_failed(
        self, key: K, *, longest: float = BACKOFF_LAST, at_least: float | None = None
    ) -> float:
        """Back-off that doubles with each failure in a row; returns the seconds chosen.

        `at_least` is what the server asked to be left alone for: it may exceed `longest`.
        """
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        seconds: float = min(BACKOFF_FIRST * 2 ** min(failures, 20), longest)
        seconds = max(seconds * random.uniform(0.8, 1.2), at_least or 0.0)
        self.add_after(key, seconds)
        return seconds

    def forget(self, key: K) -> None:
        """The key went well: the next failure starts from the first back-off again."""
        self._failures.pop(key, None)

    async def get(self) -> K:
        """The next key; it counts as running until `done`."""
        while True:
            self._promote()
            if self._waiting:
                key = self._next()
                self._waiting.discard(key)
                self._running[key] = self._clock()
                self._added_at.pop(key, None)
                return key
            self._wakeup.clear()
            wait = self._later[0][0] - self._clock() if self._later else None
            try:
                # Not wait_for: in Python 3.11 it loses a cancellation that meets an answer.
                async with asyncio.timeout(wait):
                    await self._wakeup.wait()
            except TimeoutError:
                continue

    def _next(self) -> K:
        if self._urgent and not (next(self._turn) == 0 and self._impatient()):
            return self._urgent.popleft()
        return self._ready.popleft()

    def _impatient(self) -> bool:
        return bool(self._ready) and self._clock() - self._added_at[self._ready[0]] >= PATIENCE

    def done(self, key: K) -> None:
        self._running.pop(key, None)
        if key in self._dirty:
            self._dirty.discard(key)
            self.add(key)

    def oldest_age(self) -> float:
        """Seconds that the longest waiting ready key has waited: 0 when none waits."""
        if not self._added_at:
            return 0.0
        return self._clock() - min(self._added_at.values())

    def longest_run(self) -> float:
        """Seconds that the longest running key has been worked on: 0 when none is."""
        if not self._running:
            return 0.0
        return self._clock() - min(self._running.values())

    def _promote(self) -> None:
        now = self._clock()
        while self._later and self._later[0][0] <= now:
            due, _, key = heapq.heappop(self._later)
            if self._due.get(key) == due:
                self.add(key)
