"""Files of our own, one per name, in a directory that a runtime reads."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Self

from localregistry.agent import files, header
from localregistry.agent.guest import Guest
from localregistry.agent.journal import Record, sha256
from localregistry.agent.writer import Change, Plan
from localregistry.trust import NodeResult


@dataclass(frozen=True)
class FilesPlan(Plan):
    """`uids` tells whom each changed file serves; `forgotten` are files in the journal that are no
    longer ours; `untidy`: directories that we made are needed no longer; `untold`: the runtime was
    not told of an earlier change."""

    uids: Mapping[str, str] = field(default_factory=dict)
    forgotten: tuple[str, ...] = ()
    untidy: bool = False
    untold: bool = False

    @property
    def idle(self) -> bool:
        parts = (self.changes, self.forgotten, self.untidy, self.untold, self.reload)
        return not any(parts)

    def without(self, paths: Collection[str]) -> Self:
        changes = tuple(change for change in self.changes if change.path not in paths)
        return replace(self, changes=changes, reload=self.reload and bool(changes or self.untold))


@dataclass(frozen=True)
class OwnFiles:
    """Brings them to what they shall be.

    `kind` stands in the journal for whose they are. `mode` is that of directories that are made.
    `nested`: each file has a directory of its own, which is empty without it. `told`: the runtime
    is to be told of each change, and a change stays `pending` until `settle`.
    """

    guest: Guest
    kind: str
    mode: int = 0o755
    nested: bool = True
    told: bool = False

    def plan(
        self,
        contents: Mapping[str, bytes],
        *,
        seen: Iterable[str],
        refused: Mapping[str, NodeResult],
        entries: Mapping[str, str],
    ) -> FilesPlan:
        """`contents` is what shall be there, `seen` where files of ours may be beside those of the
        journal. What serves a refused UID stays as it is."""
        changes, forgotten, uids = [], [], {}
        remembered = set(self.remembered())
        for path in sorted({*contents, *remembered, *seen}):
            current = self.guest.read(path)
            mine = current is not None and header.is_ours(current)
            after = contents.get(path)
            if after is None and not mine:
                forgotten += [path] if path in remembered - set(self.pending()) else []
                continue
            uid = header.uid_of(after or current or b"")
            if current != after and (after is not None or uid not in refused):
                changes.append(Change(path, current, after))
                uids[path] = uid
        return FilesPlan(
            tuple(changes),
            refused,
            entries,
            reload=self.told and bool(changes or self.pending()),
            untold=self.told and bool(self.pending()),
            uids=uids,
            forgotten=tuple(forgotten),
            untidy=self.guest.untidy,
        )

    def apply(self, plan: FilesPlan) -> Mapping[str, NodeResult]:
        """Gives what the node's file system did not take, by UID. Raises files.Outrun."""
        failed: dict[str, NodeResult] = {}
        for change in plan.changes:
            try:
                if change.after is not None:
                    self._write(change, change.after, plan.uids[change.path])
                else:
                    self._withdraw(change, plan.uids[change.path])
            except files.Refused as error:
                failed[plan.uids[change.path]] = error.result()
        for path in plan.forgotten:
            self.guest.journal.forget(path)
        self.guest.clear_directories()
        return failed

    def remembered(self) -> list[str]:
        """Paths that the journal knows as this kind's."""
        return list(self._records())

    def pending(self) -> list[str]:
        """Those whose last change the runtime was not told of."""
        return [path for path, record in self._records().items() if record.pending]

    def settle(self) -> None:
        """The runtime knows, or reads the files anew when it starts."""
        for path in self.pending():
            record = self.guest.journal.get(path)
            if record is not None and self.guest.read(path) is not None:
                self.guest.journal.put(path, replace(record, pending=False))
            else:
                self.guest.journal.forget(path)
        self.guest.clear_directories()

    def _records(self) -> dict[str, Record]:
        known = self.guest.journal.records().items()
        return {path: record for path, record in known if record.writer == self.kind}

    def _write(self, change: Change, content: bytes, uid: str) -> None:
        where, depth = PurePosixPath(change.path), 2 if self.nested else 1
        if not self.guest.host.holds(str(where.parents[depth - 1]), *where.parts[-depth:]):
            words = f"{where} has become a link to elsewhere and is left alone; remove it."
            raise files.Refused(words, transient=True)
        self._record(change.path, uid, written=(sha256(content),))
        self.guest.make_directories(change.path, self.mode)
        self.guest.put(change)

    def _withdraw(self, change: Change, uid: str) -> None:
        remembered = self.guest.journal.get(change.path) is not None
        if self.told:
            self._record(change.path, uid)
        self.guest.put(change)
        if self.nested and not remembered:
            # Nobody knows who made the directory. An empty one says nothing to the runtime but
            # "not the default", so it goes.
            parent = str(PurePosixPath(change.path).parent)
            files.remove_directory_if_empty(self.guest.host.resolve(parent))
        if not self.told:
            self.guest.journal.forget(change.path)

    def _record(self, path: str, uid: str, written: tuple[str, ...] = ()) -> None:
        where = PurePosixPath(path)
        name = where.parent.name if self.nested else where.name
        record = Record(written=written, entries={name: uid}, writer=self.kind, pending=self.told)
        self.guest.journal.put(path, record)
