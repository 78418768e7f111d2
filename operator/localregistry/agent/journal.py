"""What on this node is ours: written before the change that it describes.

`<state>/journal.json` names each file with our entries in it, `<state>/content/<sha256>` holds
contents that must be had again byte by byte. All of it is root's alone: daemon.json may hold the
passwords of proxies.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from localregistry.agent import files

FORMAT = 1


@dataclass(frozen=True)
class Record:
    """One file of the node.

    `pristine` is the sha256 of the content without anything of ours, "" where there was no file.
    `written` are those of contents that we wrote or are about to write: a file that is one of them
    was edited by nobody since. `entries` (what we added → UID it serves) are what may be taken away
    again, the key too where `key_made`. `torn` names the two contents of a write in place that is
    under way. `writer` is the kind of runtime that a file of our own is for, "" for somebody else's
    file; `pending`: the runtime is yet to be told of the last change.
    """

    pristine: str = ""
    written: tuple[str, ...] = ()
    entries: Mapping[str, str] = field(default_factory=dict)
    key_made: bool = False
    torn: tuple[str, str] | None = None
    writer: str = ""
    pending: bool = False


class Journal:
    """The records, kept on disk. One process at a time (see `lock`)."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._records: dict[str, Record] = {}
        self._directories: frozenset[str] = frozenset()
        self._signature: object = None
        # Why the journal cannot be worked with, "" when it can: then nothing may be changed.
        self.problem = ""
        # What was wrong with it; what could be known was.
        self.complaint = ""
        self.reload()

    def get(self, node_path: str) -> Record | None:
        return self._records.get(node_path)

    def paths(self) -> list[str]:
        return sorted(self._records)

    def records(self) -> dict[str, Record]:
        """By path, in their order."""
        return {path: self._records[path] for path in self.paths()}

    def uids(self, paths: Iterable[str] | None = None) -> set[str]:
        """The registries that these files serve; None: all that are known."""
        asked = self._records if paths is None else paths
        records = [self._records[path] for path in asked if path in self._records]
        return {uid for record in records for uid in record.entries.values()}

    @property
    def empty(self) -> bool:
        return not self._records and not self._directories and not self.problem

    def refresh(self) -> None:
        """As `reload`, where another agent wrote since. Costs a stat call."""
        if self._signature != self._look():
            self.reload()

    def reload(self) -> None:
        """Reads what another agent may have written since."""
        self._signature = self._look()
        path = self._directory / "journal.json"
        self._records, self._directories = {}, frozenset()
        self.problem = self.complaint = ""
        try:
            raw = files.read(path)
        except files.Refused as error:
            self.problem = str(error)
            return
        if raw is None:
            return
        try:
            body = json.loads(raw)
            if body["format"] > FORMAT:
                self.problem = (
                    f"{path} is of a newer agent (format {body['format']}, this one knows "
                    f"{FORMAT}): nothing is changed on this node until that agent is back."
                )
            records = {p: _record(item) for p, item in body["files"].items()}
            directories = frozenset(map(str, body["directories"]))
        except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError):
            # What carries our mark is still found by it.
            if not self.problem:
                self.complaint = f"{path} was damaged: entries in other files may stay behind"
        else:
            self._records, self._directories = records, directories

    def _look(self) -> object:
        try:
            status = (self._directory / "journal.json").stat()
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns

    def put(self, node_path: str, record: Record) -> None:
        """Durable when it returns. Raises files.Refused."""
        if self._records.get(node_path) != record:
            self._records = {**self._records, node_path: record}
            self._save()

    def forget(self, node_path: str) -> None:
        if node_path in self._records:
            self._records = {k: v for k, v in self._records.items() if k != node_path}
            self._save()

    def directories(self) -> list[str]:
        """Directories that we made, innermost first."""
        return sorted(self._directories, key=lambda path: (-path.count("/"), path))

    def put_directory(self, node_path: str) -> None:
        if node_path not in self._directories:
            self._directories = self._directories | {node_path}
            self._save()

    def forget_directory(self, node_path: str) -> None:
        if node_path in self._directories:
            self._directories = self._directories - {node_path}
            self._save()

    def keep(self, content: bytes) -> str:
        """Stores a content and gives its sha256."""
        digest = sha256(content)
        path = self._directory / "content" / digest
        if files.read(path) != content:
            _private(path.parent)
            files.replace(path, expected=files.read(path), content=content, mode=0o600)
        return digest

    def content(self, digest: str) -> bytes | None:
        """A kept content; None where it is lost or damaged."""
        content = files.read(self._directory / "content" / digest) if digest else None
        return content if content is not None and sha256(content) == digest else None

    def _save(self) -> None:
        if self.problem:
            raise files.Refused(self.problem, transient=False)
        _private(self._directory)
        path = self._directory / "journal.json"
        body = {
            "format": FORMAT,
            "files": {path: asdict(record) for path, record in sorted(self._records.items())},
            "directories": self.directories(),
        }
        text = json.dumps(body, indent=1, sort_keys=True).encode() + b"\n"
        files.replace(path, expected=files.read(path), content=text, mode=0o600)
        self._signature = self._look()
        self.complaint = ""
        self._sweep()

    def _sweep(self) -> None:
        used = {r.pristine for r in self._records.values()}
        used |= {digest for r in self._records.values() for digest in r.torn or ()}
        directory = self._directory / "content"
        for kept in directory.iterdir() if directory.is_dir() else ():
            if kept.name not in used:
                kept.unlink(missing_ok=True)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _private(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise files.refusal(error, directory) from error


def _record(item: Mapping[str, Any]) -> Record:
    torn = item.get("torn")
    return Record(
        pristine=str(item["pristine"]),
        written=tuple(map(str, item["written"])),
        entries={str(k): str(v) for k, v in item["entries"].items()},
        key_made=bool(item["key_made"]),
        torn=(str(torn[0]), str(torn[1])) if torn else None,
        writer=str(item.get("writer", "")),
        pending=bool(item.get("pending", False)),
    )
