"""What the operator says along with its question: how many nodes are ready. Counts, and no name.

By the query of its request, so that the container needs no right in the API, no object is written
for it, and no pod is made anew where a count changes. Whoever reaches the port can say so too, and
gains a wrong number on a page.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import NamedTuple

from localregistry.usage.report import NODES

# The operator asks every 54 s at most: three of them may go unheard.
FORGET_SECONDS = 180.0
_COUNTS = re.compile(rf"(?:^|&){NODES}=(\d{{1,6}})(?:/|%2F)(\d{{1,6}})(?:&|$)", re.ASCII)


class Nodes(NamedTuple):
    """How many have proved that they can pull, of how many that shall."""

    ready: int
    desired: int


class Told:
    """The last that was heard. None is known where nodes are not configured, and after a while."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: tuple[float, Nodes] | None = None

    def hear(self, query: str) -> None:
        """Of a request for the usage; without counts in it nothing is known any more."""
        if f"{NODES}=" not in query:
            return  # somebody who only asks
        found = _COUNTS.search(query)
        self._last = (self._clock(), Nodes(int(found[1]), int(found[2]))) if found else None

    def nodes(self) -> Nodes | None:
        last = self._last
        if last is None or self._clock() - last[0] > FORGET_SECONDS:
            return None
        return last[1]
