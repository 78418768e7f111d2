"""What the file system says of the volume, whether it is the volume's own, and takes writes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

# Of these a mount whose root is the file system's root has the whole of it for itself. On a network
# file system the same mount may be one of many of a shared export, so its blobs are summed. ceph is
# the exception: it answers with the quota of what was mounted.
OWN_TYPES = frozenset(
    {"bcachefs", "btrfs", "ceph", "ext2", "ext3", "ext4", "f2fs", "tmpfs", "xfs", "zfs"}
)
MOUNTINFO = "/proc/self/mountinfo"
# Of the file system itself, whoever mounted it how: this container has its own mount read-only, and
# that says nothing. With errors=remount-ro newer ext4 (seen with Linux 6.18) shows the second one.
READ_ONLY = frozenset({"ro", "emergency_ro", "shutdown"})


def is_own_device(mountinfo: str, path: str) -> bool:
    """Whether `path` is where a whole file system is mounted, by the text of proc(5)'s mountinfo.

    A folder of the node's disk (emptyDir, hostPath, most local provisioners) is a bind mount: its
    root within its file system is another than `/`.
    """
    # The last of several mounts on one place is the one that is seen.
    there = [mount for mount in _mounts(mountinfo) if mount.point == path]
    return bool(there) and there[-1].root == "/" and there[-1].type in OWN_TYPES


def is_read_only(mountinfo: str, path: str) -> bool:
    """Whether the file system that `path` is on takes no write from anybody, as after an error that
    its kernel has seen."""
    held = [m for m in _mounts(mountinfo) if m.point == "/" or f"{path}/".startswith(f"{m.point}/")]
    # Of the deepest the last one.
    deepest = max((len(mount.point) for mount in held), default=0)
    on = [mount for mount in held if len(mount.point) == deepest]
    return bool(on) and not READ_ONLY.isdisjoint(on[-1].options)


@dataclass(frozen=True)
class _Mount:
    """One line; `options` are those of the file system, not of the mount."""

    root: str
    point: str
    type: str
    options: tuple[str, ...]


def _mounts(mountinfo: str) -> Iterator[_Mount]:
    for line in mountinfo.splitlines():
        # id parent major:minor root mount-point options [optional…] - type source options
        before, separator, after = line.partition(" - ")
        fields, rest = before.split(" "), after.split(" ")
        if separator and len(fields) >= 6:
            options = tuple(rest[2].split(",")) if len(rest) > 2 else ()
            yield _Mount(fields[3], _plain(fields[4]), rest[0], options)


def read_mountinfo() -> str:
    with open(MOUNTINFO, encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
        return file.read()


def sizes(path: str) -> dict[str, int]:
    """capacity, free and available in bytes, inodes and inodes_available. Raises OSError."""
    found = os.statvfs(path)
    return {
        "capacity": found.f_blocks * found.f_frsize,
        "free": found.f_bfree * found.f_frsize,
        "available": found.f_bavail * found.f_frsize,
        "inodes": found.f_files,
        "inodes_available": found.f_favail,
    }


def _plain(text: str) -> str:
    r"""Blanks and the like stand as \040."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
