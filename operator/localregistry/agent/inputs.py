"""What the agent is told: two mounted files, read again when they change."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from localregistry.trust import MAX_DOCUMENT_BYTES, Damaged, Task, TrustDocument, TrustedRegistry


@dataclass(frozen=True)
class Goal:
    """What this node shall be like."""

    revision: str
    runtime: str
    registries: tuple[TrustedRegistry, ...]

    def to_json(self) -> bytes:
        """As it is kept on the node, for a start at which the document is damaged."""
        document = TrustDocument(self.registries).to_json()
        body = {"revision": self.revision, "runtime": self.runtime, "document": document}
        return json.dumps(body, indent=1).encode() + b"\n"

    @classmethod
    def from_json(cls, text: bytes) -> Goal:
        """Raises Damaged."""
        try:
            body = json.loads(text)
            document = TrustDocument.from_json(body["document"])
            return cls(str(body["revision"]), str(body["runtime"]), document.registries)
        except (ValueError, TypeError, KeyError) as error:
            raise Damaged(f"last goal: {error!r}") from error


class Inputs:
    """The trust document and the task. They arrive in either order; where they do not fit together,
    or one is damaged, the last goal that did stays: `last`, where this process had none yet."""

    def __init__(self, trust_file: Path, task_file: Path, last: Goal | None = None) -> None:
        self._trust_file = trust_file
        self._task_file = task_file
        self._last = last
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
        self.complaint = ""
        try:
            raw_task = _content(self._task_file)
            if not raw_task.strip():
                return None
            task = Task.from_json(raw_task)
        except (Damaged, OSError) as error:
            self.complaint = f"nothing is changed: {error}"
            return None
        try:
            document = TrustDocument.from_json(_content(self._trust_file))
        except (Damaged, OSError) as error:
            self.complaint = f"nothing is changed: {error}"
            return self._last_good(task)
        if document.revision != task.revision:
            return self._last_good(task)  # the other one is on its way
        return Goal(document.revision, task.runtime, _wanted(document.registries, task))

    def _last_good(self, task: Task) -> Goal | None:
        """What an earlier process of the agent had reached, with this task's exceptions."""
        if self.goal is not None or self._last is None:
            return None
        registries = _wanted(self._last.registries, task)
        return replace(self._last, runtime=task.runtime, registries=registries)


def _wanted(registries: tuple[TrustedRegistry, ...], task: Task) -> tuple[TrustedRegistry, ...]:
    excluded = set(task.excluded)
    return tuple(registry for registry in registries if registry.uid not in excluded)


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
