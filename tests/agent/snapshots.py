"""What lies in a directory tree, for a comparison byte by byte."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path

# Path → kind, mode, owner and content (a link's target, a file's sha256).
Snapshot = Mapping[str, tuple[object, ...]]


def take(root: Path, *, without: tuple[str, ...] = (), directories: bool = True) -> Snapshot:
    """All below `root`, names relative to it; `without` are names at its top."""
    found: dict[str, tuple[object, ...]] = {}
    for parent, folders, files in os.walk(root):
        top = Path(parent) == root
        folders[:] = sorted(name for name in folders if not (top and name in without))
        for name in [*files, *folders]:
            path = Path(parent) / name
            # The node works on meanwhile: what has gone since its folder was listed is not there.
            with contextlib.suppress(FileNotFoundError):
                status = path.lstat()
                if stat.S_ISDIR(status.st_mode) and not directories:
                    continue
                found[str(path.relative_to(root))] = (
                    stat.filemode(status.st_mode),
                    status.st_uid,
                    status.st_gid,
                    _content(path, status.st_mode),
                )
    return found


def difference(before: Snapshot, after: Snapshot) -> dict[str, str]:
    """Path → what became of it; empty where the two are alike."""
    words = {}
    for path in sorted(before.keys() | after.keys()):
        if path not in before:
            words[path] = "new"
        elif path not in after:
            words[path] = "gone"
        elif before[path] != after[path]:
            words[path] = f"{before[path]} → {after[path]}"
    return words


def _content(path: Path, mode: int) -> str:
    if stat.S_ISLNK(mode):
        return str(path.readlink())
    return hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(mode) else ""
