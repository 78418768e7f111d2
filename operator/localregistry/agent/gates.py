"""What keeps dockerd alive: the checks before anything is written or signalled.

Each gate is pure, and gives None (pass) or why this node is left alone. They are judged by the
running daemon's own flags, version and file. Without them a SIGHUP is refused, or changes what it
should not, or leaves a daemon that cannot start again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from localregistry.agent import daemonjson, names
from localregistry.agent.versions import release
from localregistry.trust import NodeReason, NodeResult

Flags = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Facts:
    """`config` is daemon.json parsed, {} where there is none; `content` its bytes."""

    flags: Flags
    version: str
    containerd_store: bool
    path: str
    content: bytes | None

    @property
    def release(self) -> tuple[int, int, int]:
        return release(self.version)

    @cached_property
    def config(self) -> Mapping[str, Any]:
        return daemonjson.parse(self.content) if self.content is not None else {}


def file_is_valid(facts: Facts) -> NodeResult | None:
    """A file that dockerd would refuse is not ours to touch: a reload fails, a start fails."""
    if facts.content is None:
        return None
    try:
        daemonjson.parse(facts.content, bom_allowed=facts.release >= (23, 0, 0))
    except daemonjson.Invalid as error:
        return _invalid(facts, str(error))
    return None


def mirrors_have_a_scheme(facts: Facts) -> NodeResult | None:
    """dockerd 20.10 logs an error and takes our entry, then cannot start."""
    for mirror in facts.config.get("registry-mirrors") or ():
        if not mirror.lower().startswith(("http://", "https://")):
            return _invalid(facts, f"the registry mirror {mirror!r} has no http:// or https://")
    return None


def own_entries_are_valid(facts: Facts) -> NodeResult | None:
    """One bad entry of somebody else keeps dockerd from starting."""
    for entry in facts.config.get(daemonjson.KEY) or ():
        bare = entry.partition("://")[2] or entry
        host, _, tail = bare.partition("/")
        cidr = tail.isdigit() and names.is_address(host)
        if not host or host.startswith("-") or set(host) & set("*_ ") or ("/" in bare and not cidr):
            return _invalid(facts, f"the entry {entry!r} of {daemonjson.KEY!r} is not valid")
    return None


def no_option_twice(facts: Facts) -> NodeResult | None:
    """What stands both as a flag and in the file: a reload is refused, the next start fails.

    dockerd's names of list options are singular as flags and plural in the file.
    """
    aliases = {"host": "hosts", "H": "hosts", "l": "log-level", "D": "debug", "s": "storage-driver"}
    aliases |= {"g": "data-root", "G": "group", "p": "pidfile", "b": "bridge"}
    for flag in facts.flags:
        for key in (flag, aliases.get(flag, f"{flag}s")):
            if key in facts.config and key != "runtimes":
                return _invalid(
                    facts,
                    f'"{key}" stands there and on dockerd\'s command line '
                    f"({'-' if len(flag) == 1 else '--'}{flag}): dockerd refuses to reload, and "
                    "would not start again",
                )
    return None


def no_authorization_plugin(facts: Facts) -> NodeResult | None:
    """A reload switches off a plugin given by flag, and kills dockerd over a missing one."""
    plugins = [
        *facts.flags.get("authorization-plugin", ()),
        *(facts.config.get("authorization-plugins") or ()),
    ]
    if not plugins:
        return None
    return NodeResult(
        NodeReason.RELOAD_BLOCKED,
        f"dockerd uses the authorization plugin {plugins[0]!r}, which a reload would switch off "
        f"(or die of). Add the names to {daemonjson.KEY!r} in {facts.path} and restart docker.",
    )


# What a reload sets to what the file says, and dockerd's default where it says nothing.
_RESET_BY_RELOAD = {
    "max-concurrent-downloads": "3",
    "max-concurrent-uploads": "5",
    "max-download-attempts": "5",
    "feature": "",
    "nri-opts": "",
}


def no_flag_that_a_reload_resets(facts: Facts) -> NodeResult | None:
    """A reload takes these from the file alone, so that the administrator's flag is lost until the
    next start. dockerd takes either a flag or a key, so that moving it is the way out."""
    for flag, default in _RESET_BY_RELOAD.items():
        values = facts.flags.get(flag, ())
        if values and values[-1] != default:
            key = "features" if flag == "feature" else flag
            return NodeResult(
                NodeReason.RELOAD_BLOCKED,
                f"dockerd is started with --{flag} {values[-1]}, which a reload would reset: move "
                f'it into {facts.path} as "{key}", and restart docker when it suits.',
            )
    return None


def no_reload_bug(facts: Facts) -> NodeResult | None:
    """23.0.0 to 23.0.6 and 24.0.0: with mirrors a reload drops all insecure registries.
    29.0 to 29.2: any reload damages `dns` and host-gateway addresses of new containers."""
    number = facts.release
    words = ""
    mirrors = facts.config.get("registry-mirrors") or facts.flags.get("registry-mirror")
    if mirrors and ((23, 0, 0) <= number <= (23, 0, 6) or number == (24, 0, 0)):
        words = "drops all insecure registries at a reload where mirrors are set"
    dns = ("dns", "host-gateway-ip", "host-gateway-ips")
    if (29, 0, 0) <= number < (29, 3, 0) and any(
        facts.config.get(key) or facts.flags.get(key) for key in dns
    ):
        words = "damages the DNS addresses of new containers at a reload"
    if not words:
        return None
    return NodeResult(
        NodeReason.RELOAD_BLOCKED, f"Docker {facts.version} {words}; upgrade Docker on this node."
    )


# In this order: later gates read the file as valid. Closed, nothing is written.
GATES: tuple[Callable[[Facts], NodeResult | None], ...] = (
    file_is_valid,
    mirrors_have_a_scheme,
    own_entries_are_valid,
)

# Closed, nothing is signalled: what the running daemon trusts already can be served all the same.
RELOAD_GATES: tuple[Callable[[Facts], NodeResult | None], ...] = (
    no_authorization_plugin,
    no_flag_that_a_reload_resets,
    no_reload_bug,
)


def check(facts: Facts) -> NodeResult | None:
    """The first gate before a write that does not open."""
    for gate in GATES:
        if (result := gate(facts)) is not None:
            return result
    # With the flag of our own key the file is never written, so that a conflict of it is moot.
    return None if "insecure-registry" in facts.flags else no_option_twice(facts)


def check_reload(facts: Facts) -> NodeResult | None:
    """The first gate before a signal that does not open."""
    return next((result for gate in RELOAD_GATES if (result := gate(facts)) is not None), None)


def flag_conflict(
    facts: Facts, *, address: str | None, registry_names: Sequence[str]
) -> NodeResult | None:
    """With `--insecure-registry` as a flag the key must not be in the file: dockerd refuses the
    reload, and its next start. Where the flag covers the Service already, nothing need be; without
    an address (None: the node resolves the names itself) only an entry that is the name does."""
    entries = tuple(facts.flags.get("insecure-registry", ()))
    if not entries or all(names.covered(address, name, entries) for name in registry_names):
        return None
    missing = next(n for n in registry_names if not names.covered(address, n, entries))
    way_out = f"Add --insecure-registry {missing}"
    if address is None:
        way_out += " to its command line (the name itself: where DNS leads it is not known, so that"
        way_out += " no CIDR is seen to cover it)"
    else:
        way_out += f" (or a CIDR that holds {address}) to its command line"
    return NodeResult(
        NodeReason.FLAG_CONFLICT,
        f"dockerd is started with --insecure-registry {', '.join(entries)}, so that it refuses "
        f"the same key in {facts.path}. {way_out}, or move the flags into the file.",
    )


def _invalid(facts: Facts, words: str) -> NodeResult:
    return NodeResult(
        NodeReason.FOREIGN_CONFIG_INVALID, f"{facts.path} is left alone: {words}. Mend it."
    )
