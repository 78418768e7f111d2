"""Progress lines on standard error: what is being done, how long it may take, what was cached."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Progress:
    """Numbers the steps of one command: ``[3/14] kube-apiserver: building (about 280 s cold)``."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0

    def grow(self, more: int) -> None:
        """Announce further steps, known only now."""
        self._total += more

    def cached(self, name: str) -> None:
        """One line for a step that has nothing to do."""
        self._say(f"{self._next()} {name}: cached\n")

    @contextmanager
    def step(
        self, name: str, doing: str, *, seconds: int | None = None, otherwise: str = "FAILED"
    ) -> Iterator[None]:
        """Print the line before the work, its duration after it.

        ``seconds`` is what the work takes on two cores with cold caches; ``otherwise`` is what to
        call it where it does not succeed.
        """
        about = f" (about {seconds} s cold)" if seconds else ""
        self._say(f"{self._next()} {name}: {doing}{about} ... ")
        start = time.monotonic()
        try:
            yield
        except BaseException:
            self._say(f"{otherwise} after {time.monotonic() - start:.0f} s\n")
            raise
        self._say(f"done in {time.monotonic() - start:.0f} s\n")

    def _next(self) -> str:
        self._done += 1
        return f"[{self._done}/{max(self._total, self._done)}]"

    @staticmethod
    def _say(text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


def say(text: str) -> None:
    """One line on standard error."""
    print(text, file=sys.stderr, flush=True)
