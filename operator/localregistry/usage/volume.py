"""What the file system says of the volume, and whether it is the volume's own."""

from __future__ import annotations

import os
import re

# Of these a mount whose root is the file system's root has the whole of it for itself. On a network
# file system the same mount may be one of many of a shared export, so its blobs are summed. ceph is
# the exception: it answers with the quota of what was mounted.
OWN_TYPES = frozenset(
    {"bcachefs", "btrfs", "ceph", "ext2", "ext3", "ext4", "f2fs", "tmpfs", "xfs", "zfs"}
)
MOUNTINFO = "/proc/self/mountinfo"


def is_own_device(mountinfo: str, path: str) -> bool:
    """Whether `path` is where a whole file system is mounted, by the text of proc(5)'s mountinfo.

    A folder of the node's disk (emptyDir, hostPath, most local provisioners) is a bind mount: its
    root within its file system is another than `/`.
    """
    found = False
    for line in mountinfo.splitlines():
        # id parent major:minor root mount-point options [optional…] - type source options
        before, separator, after = line.partition(" - ")
        fields, types = before.split(" "), after.split(" ")
        if not separator or len(fields) < 6 or _plain(fields[4]) != path:
            continue
        # The last of several mounts on one place is the one that is seen.
        found = fields[3] == "/" and types[0] in OWN_TYPES
    return found


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
