"""What a pass has looked at on the node, and whether it is still so: a check of a hundred files
costs a hundred `lstat`, not a hundred reads."""

from __future__ import annotations

import os


class Glance:
    """Remembers what was looked at since `begin`. A file that is written anew within the kernel's
    clock tick, in place and to the same size, looks the same: whoever relies on this reads
    everything now and then all the same."""

    def __init__(self) -> None:
        self._seen: dict[str, object] = {}

    def begin(self) -> None:
        """Forgets everything; nothing is `same` until something was looked at."""
        self._seen.clear()

    def look(self, path: str) -> None:
        """To be called before the path is read, so that whoever writes in between is noticed."""
        if path not in self._seen:
            self._seen[path] = _signature(path)

    def same(self) -> bool:
        """Whether something was looked at, and all of it is as it was at its first look."""
        return bool(self._seen) and all(
            _signature(path) == before for path, before in self._seen.items()
        )


def _signature(path: str) -> object:
    """Another one when the file, or the list of the directory's names, was changed; None where it
    cannot be seen."""
    try:
        status = os.lstat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
