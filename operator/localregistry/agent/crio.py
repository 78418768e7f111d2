"""CRI-O: one drop-in per name in registries.conf.d, and SIGHUP; never a restart."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence

from localregistry.agent import cridropin, header, names
from localregistry.agent.crionode import DROP_INS, MAIN, Found, detect
from localregistry.agent.guest import Guest
from localregistry.agent.helper import Runtime
from localregistry.agent.ownfiles import FilesPlan, OwnFiles
from localregistry.agent.procs import Processes
from localregistry.agent.writer import Writer
from localregistry.trust import NodeReason, NodeResult, TrustedRegistry


class Crio(Writer[Found, FilesPlan]):
    """The writer for CRI-O, which keeps the files in memory until it is told."""

    def __init__(self, guest: Guest, processes: Processes, runtime: Runtime) -> None:
        self.guest = guest
        self.processes = processes
        self.runtime = runtime
        self._own = OwnFiles(guest, "cri-o", nested=False, told=True)
        self._read: dict[str, tuple[bytes, frozenset[str]]] = {}

    def detect(self) -> Found | NodeResult:
        return detect(host=self.guest.host, processes=self.processes, runtime=self.runtime)

    def plan(self, wanted: Sequence[TrustedRegistry], found: Found | NodeResult) -> FilesPlan:
        directory = found.directory if isinstance(found, Found) else DROP_INS
        main = found.main if isinstance(found, Found) else MAIN
        seen = self._marked(directory)
        if not wanted and not seen and self.guest.journal.empty:
            return FilesPlan()
        try:
            others = self._others(directory, main)
        except ValueError as error:
            # Told now, CRI-O would keep what it has; started now, it could pull nothing.
            broken = NodeResult(NodeReason.FOREIGN_CONFIG_INVALID, f"{error}. Mend it.")
            return FilesPlan(refused=dict.fromkeys(self._everyone(wanted), broken))
        refused: dict[str, NodeResult] = {}
        contents: dict[str, bytes] = {}
        entries: dict[str, str] = {}
        for registry in wanted:
            down = found if isinstance(found, NodeResult) else None
            conflict = down or self._conflict(registry, others)
            if conflict is not None:
                refused[registry.uid] = conflict
                continue
            files = {
                f"{directory}/{cridropin.file_name(name)}": cridropin.render(registry, name)
                for name in registry.names
            }
            contents |= files
            entries[registry.uid] = "\n".join(
                text for path, content in files.items() for text in (path, content.decode())
            )
        plan = self._own.plan(contents, seen=seen, refused=refused, entries=entries)
        if isinstance(found, Found):
            return dataclasses.replace(
                plan, reload=plan.reload and not found.watches, daemon="crio"
            )
        if not plan.changes and self.processes.named("crio"):
            # It starts, or does not answer: it is told when it does.
            refused = {**self._waiting(), **refused}
            return dataclasses.replace(plan, refused=refused, reload=False, untold=False)
        return dataclasses.replace(plan, reload=False)

    def apply(self, plan: FilesPlan, found: Found | NodeResult) -> Mapping[str, NodeResult]:
        failed = dict(self._own.apply(plan))
        if not self._own.pending():
            return failed
        if isinstance(found, NodeResult):
            if self.processes.named("crio"):
                return {**self._waiting(), **failed}
        elif not found.watches:
            try:
                if not self.processes.signal_hup(found.process):
                    return {**self._waiting(), **failed}
            except PermissionError as error:
                words = (
                    f"CRI-O (PID {found.process.pid}) may not be signalled ({error.strerror}): "
                    "does a security module forbid it to the agent?"
                )
                result = NodeResult(NodeReason.RELOAD_BLOCKED, words)
                return {**dict.fromkeys(self._waiting(), result), **failed}
        self._own.settle()
        return failed

    def _waiting(self) -> dict[str, NodeResult]:
        """For those whose files CRI-O was not told of."""
        result = NodeResult(NodeReason.PENDING, "CRI-O is told of its registries when it answers.")
        return dict.fromkeys(self.guest.journal.uids(self._own.pending()), result)

    def _everyone(self, wanted: Sequence[TrustedRegistry]) -> set[str]:
        ours = self.guest.journal.uids(self._own.remembered())
        return {registry.uid for registry in wanted} | ours

    def _conflict(
        self, registry: TrustedRegistry, others: Mapping[str, Collection[str]]
    ) -> NodeResult | None:
        for name in registry.names:
            words = names.check(name, registry.address, registry.port, dns=registry.dns)
            if words is not None:
                return NodeResult(NodeReason.UNSUPPORTED, words)
            for path, prefixes in others.items():
                if name in prefixes:
                    return NodeResult(
                        NodeReason.CONTENDED,
                        f"{path} has an entry for {name}, written by somebody else, and is left "
                        "alone: remove the entry, or take the name out of the LocalRegistry.",
                    )
        return None

    def _others(self, directory: str, main: str) -> dict[str, frozenset[str]]:
        """The names in somebody else's files, by path; parsed again only where a file changed.
        Raises ValueError with the file that is broken."""
        paths = [main, *(f"{directory}/{name}" for name in self._drop_ins(directory))]
        read: dict[str, tuple[bytes, frozenset[str]]] = {}
        for path in paths:
            content = self.guest.read(path)
            if content is None or header.is_ours(content):
                continue
            known = self._read.get(path)
            if known is None or known[0] != content:
                try:
                    known = (content, cridropin.prefixes(content))
                except ValueError as error:
                    raise ValueError(f"{path} cannot be read by CRI-O: {error}") from error
            read[path] = known
        self._read = read
        return {path: prefixes for path, (_, prefixes) in read.items()}

    def _marked(self, directory: str) -> list[str]:
        paths = [f"{directory}/{name}" for name in self._drop_ins(directory)]
        return [path for path in paths if header.is_ours(self.guest.read(path) or b"")]

    def _drop_ins(self, directory: str) -> list[str]:
        return [name for name in self.guest.children(directory) if name.endswith(".conf")]
