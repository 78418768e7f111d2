"""Holds for a moment what the watches tell, and drops what turns out to be our own write.

Each write of ours comes back by the watches. A run on it would read and apply everything for
nothing; while many resources are created, those runs would take their turns before the others'
first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from localregistry.controller.claims import Key

# The answer to a write comes about when its event does; news of one resource within this time make
# one run.
HOLD_SECONDS = 0.1

Body = Mapping[str, Any]
Later = Callable[[float, Callable[[Key], None], Key], object]


class Echoes:
    """What a run has seen last of each object, as the answer to a write of its own."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[str, int]] = {}
        self._of: dict[str, set[str]] = defaultdict(set)

    def wrote(self, owner: str, answer: Body) -> None:
        """`owner` is the LocalRegistry's UID, `answer` the live object that the API server gave."""
        uid = answer["metadata"]["uid"]
        self._seen[uid] = _state(answer)
        self._of[owner].add(uid)

    def seen(self, body: Body) -> bool:
        """Whether a run has seen this very version, so that it is no news."""
        return self._seen.get(body["metadata"].get("uid")) == _state(body)

    def same_spec(self, body: Body) -> bool:
        """Whether a run has seen this generation of it at least."""
        seen = self._seen.get(body["metadata"].get("uid"))
        return seen is not None and seen[1] == _state(body)[1]

    def forget(self, owner: str) -> None:
        for uid in self._of.pop(owner, ()):
            self._seen.pop(uid, None)


class News:
    """Single event loop only. `add` takes a key that must be worked on, `hurry` one for which a
    user waits; `later(seconds, call, key)` is the loop's `call_later`."""

    def __init__(
        self,
        echoes: Echoes,
        *,
        add: Callable[[Key], None],
        hurry: Callable[[Key], None],
        later: Later,
    ) -> None:
        self._echoes = echoes
        self._add = add
        self._hurry = hurry
        self._later = later
        self._held: dict[Key, list[Body]] = {}

    def tell(self, key: Key, body: Body) -> None:
        """Something of `key` was seen as `body`: a child, or a status."""
        if key not in self._held:
            self._held[key] = []
            self._later(HOLD_SECONDS, self._deliver, key)
        self._held[key].append({"metadata": body["metadata"]})

    def tell_parent(self, key: Key, body: Body) -> None:
        """A LocalRegistry was seen: what its user wrote is worked on at once."""
        if self._echoes.same_spec(body):
            self.tell(key, body)
        else:
            self._hurry(key)

    def _deliver(self, key: Key) -> None:
        last = {body["metadata"].get("uid"): body for body in self._held.pop(key, ())}
        if not all(self._echoes.seen(body) for body in last.values()):
            self._add(key)


def _state(body: Body) -> tuple[str, int]:
    meta = body["metadata"]
    return str(meta.get("resourceVersion") or ""), int(meta.get("generation") or 0)
