"""Who else writes what we write, and when to stop repairing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath

from localregistry.agent.guest import Guest
from localregistry.trust import NodeReason, NodeResult

# Three undoings of a file within ten minutes are no accident. It is then left alone for as long,
# and tried once: one more undoing, and it is left alone again.
WINDOW_SECONDS, UNDOINGS, PAUSE_SECONDS = 600.0, 3, 600.0

# How far above the file a sign of another writer is looked for: <certs.d>/<host>/hosts.toml.
_LEVELS = 2


class Contention:
    """Counts how often what was brought in order was found undone, for one goal."""

    def __init__(self, clock: Callable[[], float], guest: Guest) -> None:
        self._clock = clock
        self._guest = guest
        self._goal: object = None
        self._in_order: set[str] = set()
        self._undone: dict[str, list[float]] = {}
        self._held: dict[str, tuple[float, NodeResult]] = {}

    def review(self, goal: object, paths: Iterable[str]) -> dict[str, NodeResult]:
        """Which of the files that are to be changed must be left alone, and why.

        Another `goal` is another story: its files are written, whatever was before.
        """
        if goal != self._goal:
            self._goal = goal
            self._in_order, self._undone, self._held = set(), {}, {}
        now = self._clock()
        held: dict[str, NodeResult] = {}
        for path in dict.fromkeys(paths):
            if path in self._held:
                until, result = self._held[path]
                if now < until:
                    held[path] = result
                    continue
                del self._held[path]
                self._undone[path] = [now] * (UNDOINGS - 1)
            elif path in self._in_order:
                self._in_order.discard(path)
                recent = [t for t in self._undone.get(path, ()) if now - t < WINDOW_SECONDS]
                self._undone[path] = [*recent, now]
                if len(self._undone[path]) >= UNDOINGS:
                    held[path] = self._result(path)
                    self._held[path] = now + PAUSE_SECONDS, held[path]
        return held

    def in_order(self, paths: Iterable[str]) -> None:
        """These were just written as they shall be."""
        self._in_order.update(paths)

    def _result(self, path: str) -> NodeResult:
        return NodeResult(
            NodeReason.CONTENDED,
            f"{path} was undone {UNDOINGS} times within ten minutes, {suspect(self._guest, path)}. "
            "It is left alone for ten minutes and then tried once: keep that writer from it, or "
            "leave this node out by the node selector.",
        )


def suspect(guest: Guest, path: str) -> str:
    """Words that name the likely writer: by its traces, else by the file's owner and time."""
    for parent in list(PurePosixPath(path).parents)[:_LEVELS]:
        if "_backup" in guest.children(str(parent)):
            return f"likely by Spegel, whose _backup directory is in {parent}"
    real = guest.host.resolve(path)
    gone = not real.exists()
    try:
        status = (real.parent if gone else real).stat()
    except OSError:
        return f"likely by what removes {PurePosixPath(path).parent}"
    when = time.strftime("%H:%M:%S UTC", time.gmtime(status.st_mtime))
    if gone:
        return f"last by a program that removed it at {when}"
    return f"last by a program that runs as UID {status.st_uid}, at {when}"
