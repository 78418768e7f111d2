"""What the Ingress controller keeps on disk: all files of its container, and files that it has
open and nobody can see any more, as nginx has its temporary ones."""

from __future__ import annotations

import re
import threading
from typing import NamedTuple

from e2e.cluster import Node

# Prints what `read` understands; `%b` and `b` are blocks of 512 bytes.
_SCRIPT = r"""
for pid in $(pgrep -f '^{0}'); do
  find -L /proc/$pid/fd -type f -links 0 -printf 'open %D:%i %b\n' 2>/dev/null || true
done
master=$(pgrep -o -f '^{1}' || true)
echo "master $master"
find /proc/$master/root/ -xdev -type f -printf 'file %D:%i %b\n' 2>/dev/null || true
"""
BLOCK = 512


def script(each: str, master: str) -> str:
    """For a controller by how the command lines of its processes begin, and that of the first."""
    return _SCRIPT.replace("{0}", each).replace("{1}", master)


SCRIPT = script("nginx: ", "nginx: master")


class Kept(NamedTuple):
    """Bytes on disk."""

    named: int
    unlinked: int

    @property
    def total(self) -> int:
        return self.named + self.unlinked


def read(text: str) -> Kept:
    """A file that several processes have open counts once. Raises ValueError where there is no
    controller."""
    if not re.search(r"^master \d+$", text, re.MULTILINE):
        raise ValueError("there is no controller on this node")
    found: dict[str, dict[str, int]] = {"open": {}, "file": {}}
    for what, inode, blocks in re.findall(r"^(open|file) (\S+) (\d+)$", text, re.MULTILINE):
        found[what][inode] = int(blocks) * BLOCK
    return Kept(sum(found["file"].values()), sum(found["open"].values()))


class Watched:
    """The most that the controller on a node has kept while this is entered."""

    def __init__(self, node: Node, commands: str = SCRIPT) -> None:
        self._node, self._commands = node, commands
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.before = self.most = self.after = Kept(0, 0)
        self.samples = 0
        self._error: Exception | None = None

    @property
    def looking(self) -> bool:
        return self._thread.is_alive()

    def __enter__(self) -> Watched:
        self.before = self.most = read(self._node.run(self._commands))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._error or not self.samples:
            raise RuntimeError("the controller's files were not seen all the time") from self._error
        self.after = read(self._node.run(self._commands))

    def _run(self) -> None:
        try:
            while not self._stop.wait(0.1):
                found = read(self._node.run(self._commands))
                self.samples += 1
                self.most = max(self.most, found, key=lambda kept: kept.total)
        except Exception as error:
            # Of a thread nobody hears; what it has not seen must not pass for nothing.
            self._error = error
