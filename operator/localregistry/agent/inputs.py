"""What the agent is told: two mounted files, read again when they change."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from localregistry.trust import MAX_DOCUMENT_BYTES, Damaged, Task, TrustDocument, TrustedRegistry


@dataclass(frozen=True)
class Goal:
    """What this node shall be like.

    `registries` are served, sorted by UID. `previews` are only looked at, as the document has them.
    `frozen` are the UIDs of previews that are among `registries` all the same: see `freeze`.
    `excluded` are those that the task leaves out on this node.
    """

    revision: str
    runtime: str
    registries: tuple[TrustedRegistry, ...]
    previews: tuple[TrustedRegistry, ...] = ()
    frozen: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        """What is served, as it is kept on the node: for a start at which the document is damaged,
        and for what was granted to a registry that is in Preview now."""
        document = TrustDocument(self.registries).to_json()
        body: dict[str, object] = {"revision": self.revision, "runtime": self.runtime}
        body |= {"document": document}
        if self.frozen:
            body |= {"frozen": list(self.frozen)}
        return json.dumps(body, indent=1).encode() + b"\n"

    @classmethod
    def from_json(cls, text: bytes) -> Goal:
        """Raises Damaged."""
        try:
            body = json.loads(text)
            document = TrustDocument.from_json(body["document"])
            frozen = tuple(str(uid) for uid in body.get("frozen", ()))
            return cls(
                str(body["revision"]), str(body["runtime"]), document.registries, frozen=frozen
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Damaged(f"last goal: {error!r}") from error


def freeze(goal: Goal, before: Goal | None, remembers: Callable[[str], bool]) -> Goal:
    """A registry that is on the node and turns to Preview stays as it is: `goal` with the entries
    that `before` served, for those previews of which the node `remembers` something.

    What was granted then is what stays: address, probe and way are those of `before`, without the
    names that the preview no longer has, whose reason is gone. It is kept as all else is: drift of
    it is repaired, since a restart of k3s or a tool that writes daemon.json would else break pulls
    by which pods live. It is neither proved nor reported; its preview says what would change.
    """
    kept = {registry.uid: registry for registry in before.registries} if before else {}
    frozen: list[TrustedRegistry] = []
    for preview in goal.previews:
        served = kept.get(preview.uid)
        if served is None or not remembers(preview.uid):
            continue
        names = tuple(name for name in served.names if name in preview.names)
        if names:
            frozen.append(replace(served, names=names))
    if not frozen:
        return goal
    uids = tuple(registry.uid for registry in frozen)
    return replace(goal, registries=_sorted([*goal.registries, *frozen]), frozen=uids)


def _nothing(_: str) -> bool:
    return False


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

    @property
    def places(self) -> list[Path]:
        """What is replaced when there is news: the files, or the link of the kubelet's volume to
        the directory that they are in."""
        files = (self._trust_file, self._task_file)
        return [path for file in files for path in (file, file.parent / "..data")]

    def poll(self, remembers: Callable[[str], bool] = _nothing) -> bool:
        """Whether there is a new goal; `remembers` tells of a UID whether something on the node
        serves it. Costs two stat calls where nothing changed."""
        # Volumes swap a link to a new directory, so inode and time tell; content decides.
        signatures = (_signature(self._trust_file), _signature(self._task_file))
        if signatures == self._signatures:
            return False
        self._signatures = signatures
        goal = self._read()
        if goal is not None:
            goal = freeze(goal, self.goal or self._last, remembers)
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
        wanted = _wanted(document.registries, task)
        return Goal(
            document.revision,
            task.runtime,
            tuple(registry for registry in wanted if not registry.preview),
            previews=tuple(registry for registry in wanted if registry.preview),
            excluded=task.excluded,
        )

    def _last_good(self, task: Task) -> Goal | None:
        """What an earlier process of the agent had reached, with this task's exceptions."""
        if self.goal is not None or self._last is None:
            return None
        registries = _wanted(self._last.registries, task)
        return replace(
            self._last, runtime=task.runtime, registries=registries, excluded=task.excluded
        )


def _wanted(registries: Sequence[TrustedRegistry], task: Task) -> tuple[TrustedRegistry, ...]:
    excluded = set(task.excluded)
    return _sorted([registry for registry in registries if registry.uid not in excluded])


def _sorted(registries: Sequence[TrustedRegistry]) -> tuple[TrustedRegistry, ...]:
    """In one order, whatever is frozen of them: it is that of the names in daemon.json."""
    return tuple(sorted(registries, key=lambda registry: registry.uid))


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
