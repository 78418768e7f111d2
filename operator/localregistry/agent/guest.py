"""The node's files, read and written by a guest: with the journal's memory, and by rename or, where
a bind mount forbids it, in place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from localregistry.agent import files
from localregistry.agent.journal import Journal, Record, sha256
from localregistry.agent.paths import HostRoot
from localregistry.agent.writer import Change


def _silent(_: str) -> None:
    pass


@dataclass(frozen=True)
class Guest:
    """The node's file system and the memory of what is ours in it; `log` takes a line of each
    change that was made."""

    host: HostRoot
    journal: Journal
    log: Callable[[str], None] = _silent

    def read(self, path: str) -> bytes | None:
        """The content as it is. Raises files.Refused."""
        try:
            return files.read(self.host.resolve(path))
        except OSError as error:
            raise files.Refused(f"{path}: {error}.", transient=False) from error

    def signature(self, path: str) -> object:
        """Another one whenever somebody wrote the file, be it the same content."""
        try:
            status = self.host.resolve(path).stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino, status.st_mtime_ns

    def meant(self, path: str) -> bytes | None:
        """The content; for a file that a killed write in place left torn, the one before it."""
        current = self.read(path)
        record = self.journal.get(path)
        if current is None or record is None or record.torn is None:
            return current
        before, after = (self.journal.content(digest) for digest in record.torn)
        if before is None or after is None:
            return current
        return before if files.torn(current, before=before, after=after) else current

    def base(self, path: str, current: bytes | None) -> bytes | type[Unknown] | None:
        """The content without anything of ours, where the journal knows it byte by byte: nobody
        wrote since. Else Unknown, and what is ours must be cut out of `current`."""
        record = self.journal.get(path)
        if record is None or current is None:
            return current
        digest = sha256(current)
        if digest == record.pristine:
            return current
        if digest not in record.written:
            return Unknown
        if not record.pristine:
            return None
        kept = self.journal.content(record.pristine)
        return Unknown if kept is None else kept

    def children(self, path: str) -> list[str]:
        """Names in a directory; none where there is no such directory."""
        return list(self.host.children(path))

    def make_directories(self, path: str, mode: int = 0o755) -> None:
        """Makes the directories above `path`, each recorded as ours before it is.

        Raises files.Refused.
        """
        missing = []
        for parent in PurePosixPath(path).parents:
            if self.host.resolve(str(parent)).is_dir():
                break
            missing.append(str(parent))
        for directory in reversed(missing):
            self.journal.put_directory(directory)
            files.make_directory(self.host.resolve(directory), mode)

    @property
    def untidy(self) -> bool:
        """Whether there are directories for `clear_directories`."""
        return any(not self._needed(directory) for directory in self.journal.directories())

    def clear_directories(self) -> None:
        """Removes the directories that we made and that nothing of ours needs any longer; one that
        holds somebody else's files has become his."""
        for directory in self.journal.directories():
            if self._needed(directory):
                continue
            files.remove_directory_if_empty(self.host.resolve(directory))
            self.journal.forget_directory(directory)

    def _needed(self, directory: str) -> bool:
        return any(path.startswith(f"{directory}/") for path in self.journal.paths())

    def put(self, change: Change) -> None:
        """Makes one change. Raises files.Outrun, files.Refused."""
        path = self.host.resolve(change.path)
        if change.after is None:
            files.remove(path, expected=change.before or b"")
            self.log(f"{change.path}: removed")
            return
        try:
            files.replace(path, expected=change.before, content=change.after)
        except files.NotReplaceable:
            self._in_place(change)
        self.log(f"{change.path}: written")

    @property
    def interrupted(self) -> bool:
        """Whether a write in place did not come to its end."""
        return any(record.torn is not None for record in self.journal.records().values())

    def recover(self) -> list[str]:
        """Mends what a kill left: a file half written in place gets its old content, and temporary
        files of ours go. Gives the paths of mended files. With the node held by this process.

        Raises files.Refused, files.Outrun.
        """
        mended = []
        for path in self.journal.paths():
            real = self.host.resolve(path)
            files.remove_litter(real.parent)
            record = self.journal.get(path)
            if record is None or record.torn is None:
                continue
            current, meant = self.read(path), self.meant(path)
            if current is not None and meant is not None and current != meant:
                files.overwrite(real, expected=current, content=meant)
                mended.append(path)
            self.journal.put(path, replace(record, torn=None))
        for directory in self.journal.directories():
            files.remove_litter(self.host.resolve(directory))
        return mended

    def _in_place(self, change: Change) -> None:
        assert change.before is not None  # what is a mount point is there
        assert change.after is not None
        record = self.journal.get(change.path) or Record()
        old, new = self.meant(change.path) or b"", change.after
        torn = (self.journal.keep(old), self.journal.keep(new))
        self.journal.put(change.path, replace(record, torn=torn))
        path = self.host.resolve(change.path)
        try:
            files.overwrite(path, expected=change.before, content=new)
        except files.Refused:
            # No space in the middle of it, say: the old content had its space.
            if (left := files.read(path)) is not None and left != old:
                files.overwrite(path, expected=left, content=old)
            self.journal.put(change.path, replace(record, torn=None))
            raise
        self.journal.put(change.path, replace(record, torn=None))


class Unknown:
    """No memory fits the file."""
