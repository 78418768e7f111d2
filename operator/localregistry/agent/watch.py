"""The kernel's word that somebody changed a directory of the node (inotify).

Directories, never files: what is replaced by a rename is another file. Only a hint: a bind mount's
other side gives no event, so the files are read every few seconds all the same.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

# sys/inotify.h
_CLOSE_WRITE, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x8, 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF, _OVERFLOW, _IGNORED = 0x400, 0x800, 0x4000, 0x8000
_ONLY_DIRECTORIES, _IS_DIRECTORY = 0x01000000, 0x40000000
_MASK = _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF

# struct inotify_event: wd, mask, cookie, len, and then the name.
_EVENT = struct.Struct("iIII")


class Watch:
    """Wakes the agent; `fileno` is readable when something happened, -1 where the kernel gives no
    instance (each user has 128 of them, and root's may be used up)."""

    def __init__(self) -> None:
        self._descriptor = -1
        self._names: dict[int, frozenset[str]] = {}
        # Whether directories came or went since the last `follow`, which is due again.
        self.stirred = False
        with contextlib.suppress(OSError, AttributeError):
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._descriptor = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)

    def fileno(self) -> int:
        return self._descriptor

    def follow(self, files: Iterable[Path]) -> None:
        """Exactly these files: the directory of each, and the one above it, which sees it vanish;
        where there is none, the nearest that there is."""
        if self._descriptor < 0:
            return
        found: dict[int, frozenset[str]] = {}
        for directory, names in _directories(files).items():
            mask = _MASK | _ONLY_DIRECTORIES
            handle = self._libc.inotify_add_watch(self._descriptor, os.fsencode(directory), mask)
            if handle >= 0:
                found[handle] = found.get(handle, frozenset()) | names
        for handle in self._names.keys() - found.keys():
            self._libc.inotify_rm_watch(self._descriptor, handle)
        self._names = found
        self.stirred = False

    def happened(self) -> bool:
        """Whether one of the files, or a directory on the way to it, came, went or was written
        since the last call."""
        result = False
        while self._descriptor >= 0:
            try:
                raw = os.read(self._descriptor, 65536)
            except BlockingIOError:
                break
            result |= self._concerns(raw)
        return result

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        self.close()

    def _concerns(self, raw: bytes) -> bool:
        result = False
        offset = 0
        while offset < len(raw):
            handle, mask, _, length = _EVENT.unpack_from(raw, offset)
            name = os.fsdecode(raw[offset + _EVENT.size :][:length].rstrip(b"\0"))
            offset += _EVENT.size + length
            self.stirred |= bool(mask & (_IS_DIRECTORY | _IGNORED | _OVERFLOW | _MOVE_SELF))
            if mask & _IGNORED:
                self._names.pop(handle, None)
                continue
            if mask & (_OVERFLOW | _DELETE_SELF | _MOVE_SELF):
                result = True
            result |= name in self._names.get(handle, ())
        return result


def _directories(files: Iterable[Path]) -> Mapping[Path, frozenset[str]]:
    """Each directory to watch, and the names in it that matter."""
    result: dict[Path, frozenset[str]] = {}
    for file in files:
        child, steps = file, 2
        while steps and child != child.parent:
            if child.parent.is_dir():
                steps -= 1
                result[child.parent] = result.get(child.parent, frozenset()) | {child.name}
            child = child.parent
    return result
