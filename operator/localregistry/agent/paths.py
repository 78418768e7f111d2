"""Paths of the node, seen from inside the agent's container.

The node's `/` is mounted at a host root. Its absolute symbolic links would leave that root if the
kernel followed them, so they are followed here.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from localregistry.agent.glance import Glance

# The kernel's own limit (ELOOP).
MAX_LINKS = 40


@dataclass(frozen=True)
class HostRoot:
    """The node's file system as the agent sees it: `/host` in the pod, `/` on the node itself.

    `glance` is shown each path that is resolved.
    """

    root: Path
    glance: Glance = field(default_factory=Glance, compare=False)

    def resolve(self, node_path: str) -> Path:
        """Where `node_path` really is, links followed below the root; it need not exist.

        Raises OSError where links go in circles.
        """
        pending = list(reversed(PurePosixPath(node_path).parts))
        done: list[str] = []
        # Text: a Path for every step would be a third of what a check of 100 files costs.
        top, links = str(self.root), 0
        while pending:
            part = pending.pop()
            if part in ("/", "."):
                continue
            if part == "..":
                del done[-1:]
                continue
            here = "/".join((top, *done, part))
            if not _is_link(here):
                done.append(part)
                continue
            links += 1
            if links > MAX_LINKS:
                raise OSError(f"too many symbolic links in {node_path}")
            target = Path(here).readlink()
            if target.is_absolute():
                done.clear()
            pending.extend(reversed(target.parts))
        self.glance.look("/".join((top, *done)))
        return self.root.joinpath(*done)

    def holds(self, directory: str, *names: str) -> bool:
        """Whether `names`, each in the one before, lie in `directory` itself: plain names, and no
        link on the way. What is written there is nowhere else on the node."""
        if any(name in ("", ".", "..") or "/" in name or "\0" in name for name in names):
            return False
        try:
            found = self.resolve("/".join((directory, *names)))
            return found == self.resolve(directory).joinpath(*names)
        except OSError:
            return False  # links in circles

    def node_path(self, path: Path) -> str:
        """The inverse for a path that `resolve` gave: as the node's administrator knows it."""
        return "/" + str(path.relative_to(self.root)) if path != self.root else "/"

    def as_known(self, text: str) -> str:
        """The text with the node's paths as its administrator knows them: what the kernel, or a
        library, says of a file names it below the root."""
        if self.root == Path("/"):
            return text
        return re.sub(rf"(?<![\w./-]){re.escape(str(self.root))}(?:/|(?![\w.-]))", "/", text)

    def children(self, node_path: str) -> Iterator[str]:
        """Names in a directory of the node, sorted; none where there is no such directory."""
        directory = self.resolve(node_path)
        if directory.is_dir():
            yield from sorted(entry.name for entry in directory.iterdir())


def _is_link(path: str) -> bool:
    try:
        return stat.S_ISLNK(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False  # not there, or no path at all
