"""Sums the sizes of the blobs that the engine keeps, at its leisure.

The engine's layout below docker/registry/v2 (distribution's filesystem driver):

    blobs/ALGORITHM/XX/DIGEST/data                     a blob, never changed once it is there
    repositories/NAME/…/_uploads/UUID/data             a push under way, or one that was given up

Sizes are st_size, what images weigh on any file system: st_blocks would follow compression, and on
XFS the space reserved ahead of a file that was just written. The engine writes no sparse files.
A file of several names counts by its share under each, so that it counts once at most.

No link is followed, and no other device is entered.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass

BLOBS = ("docker", "registry", "v2", "blobs")
REPOSITORIES = ("docker", "registry", "v2", "repositories")
# A repository's name has at most 255 characters, so 128 parts.
MAX_DEPTH = 130

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Gone meanwhile, or not a folder (any more).
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


@dataclass(frozen=True)
class Sum:
    """Bytes of blobs and uploads, and the number of blobs."""

    size: int = 0
    blobs: int = 0

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.size + other.size, self.blobs + other.blobs)


@dataclass(frozen=True)
class _Known:
    """One folder blobs/ALGORITHM/XX as it was; `settled`: it need not be read again."""

    changed_ns: int
    sum: Sum
    settled: bool


class Walk:
    """Sums again and again; a folder of blobs that has not changed is not read anew.

    `pace` is called for every entry, and may sleep. Raises OSError where the storage is sick.
    """

    def __init__(self, root: str, pace: Callable[[], None]) -> None:
        self._root = root
        self._pace = pace
        self._known: dict[tuple[str, str], _Known] = {}
        self._device = 0

    def sum(self) -> Sum:
        with _opened(self._root) as root:
            if root is None:
                raise FileNotFoundError(errno.ENOENT, "no such folder", self._root)
            self._device = os.fstat(root).st_dev
            with self._below(root, BLOBS) as blobs:
                found = self._blobs(blobs)
            with self._below(root, REPOSITORIES) as repositories:
                return found + Sum(self._uploads(repositories, MAX_DEPTH))

    def forget(self) -> None:
        """Read everything the next time."""
        self._known.clear()

    def _blobs(self, blobs: int | None) -> Sum:
        before, self._known = self._known, {}
        total = Sum()
        for algorithm in self._folders(blobs):
            with self._open(algorithm, blobs) as folder:
                for prefix in self._folders(folder):
                    with self._open(prefix, folder) as inner:
                        if inner is None:
                            continue
                        known = self._folder(inner, before.get((algorithm, prefix)))
                        self._known[algorithm, prefix] = known
                        total += known.sum
        return total

    def _folder(self, folder: int, known: _Known | None) -> _Known:
        """One of at most 256 folders of an algorithm.

        It changes with each blob that comes or goes. It is believed when it was read twice since:
        the time of a change is coarse, and a blob's folder is there just before the blob is.
        """
        changed = os.fstat(folder).st_mtime_ns
        same = known is not None and known.changed_ns == changed
        if known is not None and same and known.settled:
            return known
        total, complete = Sum(), True
        for digest in self._folders(folder):
            size = _size(f"{digest}/data", folder)
            if size is None:
                complete = False
            else:
                total += Sum(size, 1)
        return _Known(changed, total, settled=same and complete)

    def _uploads(self, folder: int | None, depth: int) -> int:
        """Of this repository and those below it; what else a repository has are links of 71 bytes
        to blobs, and folders of ours to skip begin with `_`."""
        total = 0
        for name in self._folders(folder):
            if depth <= 0 or (name.startswith("_") and name != "_uploads"):
                continue
            with self._open(name, folder) as inner:
                if name == "_uploads":
                    sizes = (_size(f"{upload}/data", inner) for upload in self._folders(inner))
                    total += sum(size or 0 for size in sizes)
                else:
                    total += self._uploads(inner, depth - 1)
        return total

    def _folders(self, folder: int | None) -> Iterator[str]:
        if folder is None:
            return
        with os.scandir(folder) as entries:
            for entry in entries:
                self._pace()
                if entry.is_dir(follow_symlinks=False):
                    yield entry.name

    @contextlib.contextmanager
    def _below(self, folder: int, names: tuple[str, ...]) -> Iterator[int | None]:
        with contextlib.ExitStack() as stack:
            inner: int | None = folder
            for name in names:
                inner = stack.enter_context(self._open(name, inner))
            yield inner

    @contextlib.contextmanager
    def _open(self, name: str, parent: int | None) -> Iterator[int | None]:
        """None where it is no folder of this file system."""
        if parent is None:
            yield None
            return
        with _opened(name, parent) as folder:
            own = folder is not None and os.fstat(folder).st_dev == self._device
            yield folder if own else None


@contextlib.contextmanager
def _opened(name: str, parent: int | None = None) -> Iterator[int | None]:
    try:
        folder = os.open(name, _FLAGS, dir_fd=parent)
    except OSError as error:
        if error.errno not in _ABSENT:
            raise
        yield None
        return
    try:
        yield folder
    finally:
        os.close(folder)


def _size(path: str, folder: int | None) -> int | None:
    """Of a regular file; None where there is none."""
    try:
        found = os.stat(path, dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _ABSENT:
            raise
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return found.st_size // max(1, found.st_nlink)
