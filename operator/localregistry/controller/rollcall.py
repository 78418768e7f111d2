"""Who is missing when a watch is begun anew: pure.

kopf resumes a watch that was cut where it was. Where the API server no longer knows that place,
kopf lists anew and tells of all that are there, but of nobody who went in between. So, per kind,
what is known when that list is asked for must be told of until it has been handed over; the others
are gone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from localregistry.controller.kinds import Kind

# From the last page of a list until kopf has handed over each object of it: two hundred take it
# some 0.1 s, and a busy machine many times that. Who is late is looked at for nothing, no more.
HANDED_OVER_SECONDS = 2.0


class RollCall:
    """Single event loop only.

    `known(kind)` maps tokens, as a UID, to what `missing(kind, what)` is then called with. `later`
    is the loop's `call_later`.
    """

    def __init__(
        self,
        known: Callable[[Kind], Mapping[str, Any]],
        missing: Callable[[Kind, Any], None],
        *,
        later: Callable[..., object],
    ) -> None:
        self._known = known
        self._missing = missing
        self._later = later
        # Those who have not been told of yet. A list that is begun once more starts afresh.
        self._calls: dict[Kind, dict[str, Any]] = {}

    def listing(self, kind: Kind) -> None:
        """A list is asked for: all that are known now must be in it. What is made from now on a
        watch will tell of."""
        self._calls[kind] = dict(self._known(kind))

    def seen(self, token: str) -> None:
        """It was told of, by a list or by a watch."""
        for call in self._calls.values():
            call.pop(token, None)

    def listed(self, kind: Kind) -> None:
        """The whole list is in kopf's hands."""
        if call := self._calls.get(kind):
            self._later(HANDED_OVER_SECONDS, self._end, kind, call)
        else:
            self._calls.pop(kind, None)

    def _end(self, kind: Kind, call: dict[str, Any]) -> None:
        if self._calls.get(kind) is not call:
            return
        del self._calls[kind]
        for what in call.values():
            self._missing(kind, what)
