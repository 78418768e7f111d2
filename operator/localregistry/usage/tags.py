"""Lists the tags that the engine keeps, and when each was pushed last, for people who look.

The engine's own API does not tell when. In its layout below docker/registry/v2/repositories

    NAME/_manifests/tags/TAG/current/link              the digest, written at each push of the tag

the time of that file is the time of the push; a restore of the volume may have made it younger.
No link is followed.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from localregistry.usage.blobs import MAX_DEPTH, REPOSITORIES

PATH = "/tags"
FORMAT = 1
# An answer of about 1.5 MB; the container has 64 MiB.
MAX_TAGS = 10_000
# However many ask, and however often: a walk over 10,000 tags takes some tenths of a second.
FRESH_SECONDS = 10.0
# While a walk is under way people are shown what was found so long ago at most.
STALE_SECONDS = 60.0
# A digest with the longest name of an algorithm, and then some.
_MAX_LINK = 256

Tag = tuple[str, str, str, int]


class Busy(Exception):
    """Somebody else's question is being answered."""


class Listing(NamedTuple):
    """Sorted by repository and tag; not `complete` where there are more than MAX_TAGS."""

    tags: Sequence[Tag]
    complete: bool


class Tags:
    """Answers from one walk for `FRESH_SECONDS`. One walk at a time, and nobody waits for it: where
    the storage hangs, only the one who asked hangs with it."""

    def __init__(self, root: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._root = root
        self._clock = clock
        self._walking = threading.Lock()
        self._found: tuple[float, Listing] | None = None

    def listing(self) -> Listing:
        """Raises Busy, and OSError where the storage is sick."""
        if not self._walking.acquire(blocking=False):
            found = self._found
            if found and self._clock() - found[0] < STALE_SECONDS:
                return found[1]
            raise Busy("the tags are being read: ask again")
        try:
            if self._found is None or self._clock() - self._found[0] >= FRESH_SECONDS:
                self._found = (self._clock(), self._read())
            return self._found[1]
        finally:
            self._walking.release()

    def to_json(self) -> str:
        """`{format, complete, tags: [[repository, tag, digest, seconds since 1970]]}`.

        Raises as `listing` does.
        """
        found = self.listing()
        body = {"format": FORMAT, "complete": found.complete, "tags": found.tags}
        return json.dumps(body, separators=(",", ":"))

    def _read(self) -> Listing:
        found: list[Tag] = []
        complete = True
        for tag in walk("/".join((self._root, *REPOSITORIES))):
            if len(found) == MAX_TAGS:
                complete = False
                break
            found.append(tag)
        return Listing(sorted(found), complete)


def walk(folder: str, name: str = "", depth: int = MAX_DEPTH) -> Iterator[Tag]:
    """The tags of all repositories below the folder."""
    for entry in _folders(folder):
        if entry == "_manifests":
            yield from _tags(f"{folder}/{entry}/tags", name)
        elif not entry.startswith("_") and depth:
            below = f"{name}/{entry}" if name else entry
            yield from walk(f"{folder}/{entry}", below, depth - 1)


def _tags(folder: str, repository: str) -> Iterator[Tag]:
    for tag in _folders(folder):
        link = f"{folder}/{tag}/current/link"
        try:
            descriptor = os.open(link, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            continue  # deleted meanwhile
        try:
            digest = os.read(descriptor, _MAX_LINK).decode(errors="replace").strip()
            yield repository, tag, digest, int(os.fstat(descriptor).st_mtime)
        finally:
            os.close(descriptor)


def _folders(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []
