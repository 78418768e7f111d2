"""What the agent is told: two mounted files, read again when they change."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from localregistry.trust import MAX_DOCUMENT_BYTES, Damaged, Task, TrustDocument, TrustedRegistry


@dataclass(frozen=True)
class Goal:
    """What this node shall be like."""

    revision: str
    runtime: str
    registries: tuple[TrustedRegistry, ...]


class Inputs:
    """The trust document and the task. They arrive in either order; where they do not fit together,
    or one is damaged, the last goal that did stays."""

    def __init__(self, trust_file: Path, task_file: Path) -> None:
        self._trust_file = trust_file
        self._task_file = task_file
        self._signatures: tuple[object, object] | None = None
        self.goal: Goal | None = None
        self.complaint = ""

    def poll(self) -> bool:
        """Whether there is a new goal. Costs two stat calls where nothing changed."""
        # Volumes swap a link to a new directory, so inode and time tell; content decides.
        signatures = (_signature(self._trust_file), _signature(self._task_file))
        if signatures == self._signatures:
            return False
        self._signatures = signatures
        goal = self._read()
        if goal is None or goal == self.goal:
            return False
        self.goal = goal
        return True

    def _read(self) -> Goal | None:
        try:
            raw_task = _content(self._task_file)
            if not raw_task.strip():
                self.complaint = ""
                return None
            task = Task.from_json(raw_task)
            document = TrustDocument.from_json(_content(self._trust_file))
        except (Damaged, OSError) as error:
            self.complaint = f"nothing is changed: {error}"
            return None
        self.complaint = ""
        if document.revision != task.revision:
            return None  # the other one is on its way
        excluded = set(task.excluded)
        wanted = tuple(r for r in document.registries if r.uid not in excluded)
        return Goal(document.revision, task.runtime, wanted)


def _signature(path: Path) -> object:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MAX_DOCUMENT_BYTES + 1)
    if len(content) > MAX_DOCUMENT_BYTES:
        raise Damaged(f"{path.name} is larger than {MAX_DOCUMENT_BYTES} bytes")
    return content
