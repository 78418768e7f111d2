"""containerd: one hosts.toml per name below its `config_path`, read again at each pull.

Never a signal (SIGHUP kills containerd), never a restart, never another file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from localregistry.agent import containerdnode, files, hoststoml, names
from localregistry.agent.containerdnode import Found
from localregistry.agent.guest import Guest
from localregistry.agent.helper import Runtime
from localregistry.agent.journal import Record, sha256
from localregistry.agent.procs import Processes
from localregistry.agent.writer import Change, Plan, Writer
from localregistry.trust import NodeReason, NodeResult, TrustedRegistry


@dataclass(frozen=True)
class ContainerdPlan(Plan):
    """`uids` tells whom each changed file serves; `forgotten` are files in the journal that are no
    longer ours."""

    uids: Mapping[str, str] = field(default_factory=dict)
    forgotten: tuple[str, ...] = ()
    untidy: bool = False

    @property
    def idle(self) -> bool:
        return not (self.changes or self.forgotten or self.untidy)


@dataclass(frozen=True)
class Containerd(Writer[Found, ContainerdPlan]):
    """The writer for containerd 1.x and 2.x."""

    guest: Guest
    processes: Processes
    runtime: Runtime

    def detect(self) -> Found | NodeResult:
        return containerdnode.detect(
            host=self.guest.host, processes=self.processes, runtime=self.runtime
        )

    def plan(self, wanted: Sequence[TrustedRegistry], found: Found | NodeResult) -> ContainerdPlan:
        directory = found.directory if isinstance(found, Found) else found
        refused: dict[str, NodeResult] = {}
        contents: dict[str, bytes] = {}
        entries: dict[str, str] = {}
        for registry in wanted:
            problem = self._problem(registry, directory)
            if problem is not None or isinstance(directory, NodeResult):
                refused[registry.uid] = problem or NodeResult(NodeReason.PENDING)
                continue
            content = hoststoml.render(
                owner=registry.owner, uid=registry.uid, endpoint=registry.endpoint
            )
            paths = [_file(directory, name) for name in registry.names]
            contents |= dict.fromkeys(paths, content)
            entries[registry.uid] = "\n".join([*paths, content.decode()])
        changes, forgotten = [], []
        for path in sorted({*contents, *self._ours(directory)}):
            current = self.guest.read(path)
            after = contents.get(path)
            if after is None and (current is None or not hoststoml.is_ours(current)):
                forgotten.append(path)
            elif after is None and hoststoml.uid_of(current or b"") in refused:
                continue  # wanted, but not to be served anew now: what works stays
            elif current != after:
                changes.append(Change(path, current, after))
        uids = {c.path: hoststoml.uid_of(c.after or c.before or b"") for c in changes}
        return ContainerdPlan(
            tuple(changes),
            refused,
            entries,
            uids=uids,
            forgotten=tuple(forgotten),
            untidy=self.guest.untidy,
        )

    def apply(self, plan: ContainerdPlan, found: Found | NodeResult) -> Mapping[str, NodeResult]:
        failed: dict[str, NodeResult] = {}
        for change in plan.changes:
            try:
                if change.after is not None:
                    self._write(change, change.after, plan.uids[change.path])
                else:
                    self._withdraw(change)
            except files.Refused as error:
                failed[plan.uids[change.path]] = error.result()
        for path in plan.forgotten:
            self.guest.journal.forget(path)
        self.guest.clear_directories()
        return failed

    def _write(self, change: Change, content: bytes, uid: str) -> None:
        name = PurePosixPath(change.path).parent.name
        self.guest.journal.put(change.path, Record(written=(sha256(content),), entries={name: uid}))
        self.guest.make_directories(change.path)
        self.guest.put(change)

    def _withdraw(self, change: Change) -> None:
        remembered = self.guest.journal.get(change.path) is not None
        self.guest.put(change)
        if not remembered:
            # Nobody knows who made the directory. An empty one says nothing to containerd but
            # "not the default", so it goes.
            parent = str(PurePosixPath(change.path).parent)
            files.remove_directory_if_empty(self.guest.host.resolve(parent))
        self.guest.journal.forget(change.path)

    def _problem(self, registry: TrustedRegistry, directory: str | NodeResult) -> NodeResult | None:
        if isinstance(directory, NodeResult):
            return directory
        problems = (self._conflict(registry, name, directory) for name in registry.names)
        return next((problem for problem in problems if problem is not None), None)

    def _conflict(self, registry: TrustedRegistry, name: str, directory: str) -> NodeResult | None:
        """Why `name` cannot be written below `directory`, or None."""
        if (words := names.check(name, registry.address, registry.port)) is not None:
            return NodeResult(NodeReason.UNSUPPORTED, words)
        host = self.guest.host
        path = f"{directory}/{name}"
        if host.resolve(path).parent != host.resolve(directory):
            return NodeResult(
                NodeReason.CONTENDED, f"{path} is a link to elsewhere and is left alone; remove it."
            )
        current = self.guest.read(f"{path}/{hoststoml.FILE_NAME}")
        if current is not None and not hoststoml.is_ours(current):
            return NodeResult(
                NodeReason.CONTENDED,
                f"{path}/{hoststoml.FILE_NAME} was written by somebody else and is left alone: "
                "remove it, or take the name out of the LocalRegistry.",
            )
        # containerd reads one directory only, and this spelling first.
        shadow = f"{directory}/{name.replace(':', '_')}_"
        if ":" in name and host.resolve(shadow).is_dir():
            return NodeResult(
                NodeReason.CONTENDED, f"{shadow} hides what would be written for {name}; remove it."
            )
        return None

    def _ours(self, directory: str | NodeResult) -> set[str]:
        """All our hosts.toml files: by the journal, and by their first line."""
        found = {path for path in self.guest.journal.paths() if path.endswith(hoststoml.FILE_NAME)}
        if isinstance(directory, str):
            found |= set(self._marked(_file(directory, n) for n in self.guest.children(directory)))
        return found

    def _marked(self, paths: Iterable[str]) -> Iterable[str]:
        for path in paths:
            content = self.guest.read(path)
            if content is not None and hoststoml.is_ours(content):
                yield path


def _file(directory: str, name: str) -> str:
    return f"{directory}/{name}/{hoststoml.FILE_NAME}"
