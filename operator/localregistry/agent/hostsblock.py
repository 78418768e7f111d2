"""The hosts lines of the served registries on this node: the pure edit, applied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from localregistry.agent import hostsfile, names
from localregistry.agent.guest import Guest
from localregistry.agent.journal import Record, sha256
from localregistry.agent.writer import Change
from localregistry.trust import NodeReason, NodeResult, TrustedRegistry

PATH = "/etc/hosts"

# A runtime that resolves names by Go's own means remembers the file for 5 s.
REMEMBERED_SECONDS = 5.5


@dataclass(frozen=True)
class Block:
    """The change of /etc/hosts. `grows`: it has a line that was not there. `lag`: for so many
    seconds a host that the node shall resolve itself from now on may be found by its old line."""

    change: Change
    grows: bool
    entries: dict[str, str]
    lag: float = 0.0

    def undone(self) -> Block:
        return Block(
            Change(self.change.path, self.change.after, self.change.before), False, self.entries
        )


def conflict(guest: Guest, registry: TrustedRegistry) -> NodeResult | None:
    """Why the registry's names cannot be resolved to its Service here, or None. With `dns` the file
    is the administrator's alone, whatever he gives the name there."""
    content = guest.meant(PATH) or b""
    for name in registry.names:
        words = names.check(name, registry.address, registry.port, dns=registry.dns)
        if words is not None:
            return NodeResult(NodeReason.UNSUPPORTED, words)
        if registry.dns:
            continue
        host = names.host_of(name)
        others = hostsfile.foreign_address(content, host) - {registry.address}
        if others and not names.is_address(host):
            return NodeResult(
                NodeReason.CONTENDED,
                f"{PATH} of this node gives {host} the address {min(others)}, in a line that is "
                "not ours: remove it, or take the name out of the LocalRegistry.",
            )
    return None


def present(guest: Guest) -> bool:
    """Whether our block is there, whatever the journal knows."""
    content = guest.read(PATH) or b""
    return hostsfile.without_block(content) != content


def plan(guest: Guest, serving: Sequence[TrustedRegistry]) -> Block | None:
    """The change that makes the block exactly the names of `serving` that nodes do not resolve
    themselves; None where it is. One with the same content before and after sets the journal
    right."""
    current, meant = guest.read(PATH), guest.meant(PATH)
    addresses: dict[str, str] = {}
    entries: dict[str, str] = {}
    freed: set[bytes] = set()
    for registry in serving:
        for host in map(names.host_of, registry.names):
            if registry.dns:
                freed.add(host.encode())
            elif not names.is_address(host) and not hostsfile.foreign_address(meant or b"", host):
                addresses.setdefault(host, registry.address)
                entries.setdefault(host, registry.uid)
    freed_now = any(host in freed for host in hostsfile.hosts_of_block(meant or b""))
    after: bytes | None = hostsfile.with_block(meant or b"", addresses)
    record = guest.journal.get(PATH)
    made_by_us = record is not None and not record.pristine
    if not after and (current is None or made_by_us):
        after = None
    # A kill between the last write and the journal's line leaves a record that says too much.
    recorded = dict(record.entries) if record is not None else None
    if current == after and recorded in (None, entries) and (record is None or entries):
        return None
    return Block(
        Change(PATH, current, after),
        any(f"{ip}\t{host}".encode() not in (meant or b"") for host, ip in addresses.items()),
        entries,
        lag=REMEMBERED_SECONDS if freed_now else 0.0,
    )


def apply(guest: Guest, block: Block) -> None:
    """Writes it; the journal knows before, and forgets after the last line is gone."""
    base = hostsfile.without_block(block.change.before or b"")
    made = block.change.before is None
    old = guest.journal.get(PATH)
    pristine = old.pristine if old else ("" if made else sha256(base))
    guest.journal.put(
        PATH,
        Record(
            pristine=pristine,
            entries=block.entries,
            torn=old.torn if old else None,
        ),
    )
    if block.change.before != block.change.after:
        guest.put(block.change)
    after = block.change.after
    if after is None or hostsfile.without_block(after) == after:
        guest.journal.forget(PATH)
