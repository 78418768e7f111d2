"""Measures when it is asked and the last measurement is old: nobody asks, nothing is done.

In a thread of its own, so that storage which hangs holds up nobody but it.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable

from localregistry.usage import volume
from localregistry.usage.blobs import Walk
from localregistry.usage.report import Kind, Usage

# However many ask, and however often.
FRESH_SECONDS = 10.0
# Who asks waits this long for a new measurement, then gets the last: the operator waits 3 s.
PATIENCE_SECONDS = 1.5
# Once an hour everything is read, whatever the folders' times say: half a second for 100,000 blobs.
FULL_SECONDS = 3600.0


class NotMeasured(Exception):
    """There is nothing to tell; the message says why."""


def gauge(root: str, walk: Walk, *, mountinfo: Callable[[], str] = volume.read_mountinfo) -> Usage:
    """One measurement of the volume at `root`. Raises OSError."""
    if volume.is_own_device(mountinfo(), root):
        sizes = volume.sizes(root)
        used = max(0, sizes["capacity"] - sizes["free"])
        return Usage(Kind.VOLUME, used, **sizes, read_only=False)
    found = walk.sum()
    sizes = volume.sizes(root)
    return Usage(Kind.BLOBS, found.size, blobs=found.blobs, **sizes, read_only=False)


class Meter:
    """`measure` may take long and may raise; `forget` is called before a full measurement."""

    def __init__(
        self,
        measure: Callable[[], Usage],
        *,
        forget: Callable[[], None] = lambda: None,
        log: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._measure = measure
        self._forget = forget
        self._log = log
        self._clock = clock
        self._news = threading.Condition()
        self._wanted = True
        self._rounds = 0
        self._last: Usage | None = None
        self._at = 0.0
        self._failure = ""
        self._full_at = clock()

    def start(self) -> None:
        """The first measurement begins at once: whoever asks first shall not wait for it."""
        threading.Thread(target=self._run, daemon=True).start()

    def usage(self, *, patience: float = PATIENCE_SECONDS) -> Usage:
        """Raises NotMeasured."""
        with self._news:
            if not self._rounds or self._clock() - self._at >= FRESH_SECONDS:
                rounds = self._rounds
                self._wanted = True
                self._news.notify_all()
                self._news.wait_for(lambda: self._rounds > rounds, patience)
            if self._failure:
                raise NotMeasured(self._failure)
            if self._last is None:
                raise NotMeasured("the first measurement is under way")
            return dataclasses.replace(self._last, age=max(0.0, self._clock() - self._at))

    def _run(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._wanted)
            self._round()

    def _round(self) -> None:
        usage, failure = None, ""
        try:
            if self._clock() - self._full_at >= FULL_SECONDS:
                self._full_at = self._clock()
                self._forget()
            usage = self._measure()
        except Exception as error:
            # Whatever it is: a process that ends would take the registry's pod out of service.
            failure = f"the volume cannot be measured: {error}"
        with self._news:
            if failure and failure != self._failure:
                self._log(failure)
            self._failure = failure
            self._last = usage or self._last
            self._at = self._clock()
            self._rounds += 1
            # Who asked meanwhile gets this one.
            self._wanted = False
            self._news.notify_all()
