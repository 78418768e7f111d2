"""What the usage container answers, and the operator reads: the one thing both sides share."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

PORT = 9810
PATH = "/usage"
# The page for people, a port of its own: however many look, the operator is answered.
PAGE_PORT = 9811
# What the operator says along with its question, `?nodes=3/4`: ready, and how many shall be.
NODES = "nodes"

# No file system has more bytes or inodes.
_MOST = 2**64


class Unreadable(ValueError):
    """An answer that is no report."""


class Kind(StrEnum):
    """What `used` is: all that is used of a device of the volume's own, or the sum of the blobs on
    a file system that others use too."""

    VOLUME = "volume"
    BLOBS = "blobs"


@dataclass(frozen=True)
class Usage:
    """One measurement. All sizes in bytes.

    `capacity`, `free` and `available` are those of the file system that holds the volume, as
    statvfs has them: `available` is what is left to others than root. `inodes` is 0 where the file
    system does not count them. `blobs` is 0 unless they were counted. `age` in seconds.
    `read_only`: the file system takes no write from anybody, as of now.
    """

    kind: Kind
    used: int
    capacity: int
    free: int
    available: int
    inodes: int = 0
    inodes_available: int = 0
    blobs: int = 0
    age: float = 0.0
    read_only: bool = False

    @property
    def filled(self) -> float:
        """How full the file system is, 0 to 1, by bytes or by inodes: whichever ends first.

        As df has it: what only root may use counts as used by nobody.
        """
        taken = max(0, self.capacity - self.free)
        by_bytes = taken / (taken + self.available) if taken else 0.0
        by_inodes = 1 - self.inodes_available / self.inodes if self.inodes else 0.0
        return max(by_bytes, by_inodes)

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self) | {"age": round(self.age, 1)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> Usage:
        """Raises Unreadable. Fields that are not known are left aside."""
        try:
            body = json.loads(text)
            sizes = {name: _whole(body.get(name, 0), name) for name in _OPTIONAL}
            sizes |= {name: _whole(body[name], name) for name in _REQUIRED}
            age = body["age"]
            if isinstance(age, bool) or not isinstance(age, int | float) or not age >= 0:
                raise Unreadable(f"age: {age!r}")
            read_only = body.get("read_only", False)
            if not isinstance(read_only, bool):
                raise Unreadable(f"read_only: {read_only!r}")
            kind = Kind(body["kind"])
            return cls(kind=kind, age=float(age), read_only=read_only, **sizes)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise Unreadable(f"usage: {error!r}") from error


_REQUIRED = ("used", "capacity", "free", "available")
_OPTIONAL = ("inodes", "inodes_available", "blobs")


def _whole(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _MOST:
        raise Unreadable(f"{name}: {value!r} is not a number of bytes, inodes or blobs")
    return value
