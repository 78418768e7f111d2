"""The agent's directory on the node: one holder at a time, and no trace once nothing is ours."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from localregistry.agent import files
from localregistry.agent.inputs import Goal
from localregistry.agent.journal import Journal
from localregistry.trust import Damaged

LOCK = "lock"


class Busy(Exception):
    """Another agent holds the node: during a rolling update two may run for a moment."""


class State:
    """`/var/lib/localregistry` of the node: journal, proofs, last goal, lock."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.journal = Journal(directory)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """The node for this process alone, the journal read anew. Raises Busy, files.Refused."""
        descriptor = self._lock()
        try:
            self.journal.reload()
            yield
        finally:
            if self.journal.empty and not self.proofs():
                self._vanish()
            os.close(descriptor)

    def remembers(self, uid: str) -> bool:
        """Whether something on the node serves a registry. What cannot be known may."""
        journal = self.journal
        return bool(journal.problem or journal.complaint) or uid in journal.uids()

    @property
    def leftover(self) -> bool:
        """Whether the directory is there for nothing, as after a kill in the last step."""
        return self._directory.is_dir() and self.journal.empty and not self.proofs()

    def proofs(self) -> dict[str, str]:
        """UID → what was proved: see `proofs.key`. A lost or damaged file proves nothing."""
        try:
            body = json.loads(files.read(self._directory / "proofs.json") or b"{}")
            return {str(uid): str(key) for uid, key in body.items()}
        except (ValueError, AttributeError, files.Refused):
            return {}

    def save_proofs(self, proofs: Mapping[str, str]) -> None:
        """Only while held."""
        content = json.dumps(dict(sorted(proofs.items())), indent=1).encode() + b"\n"
        self._save("proofs.json", content if proofs else None)

    def goal(self) -> Goal | None:
        """The last goal that an agent acted on here; None where it is lost or damaged."""
        try:
            content = files.read(self._directory / "goal.json")
            return Goal.from_json(content) if content else None
        except (Damaged, files.Refused):
            return None

    def save_goal(self, goal: Goal) -> None:
        """Only while held. Raises files.Refused, files.Outrun."""
        self._save("goal.json", goal.to_json())

    def _save(self, name: str, content: bytes | None) -> None:
        path = self._directory / name
        current = files.read(path)
        if content is None:
            path.unlink(missing_ok=True)
        elif current != content:
            files.replace(path, expected=current, content=content, mode=0o600)

    def _vanish(self) -> None:
        # By hand: shutil would bring three compression libraries into memory.
        with contextlib.suppress(OSError):
            content = self._directory / "content"
            for entry in content.iterdir() if content.is_dir() else ():
                entry.unlink(missing_ok=True)
            if content.is_dir():
                content.rmdir()
            others = [entry for entry in self._directory.iterdir() if entry.name != LOCK]
            for entry in others:
                entry.unlink(missing_ok=True)
            # The node may be another agent's from here on: nothing of its own is removed.
            (self._directory / LOCK).unlink(missing_ok=True)
            self._directory.rmdir()

    def _lock(self) -> int:
        path = self._directory / LOCK
        for _ in range(10):  # another agent may remove the directory between two of these calls
            try:
                self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except FileNotFoundError:
                continue
            except OSError as error:
                if isinstance(error, FileExistsError) and not self._directory.exists():
                    continue
                raise files.refusal(error, path) from error
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(descriptor), path.stat()):
                    return descriptor
            except BlockingIOError:
                os.close(descriptor)
                raise Busy from None
            except FileNotFoundError:
                pass
            os.close(descriptor)
        raise Busy
