"""A registry directory of containerd's form: one hosts.toml per name, read again at each pull."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from localregistry.agent import header, hoststoml, names
from localregistry.agent.guest import Guest
from localregistry.agent.ownfiles import FilesPlan, OwnFiles
from localregistry.trust import NodeReason, NodeResult, TrustedRegistry

# NAME_MAX of Linux' file systems; a host of 253 characters and its port have up to 259. Where
# containerd finds a directory's name too long, it does not pull.
MAX_NAME = 255

_FOREIGN = (
    "{path} was written by somebody else and is left alone: remove it, or take the name out of the "
    "LocalRegistry."
)


def _nobody(name: str) -> NodeResult | None:
    return None


@dataclass(frozen=True)
class HostsDirectory:
    """What several writers share. `claimed` gives why a name is left to somebody else."""

    own: OwnFiles
    claimed: Callable[[str], NodeResult | None] = _nobody

    @property
    def guest(self) -> Guest:
        return self.own.guest

    def plan(self, wanted: Sequence[TrustedRegistry], directory: str | NodeResult) -> FilesPlan:
        """Below `directory`; where there is none, what is no longer wanted goes all the same."""
        refused: dict[str, NodeResult] = {}
        contents: dict[str, bytes] = {}
        entries: dict[str, str] = {}
        for registry in wanted:
            if isinstance(directory, NodeResult):
                refused[registry.uid] = directory
                continue
            conflicts = (self._conflict(registry, name, directory) for name in registry.names)
            problem = next((conflict for conflict in conflicts if conflict is not None), None)
            if problem is not None:
                refused[registry.uid] = problem
                continue
            rendered = {
                file(directory, name): hoststoml.render(
                    owner=registry.owner, uid=registry.uid, endpoint=registry.endpoint(name)
                )
                for name in registry.names
            }
            contents |= rendered
            texts = dict.fromkeys(content.decode() for content in rendered.values())
            entries[registry.uid] = "\n".join([*rendered, *texts])
        seen = self._marked(directory, contents) if isinstance(directory, str) else ()
        return self.own.plan(contents, seen=seen, refused=refused, entries=entries)

    def _conflict(self, registry: TrustedRegistry, name: str, directory: str) -> NodeResult | None:
        """Why `name` cannot be written below `directory`, or None."""
        words = names.check(name, registry.address, registry.port, dns=registry.dns)
        if words is not None:
            return NodeResult(NodeReason.UNSUPPORTED, words)
        if (claim := self.claimed(name)) is not None:
            return claim
        if len(_other_spelling(name)) > MAX_NAME:
            words = (
                f"{name} is longer than a directory's name may be ({MAX_NAME}): shorten the host."
            )
            return NodeResult(NodeReason.UNSUPPORTED, words)
        host = self.guest.host
        if not host.holds(directory, name, hoststoml.FILE_NAME):
            path = file(directory, name)
            words = f"{path} or its directory is a link to elsewhere and is left alone; remove it."
            return NodeResult(NodeReason.CONTENDED, words)
        current = self.guest.read(file(directory, name))
        if current is not None and not header.is_ours(current):
            words = _FOREIGN.format(path=file(directory, name))
            return NodeResult(NodeReason.CONTENDED, words)
        # One directory only is read, and this spelling first.
        shadow = f"{directory}/{_other_spelling(name)}"
        if _other_spelling(name) != name and host.resolve(shadow).is_dir():
            words = f"{shadow} hides what would be written for {name}; remove it."
            return NodeResult(NodeReason.CONTENDED, words)
        return None

    def _marked(self, directory: str, wanted: Collection[str]) -> Iterable[str]:
        """Files with our mark that nobody asked for."""
        for path in (file(directory, name) for name in self.guest.children(directory)):
            content = self.guest.read(path) if path not in wanted else None
            if content is not None and header.is_ours(content):
                yield path


def _other_spelling(name: str) -> str:
    """`host_port_`, under which containerd looks first; a name without a port has none."""
    host = names.host_of(name)
    return f"{host}_{name[len(host) + 1 :]}_" if host != name else name


def file(directory: str, name: str) -> str:
    return f"{directory}/{name}/{hoststoml.FILE_NAME}"
